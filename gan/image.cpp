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

#include "core/file.h"
#include "core/ops.h"

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

void write_png(const std::string& path, const Image& image) { write_file(path, encode_png(image)); }

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

Image centre_crop(const Image& image, int64_t height, int64_t width) {
  const auto part = [](int64_t other, int64_t a, int64_t b) {  // other * a / b, rounded
    return std::max<int64_t>(1, (2 * other * a + b) / (2 * b));
  };
  Image out{image.height, image.width, image.channels, {}};
  if (image.width * height > image.height * width)
    out.width = std::min(image.width, part(image.height, width, height));
  else
    out.height = std::min(image.height, part(image.width, height, width));
  if (out.height == image.height && out.width == image.width) return image;
  const int64_t top = (image.height - out.height) / 2, left = (image.width - out.width) / 2;
  out.pixels.reserve(static_cast<size_t>(out.height * out.width * image.channels));
  for (int64_t row = top; row < top + out.height; row++) {
    const uint8_t* from = &image.pixels[static_cast<size_t>((row * image.width + left) * image.channels)];
    out.pixels.insert(out.pixels.end(), from, from + out.width * image.channels);
  }
  return out;
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

namespace {

constexpr int64_t border = 2;  // white pixels between the cells of a grid

// A white picture with room for `count` images of that shape, (N, H, W, C).
Image empty_grid(int64_t count, const Shape& images, int64_t columns) {
  check<ShapeError>(images.rank() == 4 && images[0] > 0 && (images[3] == 1 || images[3] == 3),
                    "[grid] expects images (N, H, W, 1 or 3), got ", images);
  check<ShapeError>(columns > 0, "[grid] needs at least one column, got ", columns);
  const int64_t across = std::min(columns, count), down = (count + across - 1) / across;
  const int64_t height = down * (images[1] + border) - border, width = across * (images[2] + border) - border;
  constexpr int64_t most_bytes = int64_t{1} << 30;
  check<UsageError>(height <= most_bytes / (width * images[3]), "a grid of ", count, " images would have ", width, "x",
                    height, " pixels, which is too much for one picture");
  return blank(height, width, images[3]);
}

// Images (N, H, W, C) into the cells from `first` on of a grid of that many columns.
void fill_cells(Image& grid, const Tensor& images, int64_t first, int64_t columns) {
  const int64_t n = images.size(0), h = images.size(1), w = images.size(2), c = images.size(3);
  const std::vector<double> values = images.to_vector();
  const double* value = values.data();
  for (int64_t i = first; i < first + n; i++) {
    const int64_t top = i / columns * (h + border), left = i % columns * (w + border);
    for (int64_t row = 0; row < h; row++, value += w * c)
      std::transform(value, value + w * c, pixel(grid, top + row, left), to_byte);
  }
}

int64_t columns_for(int64_t count, int64_t columns) {
  if (columns > 0) return columns;
  return static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));  // about square
}

}  // namespace

Image grid(const Tensor& images, int64_t columns) {
  Image picture = empty_grid(images.size(0), images.shape(), columns);
  fill_cells(picture, images, 0, std::min(columns, images.size(0)));
  return picture;
}

namespace {

// A point tints a dot of 3x3 pixels, and each further point on them tints them more: density shows.
void add_dots(Image& picture, const Tensor& points, double extent) {
  check<ShapeError>(points.rank() == 2 && points.size(1) == 2, "[scatter] expects points (N, 2), got ", points.shape());
  constexpr double tint[3] = {0.55, 0.7, 0.9};
  const int64_t side = picture.height;
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
}

void check_plot(double extent, int64_t side) {
  check<ShapeError>(extent > 0 && side > 0, "[scatter] extent ", extent, " and side ", side, " must be positive");
}

}  // namespace

Image scatter(const Tensor& points, double extent, int64_t side) {
  check_plot(extent, side);
  Image picture = blank(side, side, 3);
  add_dots(picture, points, extent);
  return picture;
}

