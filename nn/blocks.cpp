#include "nn/blocks.h"

#include <cmath>

#include "nn/init.h"

namespace forger::nn {

Residual::Residual(LayerPtr body, LayerPtr shortcut) : body_(child("body", std::move(body))) {
  if (shortcut) shortcut_ = child("shortcut", std::move(shortcut));
}

Tensor Residual::forward(const Tensor& x) {
  const Tensor kept = shortcut_ ? (*shortcut_)(x) : x;
  return kept + (*body_)(x);
}

ConditionalBatchNorm::ConditionalBatchNorm(int64_t channels, int64_t classes, double momentum, DType dtype)
    : gamma(parameter("gamma", zeros({classes, channels}, dtype))),
      beta(parameter("beta", zeros({classes, channels}, dtype))),
      norm_(child("norm", std::make_shared<BatchNorm>(channels, NormOptions{}, momentum, dtype))) {}

Tensor ConditionalBatchNorm::operator()(const Tensor& x, const Tensor& c) {
  check<ShapeError>(x.rank() == 4 && c.rank() == 2 && c.size(0) == x.size(0) && c.size(1) == gamma.size(0),
                    "[conditional_batch_norm] expects x (N, H, W, C) and c (N, ", gamma.size(0), "), got ", x.shape(),
                    " and ", c.shape());
  const Shape per_sample{x.size(0), 1, 1, x.size(3)};
  return (*norm_)(x)*reshape(1 + matmul(c, gamma), per_sample) + reshape(matmul(c, beta), per_sample);
}

LayerPtr minibatch_deviation(int64_t group) {
  return fn([group](const Tensor& x) {
    const int64_t n = x.size(0), groups = n / group;
    check<ShapeError>(groups * group == n, "[minibatch_deviation] groups of ", group, " do not divide a batch of ", n);
    constexpr double eps = 1e-8;
    const Tensor deviation = sqrt(variance(reshape(x, {group, groups, x.numel() / n}), {0}) + eps);
    const Tensor of_group = reshape(mean(deviation, {1}), {1, groups});
    const Tensor of_sample = reshape(broadcast_to(of_group, {group, groups}), {n, 1, 1, 1});
    return concat(std::vector<Tensor>{x, broadcast_to(of_sample, {n, x.size(1), x.size(2), 1})}, 3);
  });
}

Tensor reverse_gradient(const Tensor& x, double weight) { return (1 + weight) * x.detach() - weight * x; }

Gru::Gru(int64_t in, int64_t hidden, Random& random, DType dtype)
    : hidden_(hidden),
      input_(child("input", std::make_shared<Linear>(in, 3 * hidden, random, true, dtype))),
      state_(child("state", std::make_shared<Linear>(hidden, 3 * hidden, random, true, dtype))) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  for (const auto& layer : {input_, state_})
    for (const Tensor& each : {layer->weight, layer->bias}) init_uniform(each, -bound, bound, random);
}

Tensor Gru::step(const Tensor& x, const Tensor& h) const {
  const std::vector<int64_t> gates{hidden_, hidden_, hidden_};
  const std::vector<Tensor> of_x = split((*input_)(x), 1, gates), of_h = split((*state_)(h), 1, gates);
  const Tensor r = sigmoid(of_x[0] + of_h[0]), z = sigmoid(of_x[1] + of_h[1]), n = tanh(of_x[2] + r * of_h[2]);
  return n + z * (h - n);
}

Tensor Gru::forward(const Tensor& x) {
  check<ShapeError>(x.rank() == 3, "[gru] expects x (N, T, in), got ", x.shape());
  Tensor h = zeros({x.size(0), hidden_}, x.dtype(), x.device());
  std::vector<Tensor> states;
  for (int64_t t = 0; t < x.size(1); t++) {
    h = step(reshape(slice(x, 1, t, t + 1), {x.size(0), x.size(2)}), h);
    states.push_back(reshape(h, {x.size(0), 1, hidden_}));
  }
  return concat(states, 1);
}

}  // namespace forger::nn
