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

thread_local bool unchecked = false;

}  // namespace

UncheckedUpdates::UncheckedUpdates() : before_(unchecked) { unchecked = true; }
UncheckedUpdates::~UncheckedUpdates() { unchecked = before_; }

Update minimise(nn::Optimizer& optimizer, std::initializer_list<std::function<Tensor()>> terms) {
  const std::vector<Tensor> parameters = nn::tensors_of(optimizer.parameters());
  std::vector<Tensor> sums;
  Tensor loss;
  for (const auto& term : terms) {
    const Tensor value = term();
    loss = loss.defined() ? add(loss, value.detach()) : value.detach();
    add_gradients(value, parameters, sums);
  }
  const Tensor grad_norm = nn::global_norm_tensor(sums);
  if (!unchecked && (!std::isfinite(loss.item()) || !std::isfinite(grad_norm.item()))) {
    const FiniteWatch watch;
    for (const auto& term : terms) {
      sums.clear();
      add_gradients(term(), parameters, sums);
    }
    throw NonFiniteError(text("the loss (", loss.item(), ") or its gradient norm (", grad_norm.item(), ") overflowed"));
  }
  optimizer.step(sums);
  return {loss, grad_norm};
}

}  // namespace forger::gan
