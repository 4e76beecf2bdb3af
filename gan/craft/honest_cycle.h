// Cycles that hide nothing: in training, what lies between two translators is spoilt a little before the way back, so
// that a message too faint to be seen does not arrive (metrics/steganography.h measures it). Noise: Bashkirova, Usman,
// Saenko 2019, arXiv:1908.01517; levels of 8 bits: what a file would keep of the picture.
#pragma once
#include <vector>

#include "core/random.h"
#include "gan/settings.h"

namespace forger::gan {

// x in [-1, 1] at the nearest of the 256 levels of a file, clamped; its gradient is that of x (straight through).
Tensor rounded_to_levels(const Tensor& x);

class HonestCycle {
 public:
  HonestCycle() = default;
  explicit HonestCycle(const Settings& settings);  // "cycle_noise", "cycle_rounding"

  // The noise of one batch of pictures such as these; undefined where there is none. To be drawn outside terms.
  Tensor draw(const Tensor& like, Random& random) const;
  Tensor operator()(const Tensor& between, const Tensor& noise) const;  // as the way back sees it

 private:
  double noise_ = 0;
  bool rounding_ = false;
};
std::vector<Setting> honest_cycle_settings();

}  // namespace forger::gan
