// The game around one discriminator: what it minimises, what holds it back, and what it makes its opponent minimise.
// Objective and penalty come from settings; a recipe owns one Adversary per discriminator and spells out neither.
#pragma once
#include <functional>
#include <memory>

#include "gan/craft/replay.h"
#include "gan/objectives.h"
#include "gan/player.h"
#include "gan/settings.h"

namespace forger::gan {

// D(x), (N): the higher, the more it takes the samples for real. A condition is bound where it is made: D(x | c) as a
// function of x.
using Critic = std::function<Tensor(const Tensor& x)>;

class Adversary {
 public:
  Adversary() = default;
  // Settings: "loss"; "replay"; and "penalty" with its weight "lambda", where the recipe has them. Penalties and replay
  // draw from `random`. Without a pool of its own (Recipe::replay), as where D judges a sample by a condition that a
  // pool would not keep, --replay is a UsageError.
  Adversary(std::shared_ptr<Player> player, const Settings& settings, Random& random, Replay replay = {});

  // D's step: its terms for real samples, for fake ones (which get no gradient), its penalty, and what else a system
  // has it learn, one after the other.
  // Readings: the player's, "penalty" where there is one, and with the wasserstein objective the critic's estimate of
  // the distance, "wasserstein".
  Readings update(const Critic& d, const Tensor& real, Shared& fake, const Terms& more = {});
  // D's terms for other scores, of what it is to take for real and of what it is not.
  Tensor accept(const Tensor& scores) const { return objective_->d_real(scores); }
  Tensor refuse(const Tensor& scores) const { return objective_->d_fake(scores); }
  // The generator's term.
  Tensor fool(const Critic& d, const Tensor& fake) const { return objective_->generator(d(fake)); }

 private:
  std::shared_ptr<Player> player_;
  const Objective* objective_ = nullptr;
  bool penalty_ = false;
  double lambda_ = 0;
  Random* random_ = nullptr;
  Replay replay_;
};

// The settings of an Adversary: the objective by default, and the gradient penalty's weight where there is one.
Setting loss_setting(const std::string& usual);
Setting penalty_setting(const std::string& usual);

}  // namespace forger::gan
