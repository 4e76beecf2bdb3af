// Pooling and resampling of NHWC images.
//
// Mean pooling, nearest and bilinear resizing, and the gradients of all three are linear and separable: output pixel
// (p, q) is a weighted sum over a few input rows and, independently, a few input columns,
//   y[n,p,q,:] = sum_{i in rows(p)} sum_{j in cols(q)} u_pi v_qj x[n,i,j,:].
// So each is described by two small sparse matrices ("axes"), never stored: an axis knows the inputs of an output, the
// outputs of an input, and the weight between them. One kernel applies any such pair; the gradient is the same kernel
// with both axes transposed. It gathers: each pixel collects from the windows that contain it, in a fixed order.
//
//   Mean       inputs: the cells of the window inside the image, each of weight 1/count
//   Nearest    one input: floor(o * in / out)
//   Bilinear   half-pixel centres: s = (o + 1/2) in/out - 1/2, inputs floor(s) and the next one (edges clamped), as
//              torch.nn.functional.interpolate(align_corners=False). In whole numbers, s = ((2o + 1) in - out) / (2
//              out): no rounding before the last division, and none in double.
//
// Threads: one per element of the result, channels innermost: a warp reads and writes 32 neighbouring channels.
//   bytes: results written, inputs read once per tap that uses them, from the cache but for the first time
//
// Max pooling returns where the maximum was, which is what its gradient needs: forward is a gather, backward a
// scatter_add.
#include <algorithm>

#include "kernels/cuda/index.h"
#include "kernels/cuda/packs.h"

namespace forger::kernels {
namespace {

template <class I>
struct Range {
  I begin, end;
};

// ---- axes -----------------------------------------------------------------------------------------------------------

// The sizes of an axis as a kernel sees them. I holds every product below (`largest`).
template <class I>
struct Mean {
  I in, out, k, pad;
  I stride;
  Divider<I> by_stride;

  Mean(int64_t in_, int64_t out_, int64_t k_, int64_t stride_, int64_t pad_)
      : in(static_cast<I>(in_)),
        out(static_cast<I>(out_)),
        k(static_cast<I>(k_)),
        pad(static_cast<I>(pad_)),
        stride(static_cast<I>(stride_)),
        by_stride(stride_) {}

  __device__ Range<I> inputs(I o) const {
    const I begin = o * stride, end = begin + k;  // counted from the padding's edge
    return {begin > pad ? begin - pad : 0, end > pad ? min(in, end - pad) : 0};
  }
  __device__ Range<I> outputs(I i) const {  // o*stride <= i + pad < o*stride + k
    const I at = i + pad;
    return {at >= k ? by_stride.quotient(at - k) + 1 : 0, min(out, by_stride.quotient(at) + 1)};
  }
  template <class T>
  __device__ T weight(I o, I) const {
    const auto cells = inputs(o);
    return 1 / static_cast<T>(cells.end - cells.begin);
  }
};

template <class I>
struct Nearest {
  I in, out;
  Divider<I> by_in, by_out;

  Nearest(int64_t in_, int64_t out_) : in(static_cast<I>(in_)), out(static_cast<I>(out_)), by_in(in_), by_out(out_) {}

  __device__ Range<I> inputs(I o) const {
    const I i = by_out.quotient(o * in);
    return {i, i + 1};
  }
  __device__ Range<I> outputs(I i) const {  // i*out <= o*in < (i + 1)*out
    return {by_in.quotient(i * out + in - 1), by_in.quotient((i + 1) * out + in - 1)};
  }
  template <class T>
  __device__ T weight(I, I) const {
    return 1;
  }
};

template <class I>
struct Bilinear {
  I in, out;
  Divider<I> by_in, by_out;  // by 2*in and 2*out

  Bilinear(int64_t in_, int64_t out_)
      : in(static_cast<I>(in_)), out(static_cast<I>(out_)), by_in(2 * in_), by_out(2 * out_) {}

