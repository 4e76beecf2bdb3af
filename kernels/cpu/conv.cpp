// The convolution triangle as implicit matrix products on the packed core of gemm.h.
//
//   image (n, h, w, c)   map (n, oh, ow, oc)   weight (oc, kh, kw, c)   K = kh*kw*c
//
//   conv2d             map    (n*oh*ow, oc) = patches (n*oh*ow, K) x weight^T      patches gathered while packing A
//   conv_weight_grad   weight (oc, K)       = map^T x patches (n*oh*ow, K)         patches gathered while packing B
//   conv_transpose2d   image, by phase
//
// By phase: the pixels with the same (y + pad_h) mod stride_h and (x + pad_w) mod stride_w see the same taps of the
// kernel, so each of these stride_h*stride_w phases is a stride-1 convolution of the map with its taps alone. Nothing
// is multiplied by an inserted zero, and every pixel is written once:
//
//   pixels of a phase (rows, c) = patches of the map (rows, taps*oc) x weight of the taps (taps*oc, c)
//
// In NHWC a row of a window is one contiguous run of kw*c numbers, which is why patches cost little more than a copy.
// Where the window covers the whole image (first layer of a generator, last of a discriminator), a patch *is* the image
// and all three are plain matrix products. Layers of whole vectors of channels go by Winograd's algorithm
// (winograd.cpp) instead, and images of up to four channels without packing (thin_conv.cpp).
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/thin_conv.h"
#include "kernels/cpu/winograd.h"
#include "kernels/plain_conv.h"

namespace forger::kernels {
namespace {

using gemm::FinishedOut;
using gemm::Matrix;
using gemm::MatrixOut;
using gemm::Operand;
using gemm::Range;

// a / b for a >= 0, b > 0. Indices nearly always fit in 32 bits, whose division takes a fraction of the time.
int64_t quotient(int64_t a, int64_t b) {
  return ((a | b) >> 32) == 0 ? static_cast<uint32_t>(a) / static_cast<uint32_t>(b) : a / b;
}

// A grid of (rows, cols) windows of (kh, kw) pixels over each image (n, h, w, c), the first at pixel (top, left).
struct Windows {
  int64_t h, w, c;
  int64_t rows, cols;
  int64_t kh, kw, stride_h, stride_w;
  int64_t top, left;
};

// The virtual matrix of gathered patches: row (n, p, q), column (i, j, c). Each row of a window is one run of the
// image; where the window sticks out, pixels are zeros.
template <class T>
struct Patches {
  T* image;
  Windows s;

  struct Cursor {
    Windows s;
    T* window;  // pixel (y, x, 0), inside the image or not
    int64_t p, q, y, x;
    int64_t inside, outside;  // of a row of the window, the elements [inside, outside) lie in the image
    bool whole;               // all of the window lies in the image

    void place() {
      inside = std::clamp<int64_t>(-x, 0, s.kw) * s.c;
      outside = std::clamp<int64_t>(s.w - x, 0, s.kw) * s.c;
      whole = inside == 0 && outside == s.kw * s.c && y >= 0 && y + s.kh <= s.h;
    }

    void next() {
      q++;
      x += s.stride_w;
      window += s.stride_w * s.c;
      if (q == s.cols) next_line();
      place();
    }

    void next_line() {
      window += (s.stride_h * s.w - q * s.stride_w) * s.c;
      q = 0;
      x = s.left;
      p++;
      y += s.stride_h;
      if (p < s.rows) return;
      window += (s.h - p * s.stride_h) * s.w * s.c;
      p = 0;
      y = s.top;
    }

    template <class Emit>
    void runs(int64_t col, int64_t count, const Emit& emit) const {
      const int64_t width = s.kw * s.c, line = s.w * s.c;
      int64_t i = col == 0 ? 0 : quotient(col, width), begin = col - i * width;
      for (int64_t offset = 0; offset < count; i++, begin = 0) {
        const int64_t end = std::min(width, begin + count - offset);
        if (whole) {
          emit(offset, window + i * line + begin, end - begin);
        } else {
          edge_runs(i, begin, end, offset, emit);
        }
        offset += end - begin;
      }
    }

