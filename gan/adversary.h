// The game around one discriminator: what it minimises, what holds it back, what it is shown, and what it makes its
// opponent minimise. Objective, penalty and craft come from settings; a recipe owns one Adversary per discriminator and
// spells out no trick.
#pragma once
#include <functional>
#include <memory>

#include "gan/craft/augment.h"
#include "gan/craft/labels.h"
#include "gan/craft/replay.h"
#include "gan/objectives.h"
#include "gan/penalties.h"
#include "gan/player.h"
#include "gan/settings.h"

namespace forger::gan {

// D(x), (N): the higher, the more it takes the samples for real. A condition is bound where it is made: D(x | c) as a
// function of x.
using Critic = std::function<Tensor(const Tensor& x)>;

// What a game keeps from step to step and is told of the training (Recipe::craft).
struct Craft {
  Replay replay = {};     // past fakes
  Augment augment = {};   // of what D sees
  Tensor steps = {};      // (): steps that the run has done
  bool energies = false;  // D(x) is minus the error of x rebuilt
};

class Adversary {
 public:
  Adversary() = default;
  // Settings: those of game_settings; "g_form" where the recipe has it. Draws from `random`.
  Adversary(std::shared_ptr<Player> player, const Settings& settings, Random& random, Craft craft);

  // D's step: its terms for real samples, for fake ones (which get no gradient), its penalty, and what else a system
  // has it learn, one after the other.
  // Readings: the player's, "penalty" where there is one of gradients, "augment" where its strength adapts, and with
  // the wasserstein objective the critic's estimate of the distance, "wasserstein".
  Readings update(const Critic& d, const Tensor& real, Shared& fake, const Terms& more = {});
  // D's terms for other scores, of what it is to take for real and of what it is not. check_alone, and both: UsageError
  // of an objective that knows no score by itself; a recipe that will ask for them checks before it begins.
  void check_alone() const;
  Tensor accept(const Tensor& scores) const;
  Tensor refuse(const Tensor& scores) const;
  // How D sees samples: augmented, under noise. Draws. For what a system has D learn besides, such as real samples under
  // a wrong condition, which would be known by being clean.
  Lens lens(const Tensor& like);
  // The generator's term, as a function of the fakes that D sees beside `real`. Draws now, so that the term can be
  // computed again.
  std::function<Tensor(const Tensor& fake)> against(const Critic& d, const Tensor& real);
  // The same where D gives a second score, whether a sample goes with its condition: a term named "match" more. Null
  // where it gives none.
  std::function<Losses(const Tensor& fake)> against(const Critic& d, const Critic& match, const Tensor& real);

 private:
  std::shared_ptr<Player> player_;
  const Objective* objective_ = nullptr;
  const Penalty* penalty_ = nullptr;
  bool alternative_ = false;  // G minimises what D does of real samples, of its own
  double lambda_ = 0, clip_ = 0, instance_noise_ = 0, instance_noise_steps_ = 1;
  Random* random_ = nullptr;
  Labels labels_;
  Craft craft_;
};

// What every system with a discriminator can be told (group "game"), with its own objective and penalty,
// and the system's own settings over them.
std::vector<Setting> game_settings(const std::string& loss, const std::string& penalty = "none",
                                   const std::vector<Setting>& own = {});

}  // namespace forger::gan
