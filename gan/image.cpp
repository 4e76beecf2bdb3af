// Images as files and as tensors.
//
// Resizing is separable, rows then columns. Output pixel o looks at the input around its centre c = (o + 1/2) * in/out
// with a triangle of half-width r = max(1, in/out), so that shrinking averages all it covers (no aliasing) and growing
// is plain bilinear interpolation:
//
//   weight(i) = max(0, 1 - |i + 1/2 - c| / r), normalised to sum 1 over the pixels inside the image
#include "gan/image.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>

#include "nn/checkpoint.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace forger::gan {
namespace {

// ---- resizing ----

struct Taps {
  int64_t first = 0;           // the first input pixel that counts
  std::vector<float> weights;  // of it and the following ones
};

std::vector<Taps> triangle_taps(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), radius = std::max(1.0, scale);
  std::vector<Taps> taps(static_cast<size_t>(out));
  for (int64_t o = 0; o < out; o++) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const auto weight = [&](int64_t i) {
      return std::max(0.0, 1 - std::abs(static_cast<double>(i) + 0.5 - centre) / radius);
    };
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - radius)));
    const int64_t last = std::min(in - 1, static_cast<int64_t>(std::ceil(centre + radius)));
    double sum = 0;
    for (int64_t i = first; i <= last; i++) sum += weight(i);
    Taps& tap = taps[static_cast<size_t>(o)];
    tap.first = first;
    for (int64_t i = first; i <= last; i++) tap.weights.push_back(static_cast<float>(weight(i) / sum));
  }
  return taps;
}

// x (outer, in, inner) -> (outer, out, inner)
std::vector<float> resize_axis(const std::vector<float>& x, int64_t outer, int64_t in, int64_t inner, int64_t out) {
  const std::vector<Taps> taps = triangle_taps(in, out);
  std::vector<float> y(static_cast<size_t>(outer * out * inner), 0.0f);
  for (int64_t n = 0; n < outer; n++) {
    for (int64_t o = 0; o < out; o++) {
      const Taps& tap = taps[static_cast<size_t>(o)];
      float* row = &y[static_cast<size_t>((n * out + o) * inner)];
      const float* source = &x[static_cast<size_t>((n * in + tap.first) * inner)];
      for (const float weight : tap.weights) {
        for (int64_t k = 0; k < inner; k++) row[k] += weight * source[k];
        source += inner;
      }
    }
  }
  return y;
}

// ---- pictures ----

Image blank(int64_t height, int64_t width, int64_t channels) {
  constexpr uint8_t white = 255;
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels), white)};
}

uint8_t* pixel(Image& image, int64_t row, int64_t column) {
  return &image.pixels[static_cast<size_t>((row * image.width + column) * image.channels)];
}

}  // namespace

std::vector<std::string> picture_files(const std::string& folder) {
  namespace fs = std::filesystem;
  const auto is_picture = [](const fs::directory_entry& entry) {
    const fs::path path = entry.path();
    std::string extension = path.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool known = extension == ".png" || extension == ".jpg" || extension == ".jpeg";
    return known && !path.filename().string().starts_with('.') && entry.is_regular_file();
  };
  std::vector<std::string> files;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
      if (is_picture(entry)) files.push_back(entry.path().generic_string());
  } catch (const fs::filesystem_error& error) {
    throw DataError(text("cannot read the folder '", folder, "': ", error.code().message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string encode_png(const Image& image) {
  check<Error>(image.height > 0 && image.width > 0 && (image.channels == 1 || image.channels == 3) &&
                   static_cast<int64_t>(image.pixels.size()) == image.height * image.width * image.channels,
               "[encode_png] ", image.height, "x", image.width, "x", image.channels, " with ", image.pixels.size(),
               " bytes is not an image");
  std::string bytes;
  const auto append = [](void* out, void* data, int size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<size_t>(size));
  };
  const int ok = stbi_write_png_to_func(append, &bytes, static_cast<int>(image.width), static_cast<int>(image.height),
                                        static_cast<int>(image.channels), image.pixels.data(), 0);
  check<Error>(ok != 0, "[encode_png] out of memory");
  return bytes;
}

void write_png(const std::string& path, const Image& image) { nn::write_file_atomically(path, encode_png(image)); }

Image with_channels(const Image& image, int64_t channels) {
  if (image.channels == channels) return image;
  Image out{image.height, image.width, channels, {}};
  const uint8_t* pixel = image.pixels.data();
  for (int64_t i = 0; i < image.height * image.width; i++, pixel += image.channels) {
    if (channels == 3) {
      out.pixels.insert(out.pixels.end(), 3, *pixel);
    } else {
      out.pixels.push_back(static_cast<uint8_t>((pixel[0] * 77 + pixel[1] * 150 + pixel[2] * 29) >> 8));
    }
  }
  return out;
}

Image centre_crop(const Image& image) {
  if (image.height == image.width) return image;
  const int64_t side = std::min(image.height, image.width);
  const int64_t top = (image.height - side) / 2, left = (image.width - side) / 2;
  Image square{side, side, image.channels, {}};
  square.pixels.reserve(static_cast<size_t>(side * side * image.channels));
  for (int64_t row = top; row < top + side; row++) {
    const uint8_t* from = &image.pixels[static_cast<size_t>((row * image.width + left) * image.channels)];
    square.pixels.insert(square.pixels.end(), from, from + side * image.channels);
  }
  return square;
}

Image resize(const Image& image, int64_t height, int64_t width) {
  check<ShapeError>(height > 0 && width > 0, "[resize] to ", height, "x", width);
  if (image.height == height && image.width == width) return image;
  std::vector<float> x(image.pixels.begin(), image.pixels.end());        // (h, w, c)
  x = resize_axis(x, image.height, image.width, image.channels, width);  // (h, width, c)
  x = resize_axis(x, 1, image.height, width * image.channels, height);   // (height, width, c)
  Image out{height, width, image.channels, std::vector<uint8_t>(x.size())};
  std::transform(x.begin(), x.end(), out.pixels.begin(),
                 [](float value) { return static_cast<uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)); });
  return out;
}

