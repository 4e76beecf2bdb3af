// Any bytes as an IDX file: refused with a DataError, or sizes and values that agree.
#include <cstdlib>

#include "core/error.h"
#include "gan/data/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const forger::gan::Idx idx = forger::gan::parse_idx({reinterpret_cast<const std::byte*>(data), size}, "input");
    size_t elements = 1;
    for (const int64_t axis : idx.sizes) elements *= static_cast<size_t>(axis);
    if (elements != idx.values.size()) std::abort();
  } catch (const forger::DataError&) {
  }
  return 0;
}