Image scatter_over(const Tensor& levels, const Tensor& points, double extent, int64_t side) {
  check_plot(extent, side);
  check<ShapeError>(levels.rank() == 2 && levels.size(0) == levels.size(1),
                    "[scatter_over] expects levels (n, n), got ", levels.shape());
  constexpr double bands = 12, low[3] = {255, 246, 236}, high[3] = {206, 222, 245};
  const int64_t n = levels.size(0);
  const Tensor fine = upsample_bilinear(reshape(cast(to(levels, Device::cpu), DType::f64), {1, n, n, 1}), side, side);
  std::vector<double> values = fine.to_vector(), sorted = values;
  std::erase_if(sorted, [](double x) { return !std::isfinite(x); });
  std::ranges::sort(sorted);
  Image picture = blank(side, side, 3);
  // Bands are of equal height between the second and the last but one percent: a spike far out does not flatten all.
  const auto at = [&](double share) {
    return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  const double from = sorted.empty() ? 0 : at(0.02), range = sorted.empty() ? 0 : at(0.98) - from;
  const auto band = [&](int64_t row, int64_t column) {
    const double share = (values[static_cast<size_t>(row * side + column)] - from) / (range > 0 ? range : 1);
    return std::isfinite(share) ? std::floor(std::clamp(share, 0.0, 1.0) * bands) : 0.0;
  };
  for (int64_t row = 0; row < side; row++)
    for (int64_t column = 0; column < side; column++) {
      const double here = band(row, column), share = std::min(here, bands - 1) / (bands - 1);
      const bool line =
          (row + 1 < side && band(row + 1, column) != here) || (column + 1 < side && band(row, column + 1) != here);
      for (int64_t channel = 0; channel < 3; channel++)
        pixel(picture, row, column)[channel] =
            static_cast<uint8_t>((low[channel] + share * (high[channel] - low[channel])) * (line ? 0.88 : 1));
    }
  add_dots(picture, points, extent);
  return picture;
}

Tensor cell_centres(int64_t n, double extent) {
  const Tensor centres({n * n, 2}, DType::f32);
  const auto middle = [&](int64_t i) {
    return static_cast<float>(extent * ((2 * static_cast<double>(i) + 1) / static_cast<double>(n) - 1));
  };
  for (int64_t row = 0; row < n; row++)
    for (int64_t column = 0; column < n; column++) {
      float* at = centres.data<float>() + 2 * (row * n + column);
      at[0] = middle(column);
      at[1] = middle(n - 1 - row);  // from the top
    }
  return centres;
}

Image picture(const Tensor& samples, int64_t columns) {
  PictureBuilder builder(samples.size(0), columns);
  builder.add(samples);
  return builder.picture();
}

Image picture(const Batch& made, int64_t columns) {
  std::vector<Tensor> images;
  int64_t channels = 0;
  for (const auto& [name, tensor] : made.tensors) {
    if (tensor.rank() != 4) continue;
    images.push_back(to(tensor, Device::cpu));
    channels = std::max(channels, tensor.size(3));
  }
  if (images.empty()) return picture(to(made.tensors.front().tensor, Device::cpu), columns);
  for (Tensor& image : images) {
    if (image.size(3) < channels) image = broadcast_to(image, {image.size(0), image.size(1), image.size(2), channels});
  }
  return picture(images.size() == 1 ? images.front() : concat(images, 2), columns);
}

Image stacked(const std::vector<Image>& images) {
  Image all;
  all.height = -border;
  all.channels = 1;
  for (const Image& image : images) {
    all.height += image.height + border;
    all.width = std::max(all.width, image.width);
    all.channels = std::max(all.channels, image.channels);
  }
  all = blank(all.height, all.width, all.channels);
  int64_t top = 0;
  for (const Image& each : images) {
    const Image image = with_channels(each, all.channels);
    const int64_t bytes = image.width * image.channels;
    for (int64_t row = 0; row < image.height; row++)
      std::copy_n(&image.pixels[static_cast<size_t>(row * bytes)], bytes, pixel(all, top + row, 0));
    top += image.height + border;
  }
  return all;
}

void PictureBuilder::add(const Tensor& samples) {
  check<ShapeError>(added_ + samples.size(0) <= count_, "[picture] more than ", count_, " samples");
  if (samples.rank() == 2) {
    points_.push_back(samples);
  } else {
    const int64_t columns = columns_for(count_, columns_);
    if (added_ == 0) grid_ = empty_grid(count_, samples.shape(), columns);
    fill_cells(grid_, samples, added_, std::min(columns, count_));
  }
  added_ += samples.size(0);
}

Image PictureBuilder::picture() const {
  check<Error>(added_ > 0, "[picture] of no samples");
  return points_.empty() ? grid_ : scatter(concat(points_, 0), plane_extent);
}

}  // namespace forger::gan