uint8_t to_byte(double value) {
  if (!(value > -1)) return 0;
  return value < 1 ? static_cast<uint8_t>((value + 1) * 127.5 + 0.5) : 255;
}

void to_sample(const Image& image, float* sample) {
  std::transform(image.pixels.begin(), image.pixels.end(), sample,
                 [](uint8_t pixel) { return static_cast<float>(pixel) / 127.5f - 1.0f; });
}

Image grid(const Tensor& images, int64_t columns) {
  check<ShapeError>(images.rank() == 4 && images.size(0) > 0 && (images.size(3) == 1 || images.size(3) == 3),
                    "[grid] expects images (N, H, W, 1 or 3), got ", images.shape());
  check<ShapeError>(columns > 0, "[grid] needs at least one column, got ", columns);
  constexpr int64_t border = 2;
  const int64_t n = images.size(0), h = images.size(1), w = images.size(2), c = images.size(3);
  const int64_t across = std::min(columns, n), down = (n + across - 1) / across;
  Image picture = blank(down * (h + border) - border, across * (w + border) - border, c);
  const std::vector<double> values = images.to_vector();
  const double* value = values.data();
  for (int64_t i = 0; i < n; i++) {
    const int64_t top = i / across * (h + border), left = i % across * (w + border);
    for (int64_t row = 0; row < h; row++, value += w * c)
      std::transform(value, value + w * c, pixel(picture, top + row, left), to_byte);
  }
  return picture;
}

Image scatter(const Tensor& points, double extent, int64_t side) {
  check<ShapeError>(points.rank() == 2 && points.size(1) == 2, "[scatter] expects points (N, 2), got ", points.shape());
  check<ShapeError>(extent > 0 && side > 0, "[scatter] extent ", extent, " and side ", side, " must be positive");
  // A point tints a dot of 3x3 pixels, and each further point on them tints them more: density shows.
  constexpr double tint[3] = {0.55, 0.7, 0.9};
  Image picture = blank(side, side, 3);
  const std::vector<double> values = points.to_vector();
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    const double x = (values[i] / extent + 1) / 2 * static_cast<double>(side);
    const double y = (1 - values[i + 1] / extent) / 2 * static_cast<double>(side);  // upwards
    const auto inside = [&](double at) { return at >= 0 && at < static_cast<double>(side); };
    if (!inside(x) || !inside(y)) continue;
    const auto column = static_cast<int64_t>(x), row = static_cast<int64_t>(y);
    for (int64_t r = std::max<int64_t>(0, row - 1); r <= std::min(side - 1, row + 1); r++)
      for (int64_t k = std::max<int64_t>(0, column - 1); k <= std::min(side - 1, column + 1); k++)
        for (int64_t channel = 0; channel < 3; channel++) {
          uint8_t& level = pixel(picture, r, k)[channel];
          level = static_cast<uint8_t>(level * tint[channel]);
        }
  }
  return picture;
}

Image picture(const Tensor& samples, int64_t columns) {
  constexpr double extent = 5;
  if (samples.rank() == 2) return scatter(samples, extent);
  const double square = std::ceil(std::sqrt(static_cast<double>(samples.size(0))));
  return grid(samples, columns > 0 ? columns : static_cast<int64_t>(square));
}

}  // namespace forger::gan
