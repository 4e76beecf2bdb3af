// forger list: what there is to choose from.
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/common.h"
#include "gan/pretrained.h"
#include "metrics/evaluate.h"

namespace forger::apps {
namespace {

void print_entry(const std::string& name, const std::string& about) {
  constexpr size_t column = 16;
  std::cout << "  " << name << std::string(name.size() < column ? column - name.size() : 1, ' ') << about << '\n';
}

void print_text() {
  std::cout << "Recipes (forger train RECIPE):\n";
  for (const gan::RecipeEntry& recipe : gan::recipes()) {
    print_entry(recipe.name, recipe.title);
    print_entry("", recipe.citation);
    print_entry("", "takes " + recipe.data + ": " + gan::data_for(recipe));
    if (recipe.minutes > 0) print_entry("", text("as it is: about ", recipe.minutes, " minutes on two cores"));
    for (const gan::Preset& preset : recipe.presets) print_entry("", "--preset " + preset.name + ": " + preset.help);
  }
  std::cout << "\nData (--data):\n";
  for (const gan::DataSource& source : gan::data_sources()) print_entry(source.name, source.help);
  std::cout << "\nPretrained (forger sample pretrained:NAME, and whatever else takes a run):\n";
  for (const gan::Pretrained& one : gan::pretrained()) print_entry(one.name, one.about);
  std::cout << "\nMetrics (forger evaluate --metrics):\n";
  for (const metrics::Metric& metric : metrics::metric_table()) print_entry(metric.name, metric.title);
  std::cout << "\nDevices (--device):\n";
  for (const DeviceLine& device : device_lines()) print_entry(device.name, device.about);
}

void print_json() {
  nlohmann::ordered_json out;
  out["recipes"] = out["data"] = out["pretrained"] = out["metrics"] = out["devices"] = nlohmann::ordered_json::array();
  for (const gan::RecipeEntry& recipe : gan::recipes()) {
    nlohmann::ordered_json presets = nlohmann::ordered_json::object();
    for (const gan::Preset& preset : recipe.presets) presets[preset.name] = preset.help;
    out["recipes"].push_back({{"name", recipe.name},
                              {"title", recipe.title},
                              {"citation", recipe.citation},
                              {"data", recipe.data},
                              {"needs", recipe.needs},
                              {"minutes", recipe.minutes},
                              {"presets", presets}});
  }
  for (const gan::DataSource& source : gan::data_sources())
    out["data"].push_back({{"name", source.name}, {"help", source.help}});
  for (const gan::Pretrained& one : gan::pretrained())
    out["pretrained"].push_back({{"name", one.name}, {"about", one.about}});
  for (const metrics::Metric& metric : metrics::metric_table())
    out["metrics"].push_back({{"name", metric.name},
                              {"title", metric.title},
                              {"needs_inception", metric.space == metrics::Space::inception}});
  for (const DeviceLine& device : device_lines())
    out["devices"].push_back({{"name", device.name}, {"about", device.about}});
  std::cout << out.dump(2) << '\n';
}

}  // namespace

Command list_command(CLI::App& root) {
  CLI::App* app = root.add_subcommand("list", "Recipes, data sets, metrics and devices to choose from");
  const CLI::Option* json = app->add_flag("--json")->description("For programs");
  return {app, [json] {
            json->count() > 0 ? print_json() : print_text();
            return exit_done;
          }};
}

}  // namespace forger::apps
