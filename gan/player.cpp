#include "gan/player.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/autograd.h"
#include "core/ranks.h"

namespace forger::gan {
namespace {

// Adds the gradient of `loss` to `sums`, in the order of the parameters. `averaging` takes the sums as they come.
void add_gradients(const Tensor& loss, const std::vector<Tensor>& parameters, std::vector<Tensor>& sums,
                   Averaging* averaging = nullptr) {
  GradOptions options;
  if (averaging != nullptr) {
    options.ready = [&](size_t i, const Tensor& gradient) {
      const NoGrad no_grad;
      averaging->add(i, sums.empty() ? gradient : add(sums[i], gradient));
    };
  }
  std::vector<Tensor> gradients = grad(std::span(&loss, 1), parameters, options);
  if (sums.empty()) {
    sums = std::move(gradients);
    return;
  }
  nn::accumulate(sums, gradients);
}

Tensor total(const Losses& losses) {
  Tensor sum;
  for (const auto& [name, part] : losses.parts) sum = sum.defined() ? add(sum, part) : part;
  return sum;
}

// To a norm of at most `most`, without looking at it.
void shorten(std::vector<Tensor>& gradients, const Tensor& norm, double most) {
  const NoGrad no_grad;
  const Tensor limit = full_like(norm, most), factor = limit / maximum(norm, limit);
  for (Tensor& gradient : gradients)
    if (gradient.defined()) gradient = gradient * cast(factor, gradient.dtype());
}

thread_local bool unchecked = false;

}  // namespace

UncheckedUpdates::UncheckedUpdates() : before_(unchecked) { unchecked = true; }
UncheckedUpdates::~UncheckedUpdates() { unchecked = before_; }

const Tensor& Shared::operator()() {
  if (!value_.defined() || FiniteWatch::active()) value_ = make_();
  return value_;
}

Update minimise(nn::Optimizer& optimizer, const Terms& terms, double max_norm) {
  const std::vector<Tensor> parameters = nn::tensors_of(optimizer.parameters());
  const bool alone = Ranks::count() == 1;
  std::vector<Tensor> sums;
  Averaging averaging;
  Update update;
  for (const auto& term : terms) {
    const Losses losses = term();
    const Tensor value = total(losses);
    for (const auto& [name, part] : losses.parts)
      if (!name.empty()) update.named.push_back({name, part.detach()});
    update.loss = update.loss.defined() ? add(update.loss, value.detach()) : value.detach();
    add_gradients(value, parameters, sums, !alone && &term == &terms.back() ? &averaging : nullptr);
  }
  if (!alone) {
    averaging.finish(sums);
    const NoGrad no_grad;
    update.loss = rank_mean(update.loss);
    for (Reading& part : update.named) part.value = rank_mean(part.value);
  }
  update.grad_norm = nn::global_norm_tensor(sums);
  if (!unchecked && (!std::isfinite(update.loss.item()) || !std::isfinite(update.grad_norm.item()))) {
    const FiniteWatch watch;
    for (const auto& term : terms) {
      sums.clear();
      add_gradients(total(term()), parameters, sums);
    }
    throw NonFiniteError(
        text("the loss (", update.loss.item(), ") or its gradient norm (", update.grad_norm.item(), ") overflowed"));
  }
  if (max_norm > 0) shorten(sums, update.grad_norm, max_norm);
  optimizer.step(sums);
  return update;
}

Readings Player::minimise(const Terms& terms) {
  const Update update = gan::minimise(*optimizer_, terms, max_grad_norm_);
  return Readings{{"loss_" + name_, update.loss}} + update.named + Readings{{"grad_norm_" + name_, update.grad_norm}};
}

Readings operator+(Readings a, const Readings& b) {
  a.insert(a.end(), b.begin(), b.end());
  const auto rank = [](const Reading& r) {
    return r.name.starts_with("loss") ? 0 : r.name.starts_with("grad_norm") ? 2 : 1;
  };
  std::stable_sort(a.begin(), a.end(), [&](const Reading& x, const Reading& y) { return rank(x) < rank(y); });
  return a;
}

Scalars look_at(const Readings& readings) {
  Scalars scalars;
  for (const auto& [name, value] : readings) scalars.push_back({name, value.item()});
  return scalars;
}

}  // namespace forger::gan