    // A row of a window that sticks out: zeros, pixels, zeros.
    template <class Emit>
    void edge_runs(int64_t i, int64_t begin, int64_t end, int64_t offset, const Emit& emit) const {
      const bool row_inside = y + i >= 0 && y + i < s.h;
      const int64_t first = row_inside ? std::clamp(inside, begin, end) : end, last = std::clamp(outside, first, end);
      if (begin < first) emit(offset, static_cast<T*>(nullptr), first - begin);
      if (first < last) emit(offset + first - begin, window + i * s.w * s.c + first, last - first);
      if (last < end) emit(offset + last - begin, static_cast<T*>(nullptr), end - last);
    }
  };
  Cursor at(int64_t row) const {
    const int64_t line = quotient(row, s.cols), n = quotient(line, s.rows), p = line - n * s.rows,
                  q = row - line * s.cols;
    const int64_t y = s.top + p * s.stride_h, x = s.left + q * s.stride_w;
    Cursor cursor{s, image + ((n * s.h + y) * s.w + x) * s.c, p, q, y, x, 0, 0, false};
    cursor.place();
    return cursor;
  }
};

template <class T>
Patches<T> patches_of(const ConvShape& s, T* image) {
  return {image, {s.h, s.w, s.c, s.oh, s.ow, s.kh, s.kw, s.stride_h, s.stride_w, -s.pad_h, -s.pad_w}};
}

template <class T, class Out>
void convolve(const ConvShape& s, const T* image, const T* weight, const Out& out) {
  const int64_t k = s.kh * s.kw * s.c, pixels = s.n * s.oh * s.ow;
  const Operand<Matrix<const T>> filters{{weight, k}, true};
  const bool pointwise = s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0;
  with_simd([&](auto bytes) {
    if (window_is_image(s) || pointwise) {  // the patches are the image as it lies there
      gemm::multiply<T, bytes>(pixels, s.oc, k, Operand<Matrix<const T>>{{image, k}}, filters, out);
    } else {
      gemm::multiply<T, bytes>(pixels, s.oc, k, Operand<Patches<const T>>{patches_of(s, image)}, filters, out);
    }
  });
}

// ---- phases of the transposed convolution ---------------------------------------------------------------------------

// One axis of one phase. An image coordinate x and a tap i meet at the map coordinate p where x + pad = p*stride + i.
struct Phase {
  int64_t first, count;  // image coordinates first, first + stride, ...
  int64_t tap, taps;     // taps tap, tap + stride, ...
  int64_t origin;        // map coordinate that the last tap meets at `first`; tap a meets origin + taps - 1 - a

  Phase(int64_t index, int64_t size, int64_t kernel, int64_t stride, int64_t pad)
      : first(index),
        count((size - index + stride - 1) / stride),
        tap((index + pad) % stride),
        taps((kernel - tap + stride - 1) / stride),
        origin((index + pad) / stride - taps + 1) {}
};

// The taps of a phase as a virtual matrix: row (a, b, o), column c. Taps run backwards, so that the map runs forwards.
template <class T>
struct PhaseWeight {
  const T* weight;
  int64_t oc, c, kh, kw, stride_h, stride_w;
  Phase v, h;

