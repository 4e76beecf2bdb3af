#include "gan/adversary.h"

#include <utility>

#include "core/autograd.h"
#include "gan/penalties.h"

namespace forger::gan {

Adversary::Adversary(std::shared_ptr<Player> player, const Settings& settings, Random& random, Replay replay)
    : player_(std::move(player)),
      objective_(&find_objective(settings.text("loss"))),
      random_(&random),
      replay_(std::move(replay)) {
  check<UsageError>(!replay_.empty() || settings.integer("replay") == 0,
                    "--replay keeps samples without what they were ", "made from, by which the discriminator of ",
                    settings.text("recipe"), " judges them: leave it at 0");
  const std::string penalty = settings.has("penalty") ? settings.text("penalty") : "none";
  check<UsageError>(penalty == "none" || penalty == "gp", "--penalty '", penalty,
                    "' is not known; there are: none, gp");
  penalty_ = penalty == "gp";
  if (penalty_) lambda_ = settings.number("lambda");
}

Readings Adversary::update(const Critic& d, const Tensor& real, Shared& fake, const Terms& more) {
  Tensor between;  // where on the way from fake to real each sample's slope is looked at
  if (penalty_) between = random_->uniform({real.size(0)}, 0, 1, real.dtype(), real.device());
  replay_.draw(*random_);
  const auto shown = [&] { return replay_.shown(fake().detach()); };
  Terms terms{[&] { return Losses(objective_->d_real(d(real))); },
              [&] { return Losses(objective_->d_fake(d(shown()))); }};
  if (penalty_)
    terms.push_back([&] { return Losses{{"penalty", gradient_penalty(d, real, shown(), between, lambda_)}}; });
  terms.insert(terms.end(), more.begin(), more.end());
  Readings readings = player_->minimise(terms);
  replay_.keep(fake().detach());
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
