// What the discriminator is told about samples: labels softened, so that it never becomes certain (one-sided: of real
// samples alone, Salimans et al. 2016, arXiv:1606.03498, section 3.4), or turned round at random for some samples.
#pragma once
#include "core/random.h"
#include "gan/objectives.h"
#include "gan/settings.h"

namespace forger::gan {

class Labels {
 public:
  Labels() = default;
  // Settings "label_smoothing", "label_smoothing_fake", "label_noise". UsageError where the objective has no labels.
  Labels(const Settings& settings, const Objective& objective);

  void draw(const Tensor& samples, Random& random);  // decides for the next n real and n fake ones
  // Mean of the objective's losses of outputs (N, ...) for real (fake) samples: of a share s of the label softened,
  // (1 - s) times the own kind's and s times the other's. For targets of a square that is the softened target, but for
  // a constant.
  Tensor real(const Objective& objective, const Tensor& out) const {
    return told(objective.real, objective.fake, out, real_);
  }
  Tensor fake(const Objective& objective, const Tensor& out) const {
    return told(objective.fake, objective.real, out, fake_);
  }

 private:
  struct Kind {
    double softened = 0;
    Tensor turned = {};  // (n): 1 where the label is turned round; undefined where none is
  };
  static Tensor told(const Objective::Term& own, const Objective::Term& other, const Tensor& out, const Kind& kind);
  Kind real_, fake_;
  double noise_ = 0;
};

}  // namespace forger::gan
