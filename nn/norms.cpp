#include "nn/norms.h"

#include "core/autograd.h"
#include "core/ranks.h"

namespace forger::nn {

NormLayer::NormLayer(const Shape& shape, DType dtype)
    : weight(parameter("weight", ones(shape, dtype))), bias(parameter("bias", zeros(shape, dtype))) {}

BatchNorm::BatchNorm(int64_t channels, NormOptions options, double momentum, DType dtype)
    : NormLayer({channels}, dtype),
      running_mean(buffer("running_mean", zeros({channels}, dtype))),
      running_var(buffer("running_var", ones({channels}, dtype))),
      options_(options),
      momentum_(momentum) {}

namespace {

bool over_ranks = false;

// The batch is that of all ranks, as many rows of each.
Tensor batch_norm_over_ranks(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options,
                             const RunningStats& running) {
  Axes rows;
  for (int axis = 0; axis + 1 < x.rank(); axis++) rows.push_back(axis);
  const Tensor mean = rank_mean(forger::mean(x, rows)), centred = x - mean,
               variance = rank_mean(forger::mean(square(centred), rows));
  {
    const NoGrad no_grad;
    const auto count = static_cast<double>(Ranks::count() * x.numel() / x.size(-1));
    const auto move = [&](const Tensor& kept, const Tensor& seen) {
      copy_into(kept, kept * (1 - running.momentum) + seen * running.momentum, "batch_norm");
    };
    move(running.mean, mean.detach());
    move(running.variance, variance.detach() * (count / (count - 1)));
  }
  const Tensor y = centred / sqrt(variance + options.eps) * gamma + beta;
  switch (options.activation) {
    case kernels::Activation::none:
      break;
    case kernels::Activation::relu:
      return forger::relu(y);
    case kernels::Activation::leaky_relu:
      return forger::leaky_relu(y, options.slope);
  }
  return y;
}

// By the batch's statistics while training, by those that it kept afterwards.
Tensor batch_normed(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options,
                    const RunningStats& running, bool training) {
  if (training && over_ranks) return batch_norm_over_ranks(x, gamma, beta, options, running);
  if (training) return batch_norm(x, gamma, beta, options, &running);
  return batch_norm_inference(x, gamma, beta, running.mean, running.variance, options);
}

}  // namespace

void set_batch_norm_over_ranks(bool on) { over_ranks = on; }

Tensor BatchNorm::forward(const Tensor& x) {
  return batch_normed(x, weight, bias, options_, {running_mean, running_var, momentum_}, training());
}

ConditionalBatchNorm::ConditionalBatchNorm(int64_t channels, int64_t classes, double momentum, DType dtype)
    : gamma(parameter("gamma", zeros({classes, channels}, dtype))),
      beta(parameter("beta", zeros({classes, channels}, dtype))),
      running_mean(buffer("running_mean", zeros({channels}, dtype))),
      running_var(buffer("running_var", ones({channels}, dtype))),
      momentum_(momentum) {}

Tensor ConditionalBatchNorm::operator()(const Tensor& x, const Tensor& c) {
  check<ShapeError>(x.rank() >= 2 && x.size(-1) == gamma.size(1) && c.shape() == Shape{x.size(0), gamma.size(0)},
                    "[conditional_batch_norm] expects x (N, ..., ", gamma.size(1), ") and c (N, ", gamma.size(0),
                    "), got ", x.shape(), " and ", c.shape());
  Shape per_sample = x.shape();
  for (int axis = 1; axis + 1 < x.rank(); axis++) per_sample.set(axis, 1);
  const auto of_class = [&](const Tensor& rows) { return cast(reshape(matmul(c, rows), per_sample), x.dtype()); };
  const Tensor normed = batch_normed(x, full_like(running_mean, 1), full_like(running_mean, 0), {},
                                     {running_mean, running_var, momentum_}, training());
  return normed * (1 + of_class(gamma)) + of_class(beta);
}

InstanceNorm::InstanceNorm(int64_t channels, NormOptions options, DType dtype)
    : NormLayer({channels}, dtype), options_(options) {}

Tensor InstanceNorm::forward(const Tensor& x) { return instance_norm(x, weight, bias, options_); }

LayerNorm::LayerNorm(const Shape& sample, double eps, DType dtype) : NormLayer(sample, dtype), eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, weight, bias, eps_); }

}  // namespace forger::nn
