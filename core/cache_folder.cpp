#include "core/cache_folder.h"

#include <cstdlib>

namespace forger {

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string chosen = variable("FORGER_CACHE"); !chosen.empty()) return chosen;
  if (const std::string shared = variable("XDG_CACHE_HOME"); !shared.empty()) return shared + "/forger";
  return variable("HOME") + "/.cache/forger";
}

}  // namespace forger