  struct Place {
    I low, over;  // s = low + over / (2*out), never below 0
  };
  __device__ Place place(I o) const {
    const I centre = (2 * o + 1) * in;
    I low = centre > out ? centre - out : 0;
    const I over = by_out.split(low);
    return {low, low + 1 < in ? over : 0};  // on the last input: all of it
  }
  __device__ Range<I> inputs(I o) const {
    const Place s = place(o);
    return {s.low, s.low + (s.over > 0 ? 2 : 1)};
  }
  __device__ Range<I> outputs(I i) const {  // i - 1 < s < i + 1
    const I low = (2 * i + 1) * out, high = (2 * i + 3) * out;
    return {low >= in + 2 * out ? by_in.quotient(low - 2 * out - in) + 1 : 0,
            high > in ? min(out, by_in.quotient(high + in - 1)) : 0};
  }
  template <class T>
  __device__ T weight(I o, I i) const {
    const Place s = place(o);
    const T fraction = static_cast<T>(s.over) / static_cast<T>(2 * out);
    return i == s.low ? 1 - fraction : fraction;
  }
};

template <class I, class Axis>
struct Transposed {
  Axis axis;
  __device__ Range<I> inputs(I o) const { return axis.outputs(o); }
  template <class T>
  __device__ T weight(I o, I i) const {
    return axis.template weight<T>(i, o);
  }
};

// ---- applying a pair of axes ----------------------------------------------------------------------------------------

// An image's sizes: element ((n*h + row)*w + column)*c + channel.
template <class I>
struct Image {
  Divider<I> h, w, c;
  I height, width, channels;

