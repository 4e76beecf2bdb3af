// Four ways to 299 x 299, all separable: each output position weighs a few input pixels along an axis, and the result
// is the two axes one after the other, columns first. With s = in/out and output position o:
//
//   tf         u = o*s                    pixels floor(u), floor(u) + 1          weights 1 - frac(u), frac(u)
//   pytorch    u = max(0, (o+1/2)*s-1/2)  the same                               the same
//   clean      c = (o+1/2)*s, f = max(s, 1), pixels i within r*f of c, w = filter((i + 1/2 - c) / f), normalised:
//                                         Keys' cubic, a = -1/2, r = 2
//   friendly                              the same with the triangle 1 - |t|, r = 1, in fixed point of 22 bits, rounded
//                                         to 8 bits after each axis
//
// Rounding in between makes the order of the axes matter, by one level at most: columns first is what Pillow did up to
// version 12. Pillow 13 begins with the rows where the height shrinks more (its pull request 9549).
//
// The first two look at two pixels however much they shrink: aliasing is part of the convention. Positions are computed
// in float there, as TensorFlow and PyTorch do. An axis of 299 pixels gets weights of exactly 1: it stays as it is.
#include "metrics/preprocess.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace forger::metrics {
namespace {

using gan::Image;

constexpr int64_t side = inception_side;

// ---- weights along an axis ----

// out[o] = sum over k < count of weights[k] * in[first + k]
template <class W>
struct Taps {
  int64_t first, count;
  const W* weights;
};

template <class W>
class Axis {
 public:
  void begin(int64_t first) {
    first_.push_back(first);
    offsets_.push_back(std::ssize(weights_));
  }
  void add(W weight) { weights_.push_back(weight); }
  Taps<W> operator[](int64_t o) const {
    const auto at = static_cast<size_t>(o);
    const int64_t end = at + 1 < offsets_.size() ? offsets_[at + 1] : std::ssize(weights_);
    return {first_[at], end - offsets_[at], weights_.data() + offsets_[at]};
  }

 private:
  std::vector<int64_t> first_, offsets_;  // of each output position
  std::vector<W> weights_;
};

Axis<float> two_pixels(int64_t in, bool half_pixel_centres) {
  const float scale = static_cast<float>(in) / static_cast<float>(side);
  Axis<float> axis;
  for (int64_t o = 0; o < side; o++) {
    const auto at = static_cast<float>(o);
    const float u = half_pixel_centres ? std::max(0.0f, (at + 0.5f) * scale - 0.5f) : at * scale;
    const int64_t low = std::min(static_cast<int64_t>(u), in - 1);
    const float fraction = u - static_cast<float>(low);
    axis.begin(low);
    axis.add(low + 1 < in ? 1 - fraction : 1);
    if (low + 1 < in) axis.add(fraction);
  }
  return axis;
}

double triangle(double t) { return std::max(0.0, 1 - std::abs(t)); }

// Keys 1981, "Cubic convolution interpolation for digital image processing", a = -1/2.
double cubic(double t) {
  constexpr double a = -0.5;
  t = std::abs(t);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0;
}

float in_format(double weight, float) { return static_cast<float>(weight); }

// Pillow's fixed point for 8-bit channels: 22 bits of fraction leave two for what a filter may overshoot, and a sign.
constexpr int fraction_bits = 22;
int32_t in_format(double weight, int32_t) {
  return static_cast<int32_t>(std::lround(std::ldexp(weight, fraction_bits)));
}

template <class W>
Axis<W> antialiased(int64_t in, double (*filter)(double), double radius) {
  const double scale = static_cast<double>(in) / static_cast<double>(side), stretch = std::max(scale, 1.0);
  Axis<W> axis;
  std::vector<double> weights;
  for (int64_t o = 0; o < side; o++) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const auto rounded = [&](double x) { return std::clamp<int64_t>(static_cast<int64_t>(x + 0.5), 0, in); };
    const int64_t first = rounded(std::max(0.0, centre - radius * stretch)), end = rounded(centre + radius * stretch);
    double sum = 0;
    weights.clear();
    for (int64_t i = first; i < end; i++) {
      weights.push_back(filter((static_cast<double>(i) + 0.5 - centre) / stretch));
      sum += weights.back();
    }
    axis.begin(first);
    for (const double weight : weights) axis.add(in_format(weight / sum, W()));
  }
  return axis;
}

// ---- one axis after the other ----

