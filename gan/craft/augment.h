// Augmentation of all that the discriminator sees, real and fake, in the generator's step, too: with few pictures it
// would learn them by heart. Transforms that happen with a probability below one do not leak into the samples, as G
// could tell a transformed picture from one that is not (ADA: Karras et al. 2020, arXiv:2006.06676).
//
// Every transform is a product with matrices that are made of random numbers on the device: differentiable to any order
// in the pictures, and nothing is read.
#pragma once
#include <functional>
#include <optional>

#include "core/random.h"
#include "gan/settings.h"
#include "nn/linear.h"

namespace forger::gan {

using Lens = std::function<Tensor(const Tensor& x)>;  // how samples (n, ...) are seen

class Augment {
 public:
  Augment() = default;  // nothing is changed
  // Settings "augment" (none, fixed, ada), "augment_by", "augment_target", "augment_ramp". `strength` (): the
  // probability of each transform, memory of a run. `size`: of the pictures.
  Augment(const Settings& settings, Tensor strength, nn::Extent size);
  // The first value of `strength` by the settings: nothing when --augment is none. UsageError for words not known.
  static std::optional<double> first_strength(const Settings& settings);

  bool on() const { return strength_.defined(); }
  // Transforms for n pictures (n, H, W, C) like these, of one draw: the same whenever the result is called.
  Lens draw(const Tensor& like, Random& random) const;
  // ada: r = E sign(D(x) - undecided) over real samples is 1 where D knows them all; above the target the strength
  // rises, below it falls, by as much per sample as takes it from 0 to 1 in --augment-ramp samples.
  void adapt(const Tensor& scores_of_real, double undecided);
  bool adapts() const { return on() && ada_; }
  const Tensor& strength() const { return strength_; }

 private:
  Tensor strength_, rows_, columns_;  // 0, 1, ... of a picture: a step that is recorded uploads nothing
  bool ada_ = false, flip_ = false, geometry_ = false, colour_ = false, cutout_ = false;
  double target_ = 0, ramp_ = 1;
};

}  // namespace forger::gan
