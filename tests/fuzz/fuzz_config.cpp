// Any text as config.toml: refused with a UsageError, or settings that are written and read back alike.
#include <cstdlib>

#include "core/error.h"
#include "gan/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace forger::gan;
  Settings settings = common_settings();
  try {
    parse_toml(settings, {reinterpret_cast<const char*>(data), size}, "input");
  } catch (const forger::UsageError&) {
    return 0;
  }
  Settings again = common_settings();
  parse_toml(again, to_toml(settings), "again");
  if (to_toml(again) != to_toml(settings)) std::abort();
  return 0;
}
