#include "nn/linear.h"

#include <cmath>

#include "nn/init.h"

namespace forger::nn {

WeightedLayer::WeightedLayer(const Shape& weight_shape, int64_t out, Random& random, bool with_bias, DType dtype)
    : weight(parameter("weight", Tensor(weight_shape, dtype))) {
  kaiming_uniform(weight, random, std::sqrt(5.0));
  if (!with_bias) return;
  bias = parameter("bias", Tensor(Shape{out}, dtype));
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in(weight)));
  init_uniform(bias, -bound, bound, random);
}

Linear::Linear(int64_t in, int64_t out, Random& random, bool with_bias, DType dtype)
    : WeightedLayer({out, in}, out, random, with_bias, dtype) {}

Tensor Linear::apply(const Tensor& x, const Tensor& with_weight) const {
  check<ShapeError>(x.rank() == 2 && x.size(1) == with_weight.size(1), "[linear] weight expects x of (N, ",
                    with_weight.size(1), "), x is ", x.shape(), " (weight: ", with_weight.shape(), ")");
  if (kept_as_bf16(x) || x.dtype() == DType::bf16) {  // a convolution of images of one pixel
    const int64_t n = x.size(0), in = x.size(1), out = with_weight.size(0);
    return reshape(conv2d(reshape(x, {n, 1, 1, in}), reshape(with_weight, {out, 1, 1, in}), bias), {n, out});
  }
  return add_bias(matmul(x, with_weight, false, true));
}

Conv2d::Conv2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random, bool with_bias,
               DType dtype)
    : WeightedLayer({out, kernel.height, kernel.width, in}, out, random, with_bias, dtype), options_(options) {}

Tensor Conv2d::apply(const Tensor& x, const Tensor& with_weight) const {
  return conv2d(x, with_weight, bias, options_);
}

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random,
                                 bool with_bias, DType dtype)
    : WeightedLayer({in, kernel.height, kernel.width, out}, out, random, with_bias, dtype), options_(options) {}

Tensor ConvTranspose2d::apply(const Tensor& x, const Tensor& with_weight) const {
  return add_bias(conv_transpose2d(x, with_weight, options_));
}

Embedding::Embedding(int64_t entries, int64_t width, Random& random, DType dtype)
    : weight(parameter("weight", random.normal({entries, width}, 0, 1, dtype))) {}

Tensor Embedding::forward(const Tensor& index) { return gather(weight, index); }

}  // namespace forger::nn