void finish(float sum, float& out) { out = sum; }
void finish(int32_t sum, uint8_t& out) {
  constexpr int32_t half = 1 << (fraction_bits - 1);
  out = static_cast<uint8_t>(std::clamp((sum + half) >> fraction_bits, 0, 255));
}

// rows (h, w, C) -> (h, side, C)
template <int C, class W, class Out>
void resize_columns(const Axis<W>& axis, const uint8_t* rows, int64_t h, int64_t w, Out* out) {
  for (int64_t y = 0; y < h; y++, rows += w * C) {
    for (int64_t o = 0; o < side; o++, out += C) {
      const Taps<W> taps = axis[o];
      const uint8_t* pixel = rows + taps.first * C;
      W sums[C] = {};
      for (int64_t k = 0; k < taps.count; k++, pixel += C)
        for (int c = 0; c < C; c++) sums[c] += taps.weights[k] * static_cast<W>(pixel[c]);
      for (int c = 0; c < C; c++) finish(sums[c], out[c]);
    }
  }
}

// One row of the result: the weighted sum of rows of n numbers, `in` the first of them.
template <class W, class In>
void resize_row(const Taps<W>& taps, const In* in, int64_t n, W* __restrict sums, In* __restrict out) {
  std::fill_n(sums, n, W(0));
  for (int64_t k = 0; k < taps.count; k++, in += n) {
    const W weight = taps.weights[k];
    for (int64_t i = 0; i < n; i++) sums[i] += weight * static_cast<W>(in[i]);
  }
  for (int64_t i = 0; i < n; i++) finish(sums[i], out[i]);
}

// (image, C) -> (side, side, 3), levels mapped to (level - shift) / scale
struct Range {
  float shift, scale;
};

template <int C, class Out, class W>
void resize(const Image& image, const Axis<W>& columns, const Axis<W>& rows, Range range, float* out) {
  constexpr int64_t n = side * C;
  std::vector<Out> narrow(static_cast<size_t>(image.height * n));
  resize_columns<C>(columns, image.pixels.data(), image.height, image.width, narrow.data());
  std::vector<W> sums(n);
  std::vector<Out> row(n);
  for (int64_t o = 0; o < side; o++) {
    const Taps<W> taps = rows[o];
    resize_row(taps, narrow.data() + taps.first * n, n, sums.data(), row.data());
    for (const Out level : row) {
      // The clip is clean-fid's: the cubic overshoots. Everything else is inside anyway.
      const float x = (std::clamp(static_cast<float>(level), 0.0f, 255.0f) - range.shift) / range.scale;
      for (int c = 0; c < 3 / C; c++) *out++ = x;  // a grey level goes to all three channels
    }
  }
}

template <class Out, class W>
void resize(const Image& image, const Axis<W>& columns, const Axis<W>& rows, Range range, float* out) {
  image.channels == 1 ? resize<1, Out>(image, columns, rows, range, out)
                      : resize<3, Out>(image, columns, rows, range, out);
}

constexpr const char* names[] = {"tf", "pytorch", "clean", "friendly"};

}  // namespace

const char* name_of(Convention convention) { return names[static_cast<size_t>(convention)]; }

Convention find_convention(const std::string& name) {
  std::string known;
  for (const Convention convention : all_conventions) {
    if (name == name_of(convention)) return convention;
    known += text(known.empty() ? "" : ", ", name_of(convention));
  }
  throw UsageError(text("the convention '", name, "' is not known; there are: ", known));
}

void inception_input(const Image& image, Convention convention, float* out) {
  const int64_t h = image.height, w = image.width;
  check<ShapeError>(h > 0 && w > 0 && (image.channels == 1 || image.channels == 3) &&
                        std::ssize(image.pixels) == h * w * image.channels,
                    "[inception_input] ", h, "x", w, "x", image.channels, " with ", image.pixels.size(),
                    " bytes is not an image of 1 or 3 channels");
  constexpr Range by_128{128, 128}, by_127{127.5, 127.5};
  switch (convention) {
    case Convention::tf:
      return resize<float>(image, two_pixels(w, false), two_pixels(h, false), by_128, out);
    case Convention::pytorch:
      return resize<float>(image, two_pixels(w, true), two_pixels(h, true), by_127, out);
    case Convention::clean:
      return resize<float>(image, antialiased<float>(w, cubic, 2), antialiased<float>(h, cubic, 2), by_128, out);
    case Convention::friendly:
      return resize<uint8_t>(image, antialiased<int32_t>(w, triangle, 1), antialiased<int32_t>(h, triangle, 1), by_127,
                             out);
  }
}

}  // namespace forger::metrics
