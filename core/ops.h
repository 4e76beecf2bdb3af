// Every op, by chapter. Each is differentiable to any order unless it says otherwise, accepts float32 and float64 (all
// operands alike), throws ShapeError naming itself, and has a row in tests/op_cases.h.
// Shapes: images are (N, H, W, C), convolution weights (O, KH, KW, C). Axes may be negative. An axis may be empty where
// there is an answer (the sum of nothing is 0); a mean, a loss, a norm or an extremum of nothing is a ShapeError.
//
// bfloat16, on a GPU: MathMode::bf16 makes convolutions round their images to it. Convolutions, batch and instance norm,
// elementwise ops, pooling, resampling, and ops of shape but gather and scatter_add, give bfloat16 where they are given it
// (weights, gamma, beta and statistics being float32); beside a float32 operand it is widened. All other ops, sums among them,
// take it as float32, which they give. Gradients have the type of what they are gradients of.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"

namespace forger {

using Axes = std::vector<int>;  // empty: all axes

// ---- elementwise, two operands: shapes broadcast as in NumPy ---- core/ops/elementwise.cpp
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);  // at a tie the gradient goes to a and b by halves
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);  // 1 where a > b, else 0; no gradient
Tensor equal(const Tensor& a, const Tensor& b);    // 1 where a == b, else 0; no gradient

// ---- elementwise, one operand ----
Tensor affine(const Tensor& x, double scale, double shift);  // scale*x + shift
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);  // no gradient at 0: add an eps inside
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);
Tensor abs(const Tensor& x);   // gradient 0 at 0
Tensor sign(const Tensor& x);  // no gradient
Tensor pow(const Tensor& x, double exponent);
Tensor clamp(const Tensor& x, double low, double high);  // gradient 1 on [low, high], 0 outside
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor softplus(const Tensor& x);  // log(1 + e^x)
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double slope = 0.2);
Tensor elu(const Tensor& x, double alpha = 1);

// ---- reductions ---- core/ops/reduce.cpp
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false);  // ties share the gradient equally
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor variance(const Tensor& x, const Axes& axes = {}, bool keepdim = false);  // biased: divides by the count
Tensor norm(const Tensor& x, const Axes& axes = {}, double eps = 0, bool keepdim = false);  // sqrt(sum x^2 + eps)
// x (N, ...) -> scalar: mean over n of (sqrt(sum x[n]^2 + eps) - target)^2, a fused kernel: WGAN-GP's penalty of
// gradients.
Tensor norm_penalty(const Tensor& x, double target = 1, double eps = 1e-12);
Tensor argmax(const Tensor& x);                            // (..., C) -> i64 (...); no gradient
Tensor sum_to(const Tensor& x, const Shape& shape);        // undoes broadcasting: sums the axes that were repeated
Tensor broadcast_to(const Tensor& x, const Shape& shape);  // the gradient of sum_to, and the reverse

// ---- matrices ---- core/ops/matmul.cpp
// (..., M, K) x (..., K, N) -> (..., M, N); a transposed operand is stored (..., K, M) or (..., N, K). Leading axes
// must agree, or one operand has none and is shared.
Tensor matmul(const Tensor& a, const Tensor& b, bool trans_a = false, bool trans_b = false);

// ---- softmax and losses ---- core/ops/loss.cpp
Tensor softmax(const Tensor& x);      // over the last axis
Tensor log_softmax(const Tensor& x);  // over the last axis
Tensor logsumexp(const Tensor& x);    // over the last axis: (..., C) -> (...); infinities are what the limits say
// Mean of softplus(x) - x*t, to all digits for any finite x. Of infinite x only the verdict that the target rules out
// entirely has a value, infinity.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target);
Tensor cross_entropy(const Tensor& logits,
                     const Tensor& labels);  // logits (N, C), labels i64 (N): mean of -log p[label]
// factor * f(scale*x + shift) of each element, and the mean of that over all of them: one kernel, and one for its
// gradient.
Tensor losses(const Tensor& x, const kernels::Loss& loss);
Tensor mean_loss(const Tensor& x, const kernels::Loss& loss);
Tensor l1_loss(const Tensor& a, const Tensor& b);   // mean |a - b|
Tensor mse_loss(const Tensor& a, const Tensor& b);  // mean (a - b)^2

// ---- shape ---- core/ops/shape.cpp
Tensor reshape(const Tensor& x, const Shape& shape);                    // a view of the same memory
Tensor reshape(const Tensor& x, std::initializer_list<int64_t> sizes);  // the same; one size may be -1: what is left
Tensor flatten(const Tensor& x);                                        // (N, ...) -> (N, rest); view
Tensor permute(const Tensor& x, const Axes& order);                     // copies: output axis i is input axis order[i]
Tensor transpose(const Tensor& x);                                      // last two axes swapped; copies
Tensor concat(std::span<const Tensor> parts, int axis);
std::vector<Tensor> split(const Tensor& x, int axis, std::span<const int64_t> sizes);
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end);   // [begin, end)
Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after);  // with zeros
Tensor gather(const Tensor& table, const Tensor& index);               // rows: (V, ...) and i64 (N) -> (N, ...)
Tensor scatter_add(const Tensor& rows, const Tensor& index,
                   int64_t entries);        // the gradient of gather, and the reverse
