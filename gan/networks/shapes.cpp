#include "gan/networks/shapes.h"

#include <bit>

#include "core/error.h"

namespace forger::gan {

void require_images(const std::string& who, const Shape& sample) {
  check<UsageError>(sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3), who,
                    " takes images of 1 or 3 channels, this data set has samples of ", sample);
  const auto shorter = static_cast<uint64_t>(std::min(sample[0], sample[1]));
  const int64_t longer = std::max(sample[0], sample[1]);
  const bool fits = std::has_single_bit(shorter) && shorter >= 16 && shorter <= 256;
  check<UsageError>(
      fits && longer % halvings({sample[0], sample[1]}) == 0, who,
      " takes --size 16, 32, 64, 128 or 256, or one of these by a multiple of its quarter's, as 64x96 (32 by "
      "multiples of 8, 64 of 16, ...); not ",
      sample[0], 'x', sample[1]);
}

}  // namespace forger::gan
