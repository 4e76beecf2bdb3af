// What convolutional architectures share: which images they take, and the windows that halve and keep a map.
#pragma once
#include <algorithm>

#include "nn/layers.h"

namespace forger::gan {

// A side alone is a square.
using nn::Extent;

constexpr int64_t smallest_map = 4;
constexpr int64_t kernel = 4;                                // side of the windows that halve and double a map
constexpr double slope = 0.2;                                // of LeakyReLU, in discriminators
constexpr Conv2dOptions halve{.stride = 2, .padding = 1};    // of that kernel; transposed, double
constexpr Conv2dOptions same{.stride = 1, .padding = 1};     // of a 3x3 kernel
constexpr Conv2dOptions project{.stride = 1, .padding = 0};  // smallest map <-> 1x1

// How often the shorter side is halved until it is that of the smallest map, as a factor; and that map.
inline int64_t halvings(Extent size) { return std::min(size.height, size.width) / smallest_map; }
inline Extent smallest(Extent size) { return {size.height / halvings(size), size.width / halvings(size)}; }

inline Conv2dOptions with_leaky_relu(Conv2dOptions options, double below) {
  options.activation = kernels::Activation::leaky_relu;
  options.slope = below;
  return options;
}

// Height and width of samples (H, W, C).
inline Extent extent_of(const Shape& sample) { return {sample[0], sample[1]}; }

// UsageError, "`who` takes ...", unless `sample` is (height, width, 1 or 3) whose shorter side is a power of two from
// 16 to 256, and whose longer one is a multiple of what the shorter one is of 4: 64 x 96 halves four times, to 4 x 6.
void require_images(const std::string& who, const Shape& sample);

}  // namespace forger::gan