Tensor cast(const Tensor& x, DType dtype);  // between floating types; to bfloat16 on a GPU only
Tensor widened(const Tensor& x);            // bfloat16 as float32; anything else, and nothing, as it is

// ---- the convolution triangle ---- core/ops/conv.cpp
struct Conv2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;                    // on every side
  int64_t output_padding = 0;             // conv_transpose2d only: extra rows and columns at the far side, < stride
  std::optional<int64_t> padding_w = {};  // left and right, where it differs from above and below: 1x7 kernels
  kernels::Activation activation = kernels::Activation::none;  // conv2d only: what follows, fused into it
  double slope = 0.2;                                          // leaky_relu only, >= 0
};
// Whether a convolution rounds x, which is float32, to bfloat16 before it reads it, and gives bfloat16.
bool kept_as_bf16(const Tensor& x);
// x (N, H, W, C), weight (O, KH, KW, C) -> (N, OH, OW, O), OH = (H + 2*padding - KH) / stride + 1
Tensor conv2d(const Tensor& x, const Tensor& weight, const Conv2dOptions& options = {});
// act(conv2d(x, weight) + bias) in one pass; bias (O), or undefined for none
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options = {});
// x (N, H, W, O), weight (O, KH, KW, C) -> (N, OH, OW, C), OH = (H - 1)*stride - 2*padding + KH + output_padding
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Conv2dOptions& options = {});
// x (N, H, W, C), gy (N, OH, OW, O) -> (O, KH, KW, C): the gradient of <conv2d(x, weight), gy> with respect to the
// weight
Tensor conv_weight_grad(const Tensor& x, const Tensor& gy, int64_t kh, int64_t kw, const Conv2dOptions& options = {});

// ---- pooling and resampling ---- core/ops/pool.cpp
struct Pool2dOptions {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t padding = 0;  // < kernel; padding cells never count
};
Tensor avg_pool2d(const Tensor& x, Pool2dOptions options = {});
Tensor max_pool2d(const Tensor& x, Pool2dOptions options = {});  // the gradient goes to each window's first maximum
Tensor upsample_nearest(const Tensor& x, int64_t factor);
Tensor upsample_bilinear(const Tensor& x, int64_t oh, int64_t ow);  // half-pixel centres, edges clamped
Tensor pixel_shuffle(const Tensor& x,
                     int64_t factor);  // (N, H, W, C*f*f) -> (N, H*f, W*f, C), channel order of PyTorch
Tensor pixel_unshuffle(const Tensor& x, int64_t factor);

// ---- normalisation: fused kernels with plain-op references ---- core/ops/norm.cpp
// The activation that follows a norm is fused into it.
struct NormOptions {
  double eps = 1e-5;
  kernels::Activation activation = kernels::Activation::none;
  double slope = 0.2;  // leaky_relu only
};
// x (..., C), gamma and beta (C), statistics over all axes but the last, biased variance. When running buffers (C) are
// given they move towards the batch's: r += momentum*(stat - r), the variance unbiased, as in PyTorch.
struct RunningStats {
  Tensor mean, variance;  // written in place
  double momentum = 0.1;
};
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options = {},
                  const RunningStats* running = nullptr);
// The same with given statistics (C): what evaluation does.
Tensor batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                            const Tensor& variance, const NormOptions& options = {});
// x (N, H, W, C): statistics over H and W of each sample and channel; gamma and beta (C)
Tensor instance_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options = {});
// x (N, ...): statistics over everything but the first axis; gamma and beta have the shape of one sample
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5);

// ---- noise ----
Tensor dropout(const Tensor& x, double probability, Random& random);  // keeps with 1 - p, scaled by 1/(1 - p)

// ---- operators ----
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& x, double c) { return affine(x, 1, c); }
inline Tensor operator+(double c, const Tensor& x) { return affine(x, 1, c); }
inline Tensor operator-(const Tensor& x, double c) { return affine(x, 1, -c); }
inline Tensor operator-(double c, const Tensor& x) { return affine(x, -1, c); }
inline Tensor operator*(const Tensor& x, double c) { return affine(x, c, 0); }
inline Tensor operator*(double c, const Tensor& x) { return affine(x, c, 0); }
Tensor operator/(const Tensor& x, double c);  // also where 1/c is too large for the type, as long as x/c is not

}  // namespace forger
