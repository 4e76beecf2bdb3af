// What larger networks are put together from: residual blocks, norms that know a class, statistics of a batch, memory for
// sequences, and a gradient that is turned round.
#pragma once
#include <memory>

#include "nn/layers.h"

namespace forger::nn {

// shortcut(x) + body(x) (He et al. 2016, arXiv:1512.03385); without a shortcut x itself. Children "body", "shortcut".
class Residual : public Layer {
 public:
  explicit Residual(LayerPtr body, LayerPtr shortcut = nullptr);
  Tensor forward(const Tensor& x) override;

 private:
  LayerPtr body_, shortcut_;
};

// Batch norm that each class scales and shifts in its own way (Dumoulin et al. 2017, arXiv:1610.07629; Miyato, Koyama
// 2018): norm(x) (1 + c gamma) + c beta, with c (N, classes) one-hot rows. Parameters "gamma" and "beta" (classes, C) are
// zeros at first: every class begins with the plain norm, child "norm".
class ConditionalBatchNorm : public Module {
 public:
  ConditionalBatchNorm(int64_t channels, int64_t classes, double momentum = 0.1, DType dtype = DType::f32);
  Tensor operator()(const Tensor& x, const Tensor& c);  // x (N, H, W, C)
  Tensor gamma, beta;

 private:
  std::shared_ptr<BatchNorm> norm_;
};

// Minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196, section 3): (N, H, W, C) -> (N, H, W, C + 1). The
// last channel is the same in all of a group: the deviation of its samples at each place and channel, averaged. A
// discriminator sees by it how much the samples differ. Samples i, i + N/group, ... are a group; ShapeError unless
// `group` divides N.
LayerPtr minibatch_deviation(int64_t group = 4);

// x itself; its gradient is turned round and scaled by `weight` (Ganin et al. 2016, arXiv:1505.07818), to any order.
Tensor reverse_gradient(const Tensor& x, double weight = 1);

// Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), in PyTorch's form and with its parameters:
//
//   r = s(W_ir x + b_ir + W_hr h + b_hr),  z = s(W_iz x + b_iz + W_hz h + b_hz)
//   n = tanh(W_in x + b_in + r (W_hn h + b_hn)),  h' = (1 - z) n + z h
//
// Children "input" (in -> 3 hidden) and "state" (hidden -> 3 hidden), rows in the order r, z, n; uniform in
// +-1/sqrt(hidden).
class Gru : public Layer {
 public:
  Gru(int64_t in, int64_t hidden, Random& random, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;             // (N, T, in) -> the state after each step, (N, T, hidden)
  Tensor step(const Tensor& x, const Tensor& h) const;  // (N, in), (N, hidden) -> (N, hidden)

 private:
  int64_t hidden_;
  std::shared_ptr<Linear> input_, state_;
};

}  // namespace forger::nn
