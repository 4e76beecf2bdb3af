// Images as Inception takes them. Published programs differ here, and scores with them: the convention is part of a
// score's name.
#pragma once
#include <string>

#include "gan/image.h"

namespace forger::metrics {

// How an 8-bit image becomes 299 x 299 inputs of the network:
enum class Convention : uint8_t {
  tf,        // the original FID: bilinear, source = target*in/out, no antialias; (x - 128)/128
  pytorch,   // pytorch-fid: bilinear, half-pixel centres, no antialias; (x - 127.5)/127.5
  clean,     // clean-fid: Pillow's bicubic with antialias on float channels, clipped to [0, 255], not rounded; as tf
  friendly,  // Pillow's bilinear with antialias on 8-bit channels, rounded as Pillow (before 13) rounds; as pytorch
};
constexpr Convention all_conventions[] = {Convention::tf, Convention::pytorch, Convention::clean, Convention::friendly};
const char* name_of(Convention convention);
Convention find_convention(const std::string& name);  // UsageError lists them

constexpr int64_t inception_side = 299;

// image: any size, 1 or 3 channels; a grey image is repeated in the three. out: (299, 299, 3) floats.
void inception_input(const gan::Image& image, Convention convention, float* out);

}  // namespace forger::metrics
