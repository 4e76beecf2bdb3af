#include "gan/craft/honest_cycle.h"

#include "core/ops.h"

namespace forger::gan {

Tensor rounded_to_levels(const Tensor& x_) {
  const Tensor x = widened(x_);
  // Next to 1.5 * 2^23 float32 has integers alone (float64 next to 1.5 * 2^52): adding it rounds to the nearest.
  const double integers_only = 1.5 * (x.dtype() == DType::f32 ? 0x1p23 : 0x1p52);
  const Tensor levels = affine(clamp(x.detach(), -1, 1), 127.5, 127.5);
  const Tensor nearest = affine((levels + integers_only) - integers_only, 1 / 127.5, -1);
  return x + (nearest - x.detach());
}

HonestCycle::HonestCycle(const Settings& settings)
    : noise_(settings.number("cycle_noise")), rounding_(settings.flag("cycle_rounding")) {}

Tensor HonestCycle::draw(const Tensor& like, Random& random) const {
  return noise_ > 0 ? random.normal(like.shape(), 0, noise_, like.dtype(), like.device()) : Tensor();
}

Tensor HonestCycle::operator()(const Tensor& between, const Tensor& noise) const {
  const Tensor spoilt = noise.defined() ? between + noise : between;
  return rounding_ ? rounded_to_levels(spoilt) : spoilt;
}

std::vector<Setting> honest_cycle_settings() {
  return {{"cycle_noise", 0.0, "standard deviation of noise before the way back, in which no message can hide", 0, 1},
          {"cycle_rounding", false, "give the way back what a file of 8 bits would keep"}};
}

}  // namespace forger::gan
