// Pooling and resampling of images (N, H, W, C).
//
// avg_pool2d, upsample_nearest and upsample_bilinear are linear maps A: the gradient is A^T, a kernel of its own and an
// op of its own, whose gradient is A again. max_pool2d picks an element per window; with the picks fixed it is the
// gather y = x[index], and its gradient the scatter_add with the same index.
//
// pixel_shuffle moves channels to pixels (Shi et al. 2016, "Real-time single image and video super-resolution using an
// efficient sub-pixel convolutional neural network"): y[n, h*f + i, w*f + j, c] = x[n, h, w, (c*f + i)*f + j].
#include "core/ops/common.h"
#include "core/trace.h"

namespace forger {
namespace {

using kernels::PoolShape;
using kernels::Resize;
using namespace ops;

void check_image(const char* op, const Tensor& x) {
  check_operand(op, x);
  check<ShapeError>(x.rank() == 4, "[", op, "] expects images (N, H, W, C), got ", x.shape());
}

// ---- pooling ----

PoolShape pool_shape(const char* op, const Tensor& x, const Pool2dOptions& options) {
  check_image(op, x);
  const int64_t kernel = options.kernel, stride = options.stride, padding = options.padding;
  const int64_t oh = count_windows(op, x.size(1), kernel, stride, padding);
  const int64_t ow = count_windows(op, x.size(2), kernel, stride, padding);
  check<ShapeError>(padding < kernel && x.size(1) > 0 && x.size(2) > 0, "[", op, "] padding ", padding, " and kernel ",
                    kernel, " make windows without a pixel (x: ", x.shape(), ")");
  return {.n = x.size(0),
          .h = x.size(1),
          .w = x.size(2),
          .c = x.size(3),
          .oh = oh,
          .ow = ow,
          .kh = kernel,
          .kw = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_h = padding,
          .pad_w = padding};
}

void announce(const PoolShape& s) {
  Trace* const trace = Trace::active();
  if (trace)
    trace->announce({{"kernel", Trace::numbers(s.kh)},
                     {"stride", Trace::numbers(s.stride_h)},
                     {"padding", Trace::numbers(s.pad_h)}});
}

Tensor avg_pool_grad(const PoolShape& s, const Tensor& gy);

Tensor avg_pool(const PoolShape& s, const Tensor& x) {
  Tensor y = fresh(x, {s.n, s.oh, s.ow, s.c});
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::avg_pool2d(s, x.data<T>(), y.data<T>());
  });
  announce(s);
  return record("avg_pool2d", y, {x}, [s](const Incoming& in) { return Gradients{avg_pool_grad(s, in.gy)}; });
}

Tensor avg_pool_grad(const PoolShape& s, const Tensor& gy) {
  Tensor gx = fresh(gy, {s.n, s.h, s.w, s.c});
  dispatch(gy, [&]<class K>() {
    using T = typename K::Scalar;
    K::avg_pool2d_grad(s, gy.data<T>(), gx.data<T>());
  });
  return record("avg_pool2d_grad", gx, {gy}, [s](const Incoming& in) { return Gradients{avg_pool(s, in.gy)}; });
}

// ---- resampling ----

struct ResizeShape {
  Resize mode;
  int64_t n, h, w, c, oh, ow;
};

Tensor resize_grad(const ResizeShape& s, const Tensor& gy);

Tensor resize(const ResizeShape& s, const Tensor& x) {
  Tensor y = fresh(x, {s.n, s.oh, s.ow, s.c});
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::resize(s.mode, s.n, s.h, s.w, s.c, s.oh, s.ow, x.data<T>(), y.data<T>());
  });
  if (Trace* const trace = Trace::active()) trace->announce({{"bilinear", Trace::numbers(s.mode == Resize::bilinear)}});
  return record("upsample", y, {x}, [s](const Incoming& in) { return Gradients{resize_grad(s, in.gy)}; });
}

