#include "gan/recipe.h"

#include <algorithm>

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

Device device_of(const Settings& settings) {
  const std::string& name = settings.text("device");
  for (const Device device : {Device::cpu, Device::cuda, Device::simt}) {
    if (name != name_of(device)) continue;
    const std::string missing = kernels::runtime(device).missing();
    if (!missing.empty()) throw DeviceError(text("--device ", name, ": ", missing));
    return device;
  }
  throw UsageError(text("--device '", name, "' is not known; there are: cpu, cuda, simt"));
}

Recipe::Recipe(const Settings& settings)
    : random_(static_cast<uint64_t>(settings.integer("seed"))), device_(device_of(settings)) {}

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
