// The convolution triangle as implicit matrix products on the tile main loop (tile.h); only the sources differ.
//
//   image (n, h, w, c)   map (n, oh, ow, oc)   weight (oc, kh, kw, c)   K = kh*kw*c
//
//   conv2d             map    (n*oh*ow, oc) = patches (n*oh*ow, K) x weight^T         by rows, by rows
//   conv_weight_grad   weight (oc, K)       = map^T x patches (n*oh*ow, K)            by depth, by depth
//   conv_transpose2d   pixels of a phase (rows, c)
//                        = patches of the map (rows, taps*oc) x taps (taps*oc, c)     by rows, by depth
//
// Phases: the pixels with the same (y + pad_h) mod stride_h and (x + pad_w) mod stride_w see the same taps of the
// kernel, so each of these stride_h*stride_w phases is a stride-1 convolution of the map with its taps alone. Nothing
// is multiplied by an inserted zero, and every pixel is written once. All phases are one launch.
//
// Where the window covers the whole image (first layer of a generator, last of a discriminator), a patch *is* the image
// and all three are plain matrix products.
//
// Of bfloat16 are images and maps; weights, and their gradients, are floats then.
//
// Operations: ConvShape::flops(). Bytes: a tile of 128x128 reads 2*128 numbers per 128*128 multiply-adds, mostly from
// the L2; the weight gradient, deep and small, writes and reads its splits besides.
#include "kernels/cuda/tile.h"
#include "kernels/plain_conv.h"

namespace forger::kernels {
namespace {

// ---- geometry in 32 bits --------------------------------------------------------------------------------------------

struct Geometry {
  int n, h, w, c, oh, ow, oc, kh, kw, stride_h, stride_w, pad_h, pad_w;
};

int narrow(int64_t size) {
  constexpr int64_t limit = int64_t{1} << 30;  // leaves room for the edges of tiles
  if (size > limit) throw DeviceError("convolution: more than 2^30 pixels, weights or numbers of one image");
  return static_cast<int>(size);
}

Geometry geometry_of(const ConvShape& s) {
  for (const int64_t product :
       {s.n * s.h * s.w, s.n * s.oh * s.ow, s.h * s.w * s.c, s.oh * s.ow * s.oc, s.oc * s.kh * s.kw * s.c})
    narrow(product);
  return {narrow(s.n),        narrow(s.h),     narrow(s.w),    narrow(s.c),  narrow(s.oh),
          narrow(s.ow),       narrow(s.oc),    narrow(s.kh),   narrow(s.kw), narrow(s.stride_h),
          narrow(s.stride_w), narrow(s.pad_h), narrow(s.pad_w)};
}

// ---- sources --------------------------------------------------------------------------------------------------------

// A grid of (rows, cols) windows of (kh, kw) pixels over each image (h, w, c), the first at pixel (top, left). The
// matrix has a line for each window (n, p, q) and a column for each of its numbers (i, j, c).
template <class T>
struct Patches {
  using Scalar = T;
  const T* image;
  int h, w, c, stride_h, stride_w, top, left;
  Divider<uint32_t> rows, cols, kw, channels;

  struct Line {
    const T* image;
    int y, x;
  };
  struct Column {
    int i, j, channel;
  };
  __device__ Line line(int index) const {
    const auto [window_line, q] = cols.divide(index);
    const auto [sample, p] = rows.divide(window_line);
    return {image + int64_t{sample} * (h * w * c), p * stride_h + top, q * stride_w + left};
  }
  __device__ Column column(int index) const {
    const auto [tap, channel] = channels.divide(index);
    const auto [i, j] = kw.divide(tap);
    return {i, j, channel};
  }
  __device__ const T* at(const Line& l, const Column& k) const {
    const int y = l.y + k.i, x = l.x + k.j;
    const bool inside =
        static_cast<unsigned>(y) < static_cast<unsigned>(h) && static_cast<unsigned>(x) < static_cast<unsigned>(w);
    return inside ? l.image + ((y * w + x) * c + k.channel) : nullptr;
  }
};

// One axis of one phase. An image coordinate x and a tap i meet at the map coordinate p where x + pad = p*stride + i.
struct Phase {
  int first, count;  // image coordinates first, first + stride, ...
  int tap, taps;     // taps tap, tap + stride, ...
  int origin;        // map coordinate that the last tap meets at `first`; tap a meets origin + taps - 1 - a