Tensor resize_grad(const ResizeShape& s, const Tensor& gy) {
  Tensor gx = fresh(gy, {s.n, s.h, s.w, s.c});
  dispatch(gy, [&]<class K>() {
    using T = typename K::Scalar;
    K::resize_grad(s.mode, s.n, s.h, s.w, s.c, s.oh, s.ow, gy.data<T>(), gx.data<T>());
  });
  return record("upsample_grad", gx, {gy}, [s](const Incoming& in) { return Gradients{resize(s, in.gy)}; });
}

Tensor resize_to(const char* op, Resize mode, const Tensor& x, int64_t oh, int64_t ow) {
  check<ShapeError>(oh > 0 && ow > 0 && x.size(1) > 0 && x.size(2) > 0, "[", op, "] cannot go from ", x.size(1), "x",
                    x.size(2), " to ", oh, "x", ow, " pixels");
  return cast(resize({mode, x.size(0), x.size(1), x.size(2), x.size(3), oh, ow}, widened(x)), x.dtype());
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, Pool2dOptions options) {
  return cast(avg_pool(pool_shape("avg_pool2d", x, options), widened(x)), x.dtype());
}

Tensor max_pool2d(const Tensor& x, Pool2dOptions options) {
  const PoolShape s = pool_shape("max_pool2d", x, options);
  if (is_bf16(x)) return cast(max_pool2d(widened(x), options), x.dtype());
  const Shape shape{s.n, s.oh, s.ow, s.c};
  const int64_t windows = shape.numel();
  Tensor index({windows}, DType::i64, x.device());
  Tensor y = fresh(x, shape);
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::max_pool2d_index(s, x.data<T>(), index.data<int64_t>());
    K::gather(windows, 1, x.data<T>(), index.data<int64_t>(), y.data<T>());
  });
  announce(s);
  return record("max_pool2d", y, {x}, [from = x.shape(), index_ = Saved(index)](const Incoming& in) {
    const Tensor& places = *index_;
    return Gradients{reshape(scatter_add(reshape(in.gy, places.shape()), places, from.numel()), from)};
  });
}

Tensor upsample_nearest(const Tensor& x, int64_t factor) {
  check_image("upsample_nearest", x);
  check<ShapeError>(factor > 0, "[upsample_nearest] factor must be positive, got ", factor);
  return resize_to("upsample_nearest", Resize::nearest, x, x.size(1) * factor, x.size(2) * factor);
}

Tensor upsample_bilinear(const Tensor& x, int64_t oh, int64_t ow) {
  check_image("upsample_bilinear", x);
  return resize_to("upsample_bilinear", Resize::bilinear, x, oh, ow);
}

Tensor pixel_shuffle(const Tensor& x, int64_t factor) {
  check_image("pixel_shuffle", x);
  check<ShapeError>(factor > 0 && x.size(3) % (factor * factor) == 0, "[pixel_shuffle] ", x.size(3),
                    " channels are not a multiple of factor^2, factor ", factor);
  const int64_t n = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3) / (factor * factor);
  const Tensor cells = permute(reshape(x, {n, h, w, c, factor, factor}), {0, 1, 4, 2, 5, 3});  // (N, H, f, W, f, C)
  return reshape(cells, {n, h * factor, w * factor, c});
}

Tensor pixel_unshuffle(const Tensor& x, int64_t factor) {
  check_image("pixel_unshuffle", x);
  check<ShapeError>(factor > 0 && x.size(1) % factor == 0 && x.size(2) % factor == 0, "[pixel_unshuffle] ", x.size(1),
                    "x", x.size(2), " pixels are not a multiple of factor ", factor);
  const int64_t n = x.size(0), h = x.size(1) / factor, w = x.size(2) / factor, c = x.size(3);
  const Tensor cells = permute(reshape(x, {n, h, factor, w, factor, c}), {0, 1, 3, 5, 2, 4});  // (N, H, W, C, f, f)
  return reshape(cells, {n, h, w, c * factor * factor});
}

}  // namespace forger
