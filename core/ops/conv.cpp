// The convolution triangle: three bilinear ops that are each other's gradients, so that every derivative of any order
// is one of the three.
//
//   image (N, H, W, C)    map (N, OH, OW, O)    weight (O, KH, KW, C)
//
//   op                                 gradient to its first input     gradient to its second input
//   conv(image, weight) -> map         conv_transpose(gy, weight)      conv_weight_grad(image, gy)
//   conv_transpose(map, weight)        conv(gy, weight)                conv_weight_grad(gy, map)
//       -> image
//   conv_weight_grad(image, map)       conv_transpose(map, gy)         conv(image, gy)
//       -> weight
//
// They are the three partial derivatives of the one trilinear form <conv(image, weight), map>. Images and maps may be
// bfloat16, weights are float32 then, and so are weights' gradients, whose own gradients are weights in turn.
//
// One ConvShape travels through all closures. It holds both spatial sizes, because with a stride of 2 an image of 7 and
// one of 8 rows give the same map: the transposed convolution has to know which of them it returns to, and the row
// under no window gets a zero gradient.
#include "core/ops/common.h"
#include "core/profile.h"
#include "core/trace.h"

namespace forger {
namespace {

using kernels::Activation;
using kernels::ConvShape;
using namespace ops;

Tensor conv(const ConvShape& s, const Tensor& image, const Tensor& weight);
Tensor conv_transpose(const ConvShape& s, const Tensor& map, const Tensor& weight);
Tensor weight_grad(const ConvShape& s, const Tensor& image, const Tensor& map);

void announce(const ConvShape& s, const Tensor& operand, bool transposed = false, Activation activation = {},
              double slope = 0) {
  if (Trace* const trace = Trace::active()) {
    trace->announce({{"stride", Trace::numbers(s.stride_h)},
                     {"padding", Trace::numbers(s.pad_h, s.pad_w)},
                     {"activation", Trace::numbers(activation, slope)}});
  }
  Profile* const profile = Profile::active();
  if (!profile) return;
  double multiply_adds = 0;
  dispatch_with_bf16(operand, [&]<class K>() { multiply_adds = K::conv_multiply_adds(s, transposed); });
  profile->announce({.flops = s.flops(), .true_flops = 2 * multiply_adds},
                    text(s.h, 'x', s.w, 'x', s.c, " - ", s.oh, 'x', s.ow, 'x', s.oc));
}

Tensor conv(const ConvShape& s, const Tensor& image, const Tensor& weight) {
  Tensor map = fresh(image, {s.n, s.oh, s.ow, s.oc});
  dispatch_with_bf16(image, [&]<class K>() {
    using T = typename K::Scalar;
    K::conv2d(s, image.data<T>(), weight.data<typename K::Wide>(), map.data<T>());
  });
  announce(s, image);
  return record("conv2d", map, {image, weight},
                [s, image_ = save_if(weight.requires_grad(), image),
                 weight_ = save_if(image.requires_grad(), weight)](const Incoming& in) {
                  return Gradients{in.needs(0) ? conv_transpose(s, in.gy, *weight_) : Tensor(),
                                   in.needs(1) ? weight_grad(s, *image_, in.gy) : Tensor()};
                });
}

Tensor conv_transpose(const ConvShape& s, const Tensor& map, const Tensor& weight) {
  Tensor image = fresh(map, {s.n, s.h, s.w, s.c});
  dispatch_with_bf16(map, [&]<class K>() {
    using T = typename K::Scalar;
    K::conv_transpose2d(s, map.data<T>(), weight.data<typename K::Wide>(), image.data<T>());
  });
  announce(s, map, /*transposed=*/true);
  return record("conv_transpose2d", image, {map, weight},
                [s, map_ = save_if(weight.requires_grad(), map),
                 weight_ = save_if(map.requires_grad(), weight)](const Incoming& in) {
                  return Gradients{in.needs(0) ? conv(s, in.gy, *weight_) : Tensor(),
                                   in.needs(1) ? weight_grad(s, in.gy, *map_) : Tensor()};
                });
}

Tensor weight_grad(const ConvShape& s, const Tensor& image, const Tensor& map) {
  Tensor weight = fresh_wide(image, {s.oc, s.kh, s.kw, s.c});
  dispatch_with_bf16(image, [&]<class K>() {
    using T = typename K::Scalar;
    K::conv_weight_grad(s, image.data<T>(), map.data<T>(), weight.data<typename K::Wide>());
  });
  announce(s, image);
  return record("conv_weight_grad", weight, {image, map},
                [s, image_ = save_if(map.requires_grad(), image),
                 map_ = save_if(image.requires_grad(), map)](const Incoming& in) {
                  return Gradients{in.needs(0) ? conv_transpose(s, *map_, in.gy) : Tensor(),
                                   in.needs(1) ? conv(s, *image_, in.gy) : Tensor()};
                });
}

int64_t columns_padding(const Conv2dOptions& options) { return options.padding_w.value_or(options.padding); }

// The geometry of a triangle from its image side. `oc` maps.
ConvShape geometry(const char* op, const Shape& image, int64_t oc, int64_t kh, int64_t kw,
                   const Conv2dOptions& options) {
  return {.n = image[0],
          .h = image[1],
          .w = image[2],
          .c = image[3],
          .oh = count_windows(op, image[1], kh, options.stride, options.padding),
          .ow = count_windows(op, image[2], kw, options.stride, columns_padding(options)),
          .oc = oc,
          .kh = kh,
          .kw = kw,
          .stride_h = options.stride,
          .stride_w = options.stride,
          .pad_h = options.padding,
          .pad_w = columns_padding(options)};
}

void check_ranks(const char* op, const Tensor& x, const char* other_name, const Tensor& other) {
  check<ShapeError>(x.rank() == 4 && other.rank() == 4, "[", op, "] x and ", other_name,
                    " need four axes (x: ", x.shape(), ", ", other_name, ": ", other.shape(), ")");
}

void check_no_output_padding(const char* op, const Conv2dOptions& options) {
  check<ShapeError>(options.output_padding == 0, "[", op, "] output_padding belongs to conv_transpose2d, got ",
                    options.output_padding);
}
void check_no_activation(const char* op, const Conv2dOptions& options) {
  check<ShapeError>(options.activation == Activation::none, "[", op, "] an activation is fused into conv2d only");
}

}  // namespace

bool kept_as_bf16(const Tensor& x) {
  return kernels::math_mode() == kernels::MathMode::bf16 && x.defined() && x.dtype() == DType::f32 &&
         x.device() != Device::cpu;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Conv2dOptions& options) {
  return conv2d(x, weight, Tensor(), options);
}

// Both activations are piecewise linear and keep the sign, so that y tells their slope, and every derivative is ops.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  if (kept_as_bf16(x)) return conv2d(cast(x, DType::bf16), weight, bias, options);
  check_weights("conv2d", x, weight);
  check_ranks("conv2d", x, "weight", weight);
  check_no_output_padding("conv2d", options);
  check<ShapeError>(weight.size(3) == x.size(3), "[conv2d] weight expects ", weight.size(3), " input channels, x has ",
                    x.size(3), " (x: ", x.shape(), ", weight: ", weight.shape(), ")");
  check<ShapeError>(options.slope >= 0, "[conv2d] slope cannot be negative, got ", options.slope);
  const ConvShape s = geometry("conv2d", x.shape(), weight.size(0), weight.size(1), weight.size(2), options);
  const bool biased = bias.defined(), activated = options.activation != Activation::none;
  if (biased) {
    check_weights("conv2d", x, bias);
    check<ShapeError>(bias.shape() == Shape{s.oc}, "[conv2d] bias should be ", Shape{s.oc}, ", got ", bias.shape());
  }
  if (!biased && !activated) return conv(s, x, weight);
  if (!fused_enabled()) {
    const Tensor map = conv(s, x, weight);
    return activate(biased ? add(map, cast(bias, map.dtype())) : map, options.activation, options.slope);
  }
  Tensor map = fresh(x, {s.n, s.oh, s.ow, s.oc});
  dispatch_with_bf16(x, [&]<class K>() {
    using T = typename K::Scalar;
    using Wide = typename K::Wide;
    K::conv2d_bias(s, x.data<T>(), weight.data<Wide>(), biased ? bias.data<Wide>() : nullptr, options.activation,
                   static_cast<Wide>(options.slope), map.data<T>());
  });
  announce(s, x, false, options.activation, options.slope);
  const Tensor inputs[] = {x, weight, bias};
  const double slope = options.activation == Activation::relu ? 0 : options.slope;
  return record(
      "conv2d", map, std::span(inputs, biased ? 3 : 2),
      [s, biased, activated, slope, x_ = save_if(weight.requires_grad(), x),
       weight_ = save_if(x.requires_grad(), weight)](const Incoming& in) {
        const Tensor g = activated ? leaky_relu_grad(in.gy, in.y, slope) : in.gy;
        Gradients gradients{in.needs(0) ? conv_transpose(s, g, *weight_) : Tensor(),
                            in.needs(1) ? weight_grad(s, *x_, g) : Tensor()};
        if (biased) gradients.push_back(in.needs(2) ? sum(g, {0, 1, 2}) : Tensor());
        return gradients;
      },
      activated);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Conv2dOptions& options) {
  if (kept_as_bf16(x)) return conv_transpose2d(cast(x, DType::bf16), weight, options);
  check_weights("conv_transpose2d", x, weight);
  check_ranks("conv_transpose2d", x, "weight", weight);
  check_no_activation("conv_transpose2d", options);
  check<ShapeError>(weight.size(0) == x.size(3), "[conv_transpose2d] weight expects ", weight.size(0),
                    " input channels, x has ", x.size(3), " (x: ", x.shape(), ", weight: ", weight.shape(), ")");
  check<ShapeError>(options.stride > 0, "[conv_transpose2d] stride must be positive, got ", options.stride);
  check<ShapeError>(options.padding >= 0 && columns_padding(options) >= 0,
                    "[conv_transpose2d] padding cannot be negative, got ", options.padding);
  check<ShapeError>(options.output_padding >= 0 && options.output_padding < options.stride,
                    "[conv_transpose2d] output_padding must be at least 0 and below the stride ", options.stride,
                    ", got ", options.output_padding);
  const auto grown = [&](int64_t size, int64_t kernel, int64_t padding) {
    return (size - 1) * options.stride - 2 * padding + kernel + options.output_padding;
  };
  const int64_t h = grown(x.size(1), weight.size(1), options.padding);
  const int64_t w = grown(x.size(2), weight.size(2), columns_padding(options));
  check<ShapeError>(x.size(1) > 0 && x.size(2) > 0 && h > 0 && w > 0, "[conv_transpose2d] the output would be ", h, "x",
                    w, " pixels (x: ", x.shape(), ", weight: ", weight.shape(), ", padding ", options.padding, ")");
  const ConvShape s = geometry("conv_transpose2d", {x.size(0), h, w, weight.size(3)}, weight.size(0), weight.size(1),
                               weight.size(2), options);
  return conv_transpose(s, x, weight);
}

Tensor conv_weight_grad(const Tensor& x, const Tensor& gy, int64_t kh, int64_t kw, const Conv2dOptions& options) {
  check_operands("conv_weight_grad", x, gy);
  check_ranks("conv_weight_grad", x, "gy", gy);
  check_no_output_padding("conv_weight_grad", options);
  check_no_activation("conv_weight_grad", options);
  const ConvShape s = geometry("conv_weight_grad", x.shape(), gy.size(3), kh, kw, options);
  check<ShapeError>(gy.shape() == Shape{s.n, s.oh, s.ow, s.oc}, "[conv_weight_grad] gy should be ",
                    Shape{s.n, s.oh, s.ow, s.oc}, " (x: ", x.shape(), ", gy: ", gy.shape(), ", kernel ", kh, "x", kw,
                    ", stride ", options.stride, ", padding ", options.padding, ")");
  return weight_grad(s, x, gy);
}

}  // namespace forger
