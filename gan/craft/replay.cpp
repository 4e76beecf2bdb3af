#include "gan/craft/replay.h"

#include <numeric>
#include <vector>

#include "core/autograd.h"
#include "core/ops.h"

namespace forger::gan {

Replay::Replay(Tensor pool, Tensor filled) : pool_(std::move(pool)), filled_(std::move(filled)) {
  std::vector<double> numbers(static_cast<size_t>(pool_.size(0)));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  rounds_ = to(from_values({pool_.size(0), 1, 1}, numbers, pool_.dtype()), pool_.device());
}

void Replay::draw(Random& random) {
  if (empty()) return;
  const NoGrad no_grad;
  const auto rounds = static_cast<double>(pool_.size(0));
  const Shape row{1, pool_.size(1), 1};
  const Tensor at = random.uniform(row, 0, rounds, pool_.dtype(), pool_.device()),
               coin = random.uniform(row, 0, 1, pool_.dtype(), pool_.device());
  const Tensor full = greater(filled_, full_like(filled_, rounds - 0.5)),
               anywhere = greater(rounds_ + 1, at) - greater(rounds_, at);  // round <= at < round + 1
  place_ = full * anywhere + (1 - full) * equal(rounds_, filled_);
  swap_ = full * greater(coin, full_like(coin, 0.5));
  moved_ = place_ * (1 - full + swap_);
}

Tensor Replay::shown(const Tensor& fakes) const {
  if (empty()) return fakes;
  const int64_t n = fakes.size(0);
  const Tensor past = sum(place_ * reshape(pool_, {pool_.size(0), n, -1}), {0}, /*keepdim=*/true);
  return reshape((1 - swap_) * reshape(fakes, {1, n, -1}) + swap_ * past, fakes.shape());
}

void Replay::keep(const Tensor& fakes) {
  if (empty()) return;
  const NoGrad no_grad;
  const int64_t rounds = pool_.size(0), n = fakes.size(0);
  const Tensor pool = reshape(pool_, {rounds, n, -1});
  copy_into(pool, (1 - moved_) * pool + moved_ * reshape(fakes, {1, n, -1}), "replay");
  copy_into(filled_, minimum(filled_ + 1, full_like(filled_, static_cast<double>(rounds))), "replay");
}

}  // namespace forger::gan