  __host__ __device__ Phase(int index, int size, int kernel, int stride, int pad)
      : first(index),
        count(ceil_div(size - index, stride)),
        tap((index + pad) % stride),
        taps(ceil_div(kernel - tap, stride)),
        origin((index + pad) / stride - taps + 1) {}
};

// The taps of a phase: a line for each (a, b, o), a column for each c. Taps run backwards, so that the map runs
// forwards.
template <class T>
struct PhaseWeight {
  using Scalar = T;
  const T* weight;
  int c, kh, kw, stride_h, stride_w;
  int last_i, last_j;  // the last taps
  Divider<uint32_t> oc, taps_h;

  __device__ const T* line(int index) const {
    const auto [tap, o] = oc.divide(index);
    const auto [a, b] = taps_h.divide(tap);
    return weight + ((o * kh + last_i - a * stride_h) * kw + last_j - b * stride_w) * c;
  }
  __device__ int column(int index) const { return index; }
  __device__ const T* at(const T* line, int column) const { return line + column; }
};

// The pixels of a phase as the rows of a product.
struct PhaseOut {
  int h, w, c, stride_h, stride_w, top, left;
  Divider<uint32_t> rows, cols;

  __device__ int64_t line(int row) const {
    const auto [line, x] = cols.divide(row);
    const auto [n, y] = rows.divide(line);
    return (int64_t{n} * h * w + (y * stride_h + top) * w + x * stride_w + left) * c;
  }
};

// ---- the three products ---------------------------------------------------------------------------------------------

// Whether runs of `channels` numbers from `data` on can be copied 16 bytes at a time.
template <class T>
bool in_packs(const T* data, int channels) {
  return packable(channels, data);
}

template <class T>
Patches<T> patches_of(const Geometry& g, const T* image) {
  return {image,
          g.h,
          g.w,
          g.c,
          g.stride_h,
          g.stride_w,
          -g.pad_h,
          -g.pad_w,
          Divider<uint32_t>(g.oh),
          Divider<uint32_t>(g.ow),
          Divider<uint32_t>(g.kw),
          Divider<uint32_t>(g.c)};
}

template <class T, class Epilogue>
void conv2d_with(const ConvShape& s, const T* image, const Wide<T>* weight, const Epilogue& epilogue, T* map) {
  const Geometry g = geometry_of(s);
  const int k = g.kh * g.kw * g.c;
  using Forward = Product<ByRows<Patches<T>>, ByRows<Matrix<Wide<T>>>, RowsOut, Epilogue>;
  run(Forward{.a = {patches_of(g, image), in_packs(image, g.c)},
              .b = {{weight, k}, in_packs(weight, g.c)},
              .out = {g.oc},
              .rows = g.n * g.oh * g.ow,
              .cols = g.oc,
              .depth = k,
              .epilogue = epilogue},
      map, s.n * s.oh * s.ow * s.oc);
}

// The phases of the transposed convolution, as the parts of one product.
template <class T>
struct Phases {
  using Left = T;
  using Right = Wide<T>;
  using Sum = Wide<T>;
  using Part = Product<ByRows<Patches<T>>, ByDepth<PhaseWeight<Right>>, PhaseOut>;
  Geometry g;
  ByRows<Patches<T>> a;  // what all phases have in common
  ByDepth<PhaseWeight<Right>> b;
  int rows, cols, depth, parts;
  Identity epilogue{};

