// Any bytes as a picture file: refused with a DataError, or an image whose size and pixels agree.
#include <cstdlib>

#include "core/error.h"
#include "gan/picture_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const int channels = size % 2 == 0 ? 1 : 3;
    const forger::gan::Image image =
        forger::gan::decode_image({reinterpret_cast<const char*>(data), size}, channels, "input");
    if (image.channels != channels) std::abort();
    if (static_cast<int64_t>(image.pixels.size()) != image.height * image.width * channels) std::abort();
  } catch (const forger::DataError&) {
  }
  return 0;
}
