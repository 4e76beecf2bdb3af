#include "gan/adversary.h"

#include <utility>

#include "core/autograd.h"
#include "gan/penalties.h"

namespace forger::gan {

Adversary::Adversary(std::shared_ptr<Player> player, const Settings& settings, Random& random)
    : player_(std::move(player)), objective_(&find_objective(settings.text("loss"))), random_(&random) {
  const std::string penalty = settings.has("penalty") ? settings.text("penalty") : "none";
  check<UsageError>(penalty == "none" || penalty == "gp", "--penalty '", penalty,
                    "' is not known; there are: none, gp");
  penalty_ = penalty == "gp";
  if (penalty_) lambda_ = settings.number("lambda");
}

Readings Adversary::update(const Critic& d, const Tensor& real, Shared& fake) {
  Tensor between;  // where on the way from fake to real each sample's slope is looked at
  if (penalty_) between = random_->uniform({real.size(0)}, 0, 1, DType::f32, real.device());
  const auto for_real = [&] { return Losses(objective_->d_real(d(real))); };
  const auto for_fake = [&] { return Losses(objective_->d_fake(d(fake().detach()))); };
  const auto penalty = [&] {
    return Losses{{"penalty", gradient_penalty(d, real, fake().detach(), between, lambda_)}};
  };
  Readings readings =
      penalty_ ? player_->minimise({for_real, for_fake, penalty}) : player_->minimise({for_real, for_fake});
  if (objective_->name == "wasserstein") {
    const Tensor& loss = readings.front().value;
    const Tensor distance = penalty_ ? sub(readings[1].value, loss) : neg(loss);
    readings = std::move(readings) + Readings{{"wasserstein", distance}};
  }
  return readings;
}

Setting loss_setting(const std::string& usual) {
  std::string names;
  for (const Objective& objective : objectives()) names += (names.empty() ? "" : ", ") + objective.name;
  return {"loss", usual, "objective: " + names};
}

Setting penalty_setting(const std::string& usual) {
  return {"penalty", usual, "what bounds the slope of the discriminator: none, gp (two-sided, per sample)"};
}

}  // namespace forger::gan
