#include "gan/craft/labels.h"

#include "core/autograd.h"
#include "core/error.h"
#include "gan/batch.h"

namespace forger::gan {

Labels::Labels(const Settings& settings, const Objective& objective)
    : real_{.softened = settings.number("label_smoothing")},
      fake_{.softened = settings.number("label_smoothing_fake")},
      noise_(settings.number("label_noise")) {
  const bool any = real_.softened > 0 || fake_.softened > 0 || noise_ > 0;
  check<UsageError>(!any || objective.undecided, "--loss ", objective.name,
                    " has no labels to soften or to turn round: leave --label-smoothing, --label-smoothing-fake and "
                    "--label-noise at 0, or take non-saturating, minimax, lsgan or hinge");
}

void Labels::draw(const Tensor& samples, Random& random) {
  if (noise_ == 0) return;
  const NoGrad no_grad;
  for (Kind* kind : {&real_, &fake_}) {
    const Tensor u = random.uniform({samples.size(0)}, 0, 1, samples.dtype(), samples.device());
    kind->turned = greater(full_like(u, noise_), u);
  }
}

Tensor Labels::told(const Objective::Term& own, const Objective::Term& other, const Tensor& out, const Kind& kind) {
  const double s = kind.softened;
  if (s == 0 && !kind.turned.defined()) return own.mean(out);
  const Tensor usual = s > 0 ? (1 - s) * own(out) + s * other(out) : own(out);
  if (!kind.turned.defined()) return mean(usual);
  const Tensor turned = s > 0 ? (1 - s) * other(out) + s * own(out) : other(out);
  const Tensor round = reshape(kind.turned, per_sample(out.shape()));
  return mean((1 - round) * usual + round * turned);
}

}  // namespace forger::gan
