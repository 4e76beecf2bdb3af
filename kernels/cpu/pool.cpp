// Pooling and resampling of NHWC images.
//
// Mean pooling, nearest and bilinear resizing, and the gradients of all three are linear and separable: output pixel
// (p, q) is a weighted sum over a few input rows and, independently, a few input columns,
//   y[n,p,q,:] = sum_{i in rows(p)} sum_{j in cols(q)} u_pi v_qj x[n,i,j,:].
// So each is described by two small sparse matrices (`Axis`: for every output position its taps), one routine applies
// any such pair, and the gradient is the same routine with both matrices transposed. The transpose gathers, rather than
// scatters, so threads share out output rows without conflicts and the order of additions is fixed.
//
//   mean pooling   taps: the cells of the window inside the image, each of weight 1/count (row count times column
//   count) nearest        one tap: floor(o * in / out) bilinear       half-pixel centres: s = max(0, (o + 1/2) in/out -
//   1/2), taps floor(s) and the next one (edges clamped)
//                  as torch.nn.functional.interpolate(align_corners=False)
//
// Vectorisation is over channels, accumulators in registers, all taps of a pixel at once; the last vector overlaps its
// neighbour, fewer channels than a vector go one by one. Memory traffic: each input pixel is read once per tap that
// uses it, from the cache but for the first time, and every result is written once.
//
// Max pooling returns where the maximum was, which is what its gradient needs: forward is a gather, backward a
// scatter_add.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace forger::kernels {
namespace {

struct Tap {
  int64_t from;
  double weight;
};

// A sparse (out, in) matrix: the taps of output o are taps[first[o]] .. taps[first[o + 1] - 1].
struct Axis {
  int64_t in = 0, out = 0;
  std::vector<int64_t> first = {0};
  std::vector<Tap> taps;

  Axis(int64_t in_size, int64_t out_size) : in(in_size), out(out_size) {}
  void add(int64_t from, double weight) {
    if (weight != 0) taps.push_back({from, weight});
  }
  void close_row() { first.push_back(static_cast<int64_t>(taps.size())); }
};

Axis transposed(const Axis& a) {
  std::vector<std::vector<Tap>> rows(static_cast<size_t>(a.in));
  for (int64_t o = 0; o < a.out; o++)
    for (int64_t i = a.first[o]; i < a.first[o + 1]; i++) rows[a.taps[i].from].push_back({o, a.taps[i].weight});
  Axis t(a.out, a.in);
  for (const auto& row : rows) {
    for (const Tap& tap : row) t.add(tap.from, tap.weight);
    t.close_row();
  }
  return t;
}

// Cells [begin, end) of the window of output o that lie inside the image.
struct Window {
  int64_t begin, end;
  Window(int64_t o, int64_t in, int64_t k, int64_t stride, int64_t pad)
      : begin(std::max<int64_t>(0, o * stride - pad)), end(std::min(in, o * stride - pad + k)) {}
};

Axis mean_axis(int64_t in, int64_t out, int64_t k, int64_t stride, int64_t pad) {
  Axis axis(in, out);
  for (int64_t o = 0; o < out; o++) {
    const Window window(o, in, k, stride, pad);
    for (int64_t i = window.begin; i < window.end; i++)
      axis.add(i, 1.0 / static_cast<double>(window.end - window.begin));
    axis.close_row();
  }
  return axis;
}

Axis resize_axis(Resize mode, int64_t in, int64_t out) {
  Axis axis(in, out);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  for (int64_t o = 0; o < out; o++) {
    if (mode == Resize::nearest) {
      axis.add(o * in / out, 1);
    } else {
      const double s = std::max(0.0, (static_cast<double>(o) + 0.5) * scale - 0.5);
      const int64_t low = std::min(static_cast<int64_t>(s), in - 1);
      const double fraction = s - static_cast<double>(low);
      if (low + 1 < in) {
        axis.add(low, 1 - fraction);
        axis.add(low + 1, fraction);
      } else {
        axis.add(low, 1);
      }
    }
    axis.close_row();
  }
  return axis;
}

// One pixel: y[c] = sum over taps of weight * pixel[c].
template <class T>
struct PixelTap {
  const T* pixel;
  T weight;
};
template <class V, class T>
V weighted_sum(const std::vector<PixelTap<T>>& taps, int64_t c) {
  V sum = load<V>(taps[0].pixel + c) * taps[0].weight;
  for (size_t i = 1; i < taps.size(); i++) sum += load<V>(taps[i].pixel + c) * taps[i].weight;
  return sum;
}
template <class T>
void apply_pixel(const std::vector<PixelTap<T>>& taps, int64_t channels, T* y) {
  using V = vec::Native<T>;
  using S = vec::One<T>;
  constexpr int64_t L = vec::lanes<V>;
  if (taps.empty()) {
    std::fill_n(y, channels, T(0));
  } else if (channels >= L) {
    for (int64_t c = 0; c < channels; c += L) {
      const int64_t at = std::min(c, channels - L);
      store(y + at, weighted_sum<V>(taps, at));
    }
  } else {
    for (int64_t c = 0; c < channels; c++) store(y + c, weighted_sum<S>(taps, c));
  }
}

// x (n, rows.in, cols.in, channels) -> y (n, rows.out, cols.out, channels)
template <class T>
void apply(const Axis& rows, const Axis& cols, int64_t n, int64_t channels, const T* x, T* y) {
  const int64_t line = cols.out * channels;
  parallel_for(n * rows.out, 16384 / (line + 1) + 1, [&](int64_t begin, int64_t end) {
    std::vector<PixelTap<T>> taps;
    for (int64_t i = begin; i < end; i++) {
      const T* image = x + i / rows.out * rows.in * cols.in * channels;
      const int64_t p = i % rows.out;
      for (int64_t q = 0; q < cols.out; q++) {
        taps.clear();
        for (int64_t r = rows.first[p]; r < rows.first[p + 1]; r++)
          for (int64_t c = cols.first[q]; c < cols.first[q + 1]; c++)
            taps.push_back({image + (rows.taps[r].from * cols.in + cols.taps[c].from) * channels,
                            static_cast<T>(rows.taps[r].weight * cols.taps[c].weight)});
        apply_pixel(taps, channels, y + i * line + q * channels);
      }
    }
  });
}

Axis mean_rows(const PoolShape& s) { return mean_axis(s.h, s.oh, s.kh, s.stride_h, s.pad_h); }
Axis mean_cols(const PoolShape& s) { return mean_axis(s.w, s.ow, s.kw, s.stride_w, s.pad_w); }

// First maxima of one window (a NaN is a maximum): index[k] for channels [c, c + count). `pixels`: where the cells of
// the window are, in order.
template <class T>
void window_maxima(const std::vector<int64_t>& pixels, const T* x, int64_t c, int64_t count, int64_t* index) {
  using Cell = vec::Element<vec::Mask<vec::Native<T>>>;  // an integer as wide as T, so that both are chosen by one mask
  constexpr int64_t strip = 64;
  T best[strip];
  Cell where[strip];
  for (int64_t k = 0; k < count; k++) {
    best[k] = x[pixels[0] + c + k];
    where[k] = 0;
  }
  for (size_t cell = 1; cell < pixels.size(); cell++) {
    const T* here = x + pixels[cell] + c;
    for (int64_t k = 0; k < count; k++) {
      const T v = here[k], b = best[k];
      const bool better = (v > b) | ((v != v) & (b == b));
      best[k] = better ? v : b;
      where[k] = better ? static_cast<Cell>(cell) : where[k];
    }
  }
  for (int64_t k = 0; k < count; k++) index[k] = pixels[where[k]] + c + k;
}

}  // namespace

