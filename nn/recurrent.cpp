#include "nn/recurrent.h"

#include <cmath>

#include "nn/init.h"

namespace forger::nn {

Gru::Gru(int64_t in, int64_t hidden, Random& random, DType dtype)
    : hidden_(hidden),
      input_(child("input", std::make_shared<Linear>(in, 3 * hidden, random, true, dtype))),
      state_(child("state", std::make_shared<Linear>(hidden, 3 * hidden, random, true, dtype))) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  for (const auto& [name, tensor] : parameters()) init_uniform(tensor, -bound, bound, random);
}

Tensor Gru::step(const Tensor& x, const Tensor& h) const {
  const Tensor a = (*input_)(x), b = (*state_)(h);
  const auto gates = [&](const Tensor& t, int64_t first, int64_t end) {
    return slice(t, 1, first * hidden_, end * hidden_);
  };
  const Tensor rz = sigmoid(gates(a, 0, 2) + gates(b, 0, 2)), r = gates(rz, 0, 1), z = gates(rz, 1, 2);
  const Tensor n = tanh(gates(a, 2, 3) + r * gates(b, 2, 3));
  return n + z * (h - n);
}

std::vector<Tensor> Gru::states(const Tensor& x, const Tensor& h) {
  check<ShapeError>(x.rank() == 3 && x.size(1) > 0 && x.size(2) == input_->weight.size(1),
                    "[gru] expects sequences (N, T, ", input_->weight.size(1), "), T at least 1, x is ", x.shape());
  const int64_t n = x.size(0);
  std::vector<Tensor> all;
  Tensor state = h.defined() ? h : zeros({n, hidden_}, x.dtype(), x.device());
  for (int64_t t = 0; t < x.size(1); t++)
    all.push_back(state = step(reshape(slice(x, 1, t, t + 1), {n, x.size(2)}), state));
  return all;
}

Tensor Gru::last(const Tensor& x, const Tensor& h) { return states(x, h).back(); }

Tensor Gru::forward(const Tensor& x, const Tensor& h) {
  std::vector<Tensor> all = states(x, h);
  for (Tensor& state : all) state = reshape(state, {x.size(0), 1, hidden_});
  return concat(all, 1);
}

}  // namespace forger::nn
