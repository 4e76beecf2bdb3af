// forger info: what this binary is and what it runs on; the first thing to put beside a measured number.
#include <zlib.h>

#include <toml++/toml.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/common.h"

namespace forger::apps {
namespace {

template <class... Numbers>
std::string dotted(Numbers... numbers) {
  std::string all;
  ((all += (all.empty() ? "" : ".") + std::to_string(numbers)), ...);
  return all;
}

constexpr const char* compiler =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

constexpr const char* build =
#ifdef NDEBUG
    "optimised";
#else
    "with assertions";
#endif

nlohmann::ordered_json facts() {
  nlohmann::ordered_json out;
  out["version"] = FORGER_VERSION;
  out["devices"] = nlohmann::ordered_json::array();
  for (const DeviceLine& device : device_lines()) out["devices"].push_back(device.name);
  out["simd"] = kernels::simd_level();
  out["threads"] = kernels::threads();
  out["cores"] = std::thread::hardware_concurrency();
  out["compiler"] = compiler;
  out["build"] = build;
  out["zlib"] = zlibVersion();
  out["nlohmann_json"] = dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  out["tomlplusplus"] = dotted(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH);
  out["cli11"] = CLI11_VERSION;
  return out;
}

std::string plain(const nlohmann::ordered_json& value) {
  if (!value.is_array()) return value.is_string() ? value.get<std::string>() : value.dump();
  std::string all;
  for (const auto& each : value) all += (all.empty() ? "" : ", ") + plain(each);
  return all;
}

}  // namespace

Command info_command(CLI::App& root) {
  CLI::App* app = root.add_subcommand("info", "Version, devices, threads, compiler, libraries");
  const CLI::Option* json = app->add_flag("--json")->description("For programs");
  return {app, [json] {
            const nlohmann::ordered_json all = facts();
            if (json->count() > 0) {
              std::cout << all.dump(2) << '\n';
            } else {
              for (const auto& [key, value] : all.items())
                std::cout << key << std::string(16 - std::min<size_t>(key.size(), 15), ' ') << plain(value) << '\n';
            }
            return exit_done;
          }};
}

}  // namespace forger::apps