template <class T>
void Cpu<T>::avg_pool2d(const PoolShape& s, const T* x, T* y) {
  apply(mean_rows(s), mean_cols(s), s.n, s.c, x, y);
}

template <class T>
void Cpu<T>::avg_pool2d_grad(const PoolShape& s, const T* gy, T* gx) {
  apply(transposed(mean_rows(s)), transposed(mean_cols(s)), s.n, s.c, gy, gx);
}

template <class T>
void Cpu<T>::max_pool2d_index(const PoolShape& s, const T* x, int64_t* index) {
  const int64_t line = s.ow * s.c;
  parallel_for(s.n * s.oh, 8192 / (line + 1) + 1, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> pixels;
    for (int64_t i = begin; i < end; i++) {
      const Window rows(i % s.oh, s.h, s.kh, s.stride_h, s.pad_h);
      for (int64_t q = 0; q < s.ow; q++) {
        const Window cols(q, s.w, s.kw, s.stride_w, s.pad_w);
        pixels.clear();
        for (int64_t row = rows.begin; row < rows.end; row++)
          for (int64_t col = cols.begin; col < cols.end; col++)
            pixels.push_back(((i / s.oh * s.h + row) * s.w + col) * s.c);
        for (int64_t c = 0; c < s.c; c += 64)
          window_maxima(pixels, x, c, std::min<int64_t>(64, s.c - c), index + i * line + q * s.c + c);
      }
    }
  });
}

template <class T>
void Cpu<T>::resize(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* x, T* y) {
  apply(resize_axis(mode, h, oh), resize_axis(mode, w, ow), n, c, x, y);
}

template <class T>
void Cpu<T>::resize_grad(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* gy,
                         T* gx) {
  apply(transposed(resize_axis(mode, h, oh)), transposed(resize_axis(mode, w, ow)), n, c, gy, gx);
}

FORGER_KERNEL(Cpu, avg_pool2d);
FORGER_KERNEL(Cpu, avg_pool2d_grad);
FORGER_KERNEL(Cpu, max_pool2d_index);
FORGER_KERNEL(Cpu, resize);
FORGER_KERNEL(Cpu, resize_grad);

}  // namespace forger::kernels
