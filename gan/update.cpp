#include "gan/update.h"

#include <cmath>
#include <vector>

#include "core/autograd.h"

namespace forger::gan {
namespace {

// Adds the gradient of `loss` to `sums`, in the order of the parameters.
void add_gradients(const Tensor& loss, const std::vector<Tensor>& parameters, std::vector<Tensor>& sums) {
  std::vector<Tensor> gradients = grad(std::span(&loss, 1), parameters);
  if (sums.empty()) {
    sums = std::move(gradients);
    return;
  }
  const NoGrad no_grad;
  for (size_t i = 0; i < sums.size(); i++) sums[i] = add(sums[i], gradients[i]);
}

}  // namespace

Update minimise(nn::Optimizer& optimizer, std::initializer_list<std::function<Tensor()>> terms) {
  const std::vector<Tensor> parameters = nn::tensors_of(optimizer.parameters());
  std::vector<Tensor> sums;
  double loss = 0;
  for (const auto& term : terms) {
    const Tensor value = term();
    loss += value.item();
    add_gradients(value, parameters, sums);
  }
  const double grad_norm = nn::global_norm(sums);
  if (!std::isfinite(loss) || !std::isfinite(grad_norm)) {
    const FiniteWatch watch;
    for (const auto& term : terms) {
      sums.clear();
      add_gradients(term(), parameters, sums);
    }
    throw NonFiniteError(text("the loss (", loss, ") or its gradient norm (", grad_norm, ") overflowed"));
  }
  optimizer.step(sums);
  return {loss, grad_norm};
}

}  // namespace forger::gan
