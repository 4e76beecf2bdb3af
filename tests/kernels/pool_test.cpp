// Pooling and resizing against plain loops; each gradient as the exact transpose of its linear map.
#include <limits>

#include "tests/kernels/conv_reference.h"
#include "tests/kernels/pool_reference.h"
#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

const std::vector<PoolShape> pools = pools_and({pool(2, 9, 8, 130, 3, 3, 1), pool(8, 33, 31, 20, 2, 2, 0)});

// <A x, gy> = <x, A' gy>
template <class T>
void check_transpose(const std::vector<T>& x, const std::vector<T>& y, const std::vector<T>& gy,
                     const std::vector<T>& gx) {
  double forward = 0, backward = 0, size = 0;
  for (size_t i = 0; i < y.size(); i++) {
    forward += static_cast<double>(y[i]) * static_cast<double>(gy[i]);
    size += std::abs(static_cast<double>(y[i]) * static_cast<double>(gy[i]));
  }
  for (size_t i = 0; i < x.size(); i++) backward += static_cast<double>(x[i]) * static_cast<double>(gx[i]);
  CHECK(std::abs(forward - backward) <= 4 * epsilon<T> * (1 + size));
}

// torch.nn.functional.interpolate(align_corners=False), one output element.
double interpolated(Resize mode, const std::vector<double>& x, int64_t n, int64_t h, int64_t w, int64_t c, double oh,
                    double ow, double p, double q, int64_t channel) {
  const auto at = [&](int64_t i, int64_t j) {
    return x[((n * h + std::min(i, h - 1)) * w + std::min(j, w - 1)) * c + channel];
  };
  const double sy = static_cast<double>(h) / oh, sx = static_cast<double>(w) / ow;
  if (mode == Resize::nearest) return at(static_cast<int64_t>(p * sy + 1e-9), static_cast<int64_t>(q * sx + 1e-9));
  const double y = std::max(0.0, (p + 0.5) * sy - 0.5), z = std::max(0.0, (q + 0.5) * sx - 0.5);
  const int64_t i = static_cast<int64_t>(y), j = static_cast<int64_t>(z);
  const double a = y - static_cast<double>(i), b = z - static_cast<double>(j);
  return (1 - a) * ((1 - b) * at(i, j) + b * at(i, j + 1)) + a * ((1 - b) * at(i + 1, j) + b * at(i + 1, j + 1));
}

}  // namespace

TEST_CASE("average pooling and its gradient; padding does not count") {
  for_types([]<class T>(T) {
    for (const PoolShape& s : pools) {
      INFO("h " << s.h << ", w " << s.w << ", c " << s.c << ", kernel " << s.kh << ", stride " << s.stride_h);
      const int64_t in = s.n * s.h * s.w, out = s.n * s.oh * s.ow;
      const auto x = values<T>(in * s.c), gy = values<T>(out * s.c, -1, 1, 2);
      std::vector<double> counts(out), y_right(out * s.c), gx_right(in * s.c);
      for_cells(s, [&](int64_t o, int64_t, int64_t) { counts[o]++; });
      for_cells(s, [&](int64_t o, int64_t i, int64_t) {
        for (int64_t c = 0; c < s.c; c++) {
          y_right[o * s.c + c] += static_cast<double>(x[i * s.c + c]) / counts[o];
          gx_right[i * s.c + c] += static_cast<double>(gy[o * s.c + c]) / counts[o];
        }
      });
      std::vector<T> y = unwritten<T>(y_right.size()), gx = unwritten<T>(gx_right.size());
      Cpu<T>::avg_pool2d(s, x.data(), y.data());
      Cpu<T>::avg_pool2d_grad(s, gy.data(), gx.data());
      require_close(y, y_right, 8 * epsilon<T>);
      require_close(gx, gx_right, 8 * epsilon<T>);
    }
  });
}

TEST_CASE("max pooling finds the first maximum of each window, or its first NaN") {
  for_types([]<class T>(T) {
    for (const PoolShape& s : pools) {
      auto x = values<T>(s.n * s.h * s.w * s.c);
      for (T& v : x) v = std::round(v * 2);  // ties
      x[x.size() / 2] = std::numeric_limits<T>::quiet_NaN();
      std::vector<int64_t> index(s.n * s.oh * s.ow * s.c), right(index.size(), -1);
      for_cells(s, [&](int64_t o, int64_t i, int64_t) {
        for (int64_t c = 0; c < s.c; c++) {
          int64_t& best = right[o * s.c + c];
          const T v = x[i * s.c + c];
          if (best < 0 || (!std::isnan(x[best]) && (v > x[best] || std::isnan(v)))) best = i * s.c + c;
        }
      });
      Cpu<T>::max_pool2d_index(s, x.data(), index.data());
      CHECK(index == right);
    }
  });
}

TEST_CASE("resizing agrees with interpolate, and its gradient is the transpose") {
  for_types([]<class T>(T) {
    for (const ResizeSizes& s : resizes_and({{3, 16, 16, 65, 32, 32}})) {
      for (Resize mode : {Resize::nearest, Resize::bilinear}) {
        INFO("from " << s.h << "x" << s.w << " to " << s.oh << "x" << s.ow << ", mode " << static_cast<int>(mode));
        const auto x = values<T>(s.n * s.h * s.w * s.c), gy = values<T>(s.n * s.oh * s.ow * s.c, -1, 1, 2);
        std::vector<double> right;
        const auto wide = widened(x);
        for (int64_t n = 0; n < s.n; n++)
          for (int64_t p = 0; p < s.oh; p++)
            for (int64_t q = 0; q < s.ow; q++)
              for (int64_t c = 0; c < s.c; c++)
                right.push_back(interpolated(mode, wide, n, s.h, s.w, s.c, static_cast<double>(s.oh),
                                             static_cast<double>(s.ow), static_cast<double>(p), static_cast<double>(q),
                                             c));
        std::vector<T> y = unwritten<T>(gy.size()), gx = unwritten<T>(x.size());
        Cpu<T>::resize(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, x.data(), y.data());
        require_close(y, right, 4 * epsilon<T>);
        Cpu<T>::resize_grad(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, gy.data(), gx.data());
        check_transpose(x, y, gy, gx);
      }
    }
  });
}

TEST_CASE("bilinear upsampling by two has the known weights 1, 3/4 and 1/4") {
  const std::vector<double> x = {0, 4};
  std::vector<double> y(4);
  Cpu<double>::resize(Resize::bilinear, 1, 1, 2, 1, 1, 4, x.data(), y.data());
  CHECK(y == std::vector<double>{0, 1, 3, 4});
}
