#include "gan/objectives.h"

#include "core/error.h"

namespace forger::gan {
namespace {

// log s(x) = -softplus(-x) and log(1 - s(x)) = -softplus(x), s the sigmoid: no overflow, no log of zero.
Tensor nll_real(const Tensor& out) { return mean(softplus(neg(out))); }
Tensor nll_fake(const Tensor& out) { return mean(softplus(out)); }
Tensor saturating(const Tensor& out) { return neg(nll_fake(out)); }
Tensor half_square_to_one(const Tensor& out) { return 0.5 * mean(square(out - 1)); }
Tensor half_square(const Tensor& out) { return 0.5 * mean(square(out)); }
Tensor hinge_real(const Tensor& out) { return mean(relu(1 - out)); }
Tensor hinge_fake(const Tensor& out) { return mean(relu(1 + out)); }
Tensor lower(const Tensor& out) { return mean(out); }
Tensor raise(const Tensor& out) { return neg(mean(out)); }

}  // namespace

const std::vector<Objective>& objectives() {
  static const std::vector<Objective> table{
      {"non-saturating", "D: -E log s(D(x)) - E log(1 - s(D(x'))), G: -E log s(D(x')) (Goodfellow et al. 2014)",
       nll_real, nll_fake, nll_real},
      {"minimax", "D: as above, G: E log(1 - s(D(x'))) (Goodfellow et al. 2014)", nll_real, nll_fake, saturating},
      {"lsgan", "D: 1/2 E (D(x) - 1)^2 + 1/2 E D(x')^2, G: 1/2 E (D(x') - 1)^2 (Mao et al. 2017)", half_square_to_one,
       half_square, half_square_to_one},
      {"hinge", "D: E max(0, 1 - D(x)) + E max(0, 1 + D(x')), G: -E D(x') (Lim and Ye 2017)", hinge_real, hinge_fake,
       raise},
      {"wasserstein", "D: E D(x') - E D(x), G: -E D(x') (Arjovsky et al. 2017)", raise, lower, raise},
  };
  return table;
}

const Objective& find_objective(const std::string& name) {
  std::string known;
  for (const Objective& objective : objectives()) {
    if (objective.name == name) return objective;
    known += (known.empty() ? "" : ", ") + objective.name;
  }
  throw UsageError(text("--loss '", name, "' is not known; there are: ", known));
}

}  // namespace forger::gan
