#include "gan/data/transforms.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "gan/image.h"

namespace forger::gan {

float Picture::at(int64_t row, int64_t column, int64_t channel) const {
  row = std::clamp<int64_t>(row, 0, height - 1), column = std::clamp<int64_t>(column, 0, width - 1);
  return values[static_cast<size_t>((row * width + column) * channels + channel)];
}

Picture grey(const Picture& image) {
  if (image.channels == 1) return image;
  Picture out(image.height, image.width, 1);
  for (size_t i = 0; i < out.values.size(); i++)
    out.values[i] = 0.299f * image.values[3 * i] + 0.587f * image.values[3 * i + 1] + 0.114f * image.values[3 * i + 2];
  return out;
}

Picture edges(const Picture& image) {
  const Picture luma = grey(image);
  Picture out(image.height, image.width, 1);
  float* to = out.values.data();
  const auto at = [&](int64_t r, int64_t c) { return luma.at(r, c, 0); };
  for (int64_t r = 0; r < image.height; r++) {
    for (int64_t c = 0; c < image.width; c++) {
      const float right = at(r - 1, c + 1) + 2 * at(r, c + 1) + at(r + 1, c + 1);
      const float left = at(r - 1, c - 1) + 2 * at(r, c - 1) + at(r + 1, c - 1);
      const float below = at(r + 1, c - 1) + 2 * at(r + 1, c) + at(r + 1, c + 1);
      const float above = at(r - 1, c - 1) + 2 * at(r - 1, c) + at(r - 1, c + 1);
      *to++ = std::min(1.0f, 0.5f * std::hypot(right - left, below - above) - 1);  // a step of half the range is white
    }
  }
  return out;
}

Picture negative(const Picture& image) {
  Picture out = image;
  for (float& x : out.values) x = -x;
  return out;
}

Picture blurred(const Picture& image) {
  const double deviation = static_cast<double>(std::min(image.height, image.width)) / 16;
  const auto reach = static_cast<int64_t>(std::ceil(3 * deviation));
  std::vector<float> weights;
  float total = 0;
  for (int64_t i = -reach; i <= reach; i++) {
    weights.push_back(static_cast<float>(std::exp(-0.5 * std::pow(static_cast<double>(i) / deviation, 2))));
    total += weights.back();
  }
  const auto along = [&](const Picture& from, int64_t down, int64_t across) {
    Picture out(from.height, from.width, from.channels);
    float* to = out.values.data();
    for (int64_t r = 0; r < from.height; r++)
      for (int64_t c = 0; c < from.width; c++)
        for (int64_t k = 0; k < from.channels; k++) {
          float sum = 0;
          for (int64_t i = -reach; i <= reach; i++)
            sum += weights[static_cast<size_t>(i + reach)] * from.at(r + i * down, c + i * across, k);
          *to++ = sum / total;
        }
    return out;
  };
  return along(along(image, 0, 1), 1, 0);
}

Picture noisy(const Picture& image, uint64_t row) {
  constexpr uint64_t stream = 0x6e6f697379;
  const Tensor noise = Random(row, stream).normal({std::ssize(image.values)}, 0, 0.3);
  Picture out = image;
  for (size_t i = 0; i < out.values.size(); i++)
    out.values[i] = std::clamp(out.values[i] + noise.data<float>()[i], -1.0f, 1.0f);
  return out;
}

Picture shrunk(const Picture& image) {
  Image bytes{image.height, image.width, image.channels, {}};
  for (const float x : image.values) bytes.pixels.push_back(to_byte(static_cast<double>(x)));
  const Image quarter = resize(bytes, std::max<int64_t>(1, image.height / 4), std::max<int64_t>(1, image.width / 4));
  Picture out = image;
  to_sample(resize(quarter, image.height, image.width), out.values.data());
  return out;
}

Picture turned(const Picture& image) {
  Picture out(image.width, image.height, image.channels);
  float* to = out.values.data();
  for (int64_t r = 0; r < out.height; r++)
    for (int64_t c = 0; c < out.width; c++)
      for (int64_t k = 0; k < out.channels; k++) *to++ = image.at(c, image.width - 1 - r, k);
  return out;
}

Picture tinted(const Picture& image, double hue) {
  constexpr double saturation = 0.75;
  Picture out(image.height, image.width, 3);
  for (int channel = 0; channel < 3; channel++) {  // HSV to RGB (Smith 1978), value 1
    const double sixth = std::fmod(5 - 2 * channel + 6 * hue, 6);
    const auto level = static_cast<float>(1 - saturation * std::clamp(std::min(sixth, 4 - sixth), 0.0, 1.0));
    for (size_t i = 0; i < image.values.size(); i++)
      out.values[3 * i + static_cast<size_t>(channel)] = (image.values[i] + 1) * level - 1;
  }
  return out;
}

}  // namespace forger::gan
