#include "gan/recipe.h"

#include <algorithm>

#include "core/device.h"

namespace forger::gan {
namespace {

std::vector<RecipeEntry>& registry() {
  static std::vector<RecipeEntry> entries;
  return entries;
}

}  // namespace

Scalars look_at(const Readings& readings) {
  Scalars scalars;
  for (const auto& [name, value] : readings) scalars.push_back({name, value.item()});
  return scalars;
}

Recipe::Recipe(const Settings& settings)
    : random_(static_cast<uint64_t>(settings.integer("seed"))), device_(find_device(settings.text("device"))) {}

Tensor Recipe::discriminate(const Tensor&) { return {}; }

RegisterRecipe::RegisterRecipe(RecipeEntry entry) {
  auto& entries = registry();
  entries.push_back(std::move(entry));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

const std::vector<RecipeEntry>& recipes() { return registry(); }

const RecipeEntry& find_recipe(const std::string& name) {
  std::string known;
  for (const RecipeEntry& entry : registry()) {
    if (entry.name == name) return entry;
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  throw UsageError(text("recipe '", name, "' is not known; there are: ", known));
}

Settings settings_for(const RecipeEntry& recipe) {
  Settings settings = common_settings();
  settings.add({"recipe", recipe.name, "the system that is trained"});
  for (const Setting& setting : recipe.settings) settings.add(setting);
  return settings;
}

}  // namespace forger::gan
