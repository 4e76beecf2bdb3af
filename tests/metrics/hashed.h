// Images and weights that are made, not stored: the same numbers as in tests/golden/make_inception_golden.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "gan/image.h"
#include "metrics/inception.h"
#include "tests/metrics/rows.h"

namespace forger::test {

// The i-th number of a seed.
inline uint64_t hashed(uint64_t seed, int64_t i) {
  return splitmix64(seed + 0x9e3779b97f4a7c15 * static_cast<uint64_t>(i));
}

inline uint64_t fnv(const std::string& text) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return h;
}

// Two triangle waves under noise, a part black and a part white.
inline gan::Image hashed_image(int64_t index, int64_t height, int64_t width, int64_t channels) {
  const auto wave = [](int64_t t) { return std::abs(t % 512 - 256); };
  gan::Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++)
      for (int64_t c = 0; c < channels; c++) {
        const int64_t smooth =
            wave((2 + index) * y + 5 * x + 90 * c + 40 * index) + wave(7 * x + (3 + 2 * index) * y + 130 * c);
        const uint64_t noise = hashed(static_cast<uint64_t>(index), std::ssize(image.pixels)) % 96;
        const int64_t level = smooth * 480 / 512 - 160 + static_cast<int64_t>(noise);
        image.pixels.push_back(static_cast<uint8_t>(std::clamp<int64_t>(level, 0, 255)));
      }
  return image;
}

// Convolutions as He et al. initialise them, batch norms that are not the identity, a head of unit gain.
inline Tensor hashed_tensor(const std::string& name, const Shape& shape) {
  const Tensor tensor(shape, DType::f32);
  const double fan_in = static_cast<double>(shape.numel() / shape[0]);
  double low = -0.2, width = 0.4;  // running_mean and bias
  if (name.ends_with("conv.weight")) low = -std::sqrt(6 / fan_in), width = 2 * std::sqrt(6 / fan_in);
  if (name.ends_with("bn.weight")) low = 0.8;
  if (name.ends_with("running_var")) low = 0.5, width = 1;
  if (name == "fc.weight") low = -std::sqrt(3 / fan_in), width = 2 * std::sqrt(3 / fan_in);
  low = static_cast<float>(low), width = static_cast<float>(width);
  const uint64_t seed = fnv(name);
  for (int64_t i = 0; i < tensor.numel(); i++) {
    const double unit = std::ldexp(static_cast<double>(hashed(seed, i) >> 40), -24);  // [0, 1), 24 bits
    tensor.data<float>()[i] = static_cast<float>(low + width * unit);                 // the product is exact
  }
  return tensor;
}

inline nn::NamedTensors hashed_weights() {
  nn::NamedTensors weights;
  for (const auto& [name, shape] : metrics::Inception::tensors()) weights.push_back({name, hashed_tensor(name, shape)});
  return weights;
}

}  // namespace forger::test