  Image(int64_t h_, int64_t w_, int64_t c_)
      : h(h_), w(w_), c(c_), height(static_cast<I>(h_)), width(static_cast<I>(w_)), channels(static_cast<I>(c_)) {}
};

template <class T, class I, class Axis>
__global__ void apply_kernel(I n, Axis rows, Axis cols, Image<I> in, Image<I> out, const T* x, T* y) {
  const I step = static_cast<I>(thread_count());
  for (I flat = static_cast<I>(global_thread()); flat < n; flat += step) {
    I image = flat;
    const I c = out.c.split(image), q = out.w.split(image), p = out.h.split(image);
    const Range<I> down = rows.inputs(p), right = cols.inputs(q);
    T sum = 0;
    for (I i = down.begin; i < down.end; i++) {
      const T u = rows.template weight<T>(p, i);
      const T* line = x + (int64_t{image} * in.height + i) * in.width * in.channels + c;
      for (I j = right.begin; j < right.end; j++) sum += u * cols.template weight<T>(q, j) * line[j * in.channels];
    }
    y[flat] = sum;
  }
}

// First maxima of windows; a NaN is a maximum.
template <class T, class I>
__global__ void max_pool2d_kernel(I n, Mean<I> rows, Mean<I> cols, Image<I> in, Image<I> out, const T* x,
                                  int64_t* index) {
  const I step = static_cast<I>(thread_count());
  for (I flat = static_cast<I>(global_thread()); flat < n; flat += step) {
    I image = flat;
    const I c = out.c.split(image), q = out.w.split(image), p = out.h.split(image);
    const Range<I> down = rows.inputs(p), right = cols.inputs(q);
    const auto at = [&](I i, I j) { return ((image * in.height + i) * in.width + j) * in.channels + c; };
    I where = at(down.begin, right.begin);
    T best = x[where];
    for (I i = down.begin; i < down.end; i++) {
      for (I j = right.begin; j < right.end; j++) {
        const T v = x[at(i, j)];
        if (v > best || (v != v && best == best)) {
          best = v;
          where = at(i, j);
        }
      }
    }
    index[flat] = where;
  }
}

// y (n, h, w, c) from x (n, in_h, in_w, c), `axes` giving the pair of axes for an index type: axes(I{}, rows, cols).
struct Sizes {
  int64_t n, h, w, c;
  int64_t numel() const { return n * h * w * c; }
};

template <class T, class I, class Axis>
void apply(const Axis& rows, const Axis& cols, const Sizes& in, const Sizes& out, const T* x, T* y) {
  launch<apply_kernel<T, I, Axis>>(striding(out.numel()), static_cast<I>(out.numel()), rows, cols,
                                   Image<I>(in.h, in.w, in.c), Image<I>(out.h, out.w, out.c), x, y);
}

// What an index must count to: the elements, and the products inside of Nearest and Bilinear.
int64_t largest(const Sizes& a, const Sizes& b) {
  return std::max({a.numel(), b.numel(), 4 * (a.h + 1) * (b.h + 1), 4 * (a.w + 1) * (b.w + 1)});
}

template <class I>
Mean<I> mean_rows(const PoolShape& s) {
  return Mean<I>(s.h, s.oh, s.kh, s.stride_h, s.pad_h);
}
template <class I>
Mean<I> mean_cols(const PoolShape& s) {
  return Mean<I>(s.w, s.ow, s.kw, s.stride_w, s.pad_w);
}
Sizes image_of(const PoolShape& s) { return {s.n, s.h, s.w, s.c}; }
Sizes map_of(const PoolShape& s) { return {s.n, s.oh, s.ow, s.c}; }

}  // namespace

template <class T>
void Gpu<T>::avg_pool2d(const PoolShape& s, const T* x, T* y) {
  with_index(largest(image_of(s), map_of(s)),
             [&]<class I>(I) { apply<T, I>(mean_rows<I>(s), mean_cols<I>(s), image_of(s), map_of(s), x, y); });
}

template <class T>
void Gpu<T>::avg_pool2d_grad(const PoolShape& s, const T* gy, T* gx) {
  with_index(largest(image_of(s), map_of(s)), [&]<class I>(I) {
    using Axis = Transposed<I, Mean<I>>;
    apply<T, I>(Axis{mean_rows<I>(s)}, Axis{mean_cols<I>(s)}, map_of(s), image_of(s), gy, gx);
  });
}

template <class T>
void Gpu<T>::max_pool2d_index(const PoolShape& s, const T* x, int64_t* index) {
  const int64_t n = map_of(s).numel();
  with_index(largest(image_of(s), map_of(s)), [&]<class I>(I) {
    launch<max_pool2d_kernel<T, I>>(striding(n), static_cast<I>(n), mean_rows<I>(s), mean_cols<I>(s),
                                    Image<I>(s.h, s.w, s.c), Image<I>(s.oh, s.ow, s.c), x, index);
  });
}

template <class T>
void Gpu<T>::resize(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* x, T* y) {
  const Sizes in{n, h, w, c}, out{n, oh, ow, c};
  with_index(largest(in, out), [&]<class I>(I) {
    if (mode == Resize::nearest) {
      apply<T, I>(Nearest<I>(h, oh), Nearest<I>(w, ow), in, out, x, y);
    } else {
      apply<T, I>(Bilinear<I>(h, oh), Bilinear<I>(w, ow), in, out, x, y);
    }
  });
}

template <class T>
void Gpu<T>::resize_grad(Resize mode, int64_t n, int64_t h, int64_t w, int64_t c, int64_t oh, int64_t ow, const T* gy,
                         T* gx) {
  const Sizes in{n, h, w, c}, out{n, oh, ow, c};
  with_index(largest(in, out), [&]<class I>(I) {
    if (mode == Resize::nearest) {
      using Axis = Transposed<I, Nearest<I>>;
      apply<T, I>(Axis{Nearest<I>(h, oh)}, Axis{Nearest<I>(w, ow)}, out, in, gy, gx);
    } else {
      using Axis = Transposed<I, Bilinear<I>>;
      apply<T, I>(Axis{Bilinear<I>(h, oh)}, Axis{Bilinear<I>(w, ow)}, out, in, gy, gx);
    }
  });
}

FORGER_KERNEL(Gpu, avg_pool2d);
FORGER_KERNEL(Gpu, avg_pool2d_grad);
FORGER_KERNEL(Gpu, max_pool2d_index);
FORGER_KERNEL(Gpu, resize);
FORGER_KERNEL(Gpu, resize_grad);

}  // namespace forger::kernels
