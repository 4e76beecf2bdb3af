// Networks of sequences (N, T, ...), a step after the other.
#pragma once
#include <memory>
#include <vector>

#include "nn/linear.h"

namespace forger::nn {

// Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) with PyTorch's bias of the state inside the reset, its order
// of gates and its first weights, uniform in +-1/sqrt(hidden). s is the sigmoid; each product has a bias:
//
//   r = s(A_r x + B_r h)   z = s(A_z x + B_z h)   n = tanh(A_n x + r * (B_n h))   h' = (1 - z) * n + z * h
class Gru : public Layer {
 public:
  Gru(int64_t in, int64_t hidden, Random& random, DType dtype = DType::f32);
  // x (N, T, in), T at least 1, h (N, hidden) the state before the first step, zeros where undefined.
  Tensor forward(const Tensor& x, const Tensor& h);                          // all states (N, T, hidden)
  Tensor forward(const Tensor& x) override { return forward(x, Tensor()); }  // from zeros
  Tensor last(const Tensor& x, const Tensor& h = {});                        // the last state (N, hidden)
  Tensor step(const Tensor& x, const Tensor& h) const;                       // (N, in), (N, hidden) -> (N, hidden)

 private:
  std::vector<Tensor> states(const Tensor& x, const Tensor& h);
  int64_t hidden_;
  std::shared_ptr<Linear> input_, state_;  // A and B: (N, ...) -> (N, 3 hidden), the gates r, z, n side by side
};

}  // namespace forger::nn
