// A function's gradients, of first and second order, against central differences in float64.
#pragma once
#include "core/autograd.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

namespace forger::test {

// Of a loss over f(x), and of the square of that loss's gradient towards x; both towards x and every parameter.
// float64, and f smooth around x.
inline void check_gradients(const nn::NamedTensors& parameters, Tensor x,
                            const std::function<Tensor(const Tensor&)>& f) {
  x.set_requires_grad();
  const Tensor weights = random_tensor(f(x).shape(), 99);
  const auto loss = [&] { return sum(square(f(x)) * weights); };
  const auto penalty = [&] { return sum(square(grad(loss(), x, {.create_graph = true}))); };
  nn::NamedTensors all = parameters;
  all.push_back({"x", x});
  for (const std::function<Tensor()>& value_of : {std::function<Tensor()>(loss), std::function<Tensor()>(penalty)}) {
    const Tensor value = value_of();
    const std::vector<Tensor> gradients = grad(std::span(&value, 1), nn::tensors_of(all));
    for (size_t i = 0; i < all.size(); i++) {
      INFO(all[i].name);
      const std::vector<double> expected = numeric_gradient([&] { return value_of().item(); }, all[i].tensor);
      double scale = 1;
      for (const double e : expected) scale = std::max(scale, std::abs(e));
      CHECK(largest_difference(gradients[i].to_vector(), expected) < 1e-7 * scale);
    }
  }
}

}  // namespace forger::test