  __device__ Part part(int index) const {
    const int phases_w = min(g.stride_w, g.w);
    const Phase v(index / phases_w, g.h, g.kh, g.stride_h, g.pad_h),
        h(index % phases_w, g.w, g.kw, g.stride_w, g.pad_w);
    const Divider<uint32_t> v_count(v.count), h_count(h.count), h_taps(h.taps);
    const PhaseOut out{g.h, g.w, g.c, g.stride_h, g.stride_w, v.first, h.first, v_count, h_count};
    Part p{a, b, out, g.n * v.count * h.count, g.c, v.taps * h.taps * g.oc};
    p.a.source.top = v.origin, p.a.source.left = h.origin;
    p.a.source.rows = v_count, p.a.source.cols = h_count, p.a.source.kw = h_taps;
    p.b.source.last_i = v.tap + (v.taps - 1) * g.stride_h, p.b.source.last_j = h.tap + (h.taps - 1) * g.stride_w;
    p.b.source.taps_h = h_taps;
    return p;
  }
};

template <class T>
Phases<T> phases_of(const Geometry& g, const T* map, const Wide<T>* weight) {
  const Divider<uint32_t> oc(g.oc), by_phase;
  const Patches<T> patches{map, g.oh, g.ow, g.oc, 1, 1, 0, 0, by_phase, by_phase, by_phase, oc};
  const PhaseWeight<Wide<T>> taps{weight, g.c, g.kh, g.kw, g.stride_h, g.stride_w, 0, 0, oc, by_phase};
  return {g,
          {patches, in_packs(map, g.oc)},
          {taps, in_packs(weight, g.c)},
          g.n * ceil_div(g.h, g.stride_h) * ceil_div(g.w, g.stride_w),
          g.c,
          ceil_div(g.kh, g.stride_h) * ceil_div(g.kw, g.stride_w) * g.oc,
          std::min(g.stride_h, g.h) * std::min(g.stride_w, g.w)};
}

// c (m, n) = op(a) op(b): by cuBLAS where all have one type, else on the tile loop.
template <bool TransA, bool TransB, class A, class B, class C>
void multiply_matrices(int64_t m, int64_t n, int64_t k, const A* a, const B* b, C* c) {
  if constexpr (std::is_same_v<A, B> && std::is_same_v<A, C>) {
    Gpu<A>::matmul(plain(m, n, k, TransA, TransB), a, b, c);
  } else {
    const int a_step = narrow(TransA ? m : k), b_step = narrow(TransB ? k : n);
    using Matrices = Product<Operand<Matrix<A>, !TransA>, Operand<Matrix<B>, TransB>, RowsOut>;
    run(Matrices{.a = {{a, a_step}, in_packs(a, a_step)},
                 .b = {{b, b_step}, in_packs(b, b_step)},
                 .out = {narrow(n)},
                 .rows = narrow(m),
                 .cols = narrow(n),
                 .depth = narrow(k)},
        c, m * n);
  }
}

}  // namespace

template <class T>
void Gpu<T>::conv2d(const ConvShape& s, const T* image, const Wide* weight, T* map) {
  if (window_is_image(s)) return multiply_matrices<false, true>(s.n, s.oc, s.kh * s.kw * s.c, image, weight, map);
  conv2d_with(s, image, weight, Identity{}, map);
}

template <class T>
void Gpu<T>::conv2d_bias(const ConvShape& s, const T* image, const Wide* weight, const Wide* bias, Activation act,
                         Wide slope, T* map) {
  conv2d_with(s, image, weight, BiasActivation<Wide>{bias, act, slope}, map);
}

template <class T>
void Gpu<T>::conv_transpose2d(const ConvShape& s, const T* map, const Wide* weight, T* image) {
  if (window_is_image(s)) return multiply_matrices<false, false>(s.n, s.kh * s.kw * s.c, s.oc, map, weight, image);
  run(phases_of(geometry_of(s), map, weight), image, s.n * s.h * s.w * s.c);
}

template <class T>
void Gpu<T>::conv_weight_grad(const ConvShape& s, const T* image, const T* map, Wide* weight) {
  const int64_t k = s.kh * s.kw * s.c;
  if (window_is_image(s)) return multiply_matrices<true, false>(s.oc, k, s.n, map, image, weight);
  const Geometry g = geometry_of(s);
  using Gradient = Product<ByDepth<Matrix<T>>, ByDepth<Patches<T>>, RowsOut>;
  run(Gradient{.a = {{map, g.oc}, in_packs(map, g.oc)},
               .b = {patches_of(g, image), in_packs(image, g.c)},
               .out = {narrow(k)},
               .rows = g.oc,
               .cols = narrow(k),
               .depth = g.n * g.oh * g.ow},
      weight, s.oc * k);
}

template <class T>
double Gpu<T>::conv_multiply_adds(const ConvShape& s, bool) {
  return s.flops() / 2;
}

FORGER_KERNEL(Gpu, conv2d);
FORGER_KERNEL(Gpu, conv2d_bias);
FORGER_KERNEL(Gpu, conv_transpose2d);
FORGER_KERNEL(Gpu, conv_weight_grad);
FORGER_KERNEL(Gpu, conv_multiply_adds);
FORGER_KERNEL_BF16(Gpu, conv2d);
FORGER_KERNEL_BF16(Gpu, conv2d_bias);
FORGER_KERNEL_BF16(Gpu, conv_transpose2d);
FORGER_KERNEL_BF16(Gpu, conv_weight_grad);
FORGER_KERNEL_BF16(Gpu, conv_multiply_adds);

}  // namespace forger::kernels