  struct Cursor {
    const PhaseWeight& phase;
    int64_t a, b, o;
    void next() {
      if (++o < phase.oc) return;
      o = 0;
      if (++b < phase.h.taps) return;
      b = 0;
      a++;
    }
    template <class Emit>
    void runs(int64_t col, int64_t count, const Emit& emit) const {
      const int64_t i = phase.v.tap + (phase.v.taps - 1 - a) * phase.stride_h;
      const int64_t j = phase.h.tap + (phase.h.taps - 1 - b) * phase.stride_w;
      emit(int64_t{0}, phase.weight + ((o * phase.kh + i) * phase.kw + j) * phase.c + col, count);
    }
  };
  Cursor at(int64_t row) const {
    const int64_t t = quotient(row, oc), a = quotient(t, h.taps);
    return {*this, a, t - a * h.taps, row - t * oc};
  }
};

// The pixels of a phase as rows of the product.
template <class T>
struct PhaseOut {
  T* image;
  int64_t height, width, c, stride_h, stride_w;
  Phase v, h;
  void rows(int64_t row, int64_t count, T** pointers) const {
    const int64_t line = quotient(row, h.count);
    int64_t n = quotient(line, v.count), y = line - n * v.count, x = row - line * h.count;
    for (int64_t i = 0; i < count; i++) {
      pointers[i] = image + ((n * height + v.first + y * stride_h) * width + h.first + x * stride_w) * c;
      if (++x < h.count) continue;
      x = 0;
      if (++y < v.count) continue;
      y = 0;
      n++;
    }
  }
};

template <class T, int Bytes>
void transpose_by_phase(const ConvShape& s, const T* map, const T* weight, T* image) {
  for (int64_t y = 0; y < std::min(s.stride_h, s.h); y++) {
    for (int64_t x = 0; x < std::min(s.stride_w, s.w); x++) {
      const Phase v(y, s.h, s.kh, s.stride_h, s.pad_h), h(x, s.w, s.kw, s.stride_w, s.pad_w);
      const Patches<const T> patches{map,
                                     {s.oh, s.ow, s.oc, v.count, h.count, v.taps, h.taps, 1, 1, v.origin, h.origin}};
      const PhaseWeight<T> taps{weight, s.oc, s.c, s.kh, s.kw, s.stride_h, s.stride_w, v, h};
      gemm::multiply<T, Bytes>(s.n * v.count * h.count, s.c, v.taps * h.taps * s.oc, Operand<Patches<const T>>{patches},
                               Operand<PhaseWeight<T>>{taps},
                               PhaseOut<T>{image, s.h, s.w, s.c, s.stride_h, s.stride_w, v, h});
    }
  }
}

}  // namespace

template <class T>
void Cpu<T>::conv2d(const ConvShape& s, const T* image, const Wide* weight, T* map) {
  if (winograd_conv2d<T>(s, image, weight, nullptr, map) || thin_conv2d<T>(s, image, weight, nullptr, map)) return;
  convolve(s, image, weight, MatrixOut<T>{map, s.oc});
}

template <class T>
void Cpu<T>::conv2d_bias(const ConvShape& s, const T* image, const Wide* weight, const Wide* bias, Activation act,
                         Wide slope, T* map) {
  const BiasActivation<T> epilogue{bias, act, slope};
  if (winograd_conv2d(s, image, weight, &epilogue, map) || thin_conv2d(s, image, weight, &epilogue, map)) return;
  convolve(s, image, weight, FinishedOut<T>{{map, s.oc}, epilogue, s.kh * s.kw * s.c});
}

template <class T>
void Cpu<T>::conv_transpose2d(const ConvShape& s, const T* map, const Wide* weight, T* image) {
  if (window_is_image(s)) return matmul(plain(s.n, s.kh * s.kw * s.c, s.oc, false, false), map, weight, image);
  if (winograd_conv_transpose2d(s, map, weight, image) || thin_conv_transpose2d(s, map, weight, image)) return;
  with_simd([&](auto bytes) { transpose_by_phase<T, bytes>(s, map, weight, image); });
}

// The product is deep: a step per pixel of the map. Where it is small too, each thread sums a share of the depth, and
// the partial sums are added in the order of the threads.
template <class T>
void Cpu<T>::conv_weight_grad(const ConvShape& s, const T* image, const T* map, Wide* weight) {
  const int64_t k = s.kh * s.kw * s.c, depth = s.n * s.oh * s.ow, size = s.oc * k;
  if (window_is_image(s)) return matmul(plain(s.oc, k, s.n, true, false), map, image, weight);
  if (winograd_weight_grad(s, image, map, weight) || thin_weight_grad(s, image, map, weight)) return;
  const Operand<Matrix<const T>> a{{map, s.oc}, true};
  const Operand<Patches<const T>> b{patches_of(s, image)};
  const int count = gemm::useful_threads(double(size) * double(depth));
  constexpr int64_t deep = 16;  // weights per step of depth up to which sharing the depth beats sharing the rows
  with_simd([&](auto bytes) {
    if (count == 1 || depth * deep < size) {
      return gemm::multiply<T, bytes>(s.oc, k, depth, a, b, MatrixOut<T>{weight, k});
    }
    T* const partial =
        static_cast<T*>(scratch(Scratch::partial_sums, static_cast<size_t>(size * (count - 1)) * sizeof(T)));
    parallel_jobs(count, [&](int64_t t) {
      MatrixOut<T> out{t == 0 ? weight : partial + size * (t - 1), k};
      gemm::multiply_serial<T, bytes>(s.oc, k, Range{0, depth}.part(t, count), a, b, out);
    });
    parallel_for(size, 4096, [&](int64_t begin, int64_t end) {
      for (int t = 1; t < count; t++) {
        const T* const share = partial + size * (t - 1);
        for (int64_t i = begin; i < end; i++) weight[i] += share[i];
      }
    });
  });
}

FORGER_KERNEL(Cpu, conv2d);
FORGER_KERNEL(Cpu, conv2d_bias);
FORGER_KERNEL(Cpu, conv_transpose2d);
FORGER_KERNEL(Cpu, conv_weight_grad);

}  // namespace forger::kernels
