#include "gan/adversary.h"

#include <utility>

#include "core/autograd.h"
#include "gan/named.h"

namespace forger::gan {
namespace {

Tensor minus_mean(const Tensor& scores, const Tensor& of) { return scores - mean(of); }

void clip_weights(const nn::Optimizer& optimizer, double c) {
  const NoGrad no_grad;
  for (const auto& [name, weight] : optimizer.parameters()) copy_into(weight, clamp(weight, -c, c), "--penalty clip");
}

}  // namespace

Adversary::Adversary(std::shared_ptr<Player> player, const Settings& settings, Random& random, Craft craft)
    : player_(std::move(player)),
      objective_(&find_objective(settings.text("loss"))),
      penalty_(&find_penalty(settings.text("penalty"))),
      lambda_(settings.number("lambda")),
      clip_(settings.number("clip")),
      instance_noise_(settings.number("instance_noise")),
      instance_noise_steps_(static_cast<double>(settings.integer("instance_noise_steps"))),
      random_(&random),
      labels_(settings, *objective_),
      craft_(std::move(craft)) {
  if (settings.has("g_form")) alternative_ = settings.choice("g_form", {"stated", "alternative"}) == "alternative";
  check<UsageError>(!objective_->of_energies || craft_.energies, "--loss ", objective_->name,
                    " is of a discriminator that rebuilds samples: train the recipe ebgan");
  check<UsageError>(!craft_.augment.adapts() || objective_->undecided, "--augment ada: --loss ", objective_->name,
                    " has no score at which D is undecided, by which its overfitting is seen; take --augment fixed, or "
                    "non-saturating, minimax, lsgan or hinge");
}

Lens Adversary::lens(const Tensor& like) {
  const Lens augmented = craft_.augment.draw(like, *random_);
  if (instance_noise_ == 0) return augmented;
  const NoGrad no_grad;
  const Tensor left = relu(1 - craft_.steps / instance_noise_steps_);
  const Tensor noise = left * random_->normal(like.shape(), 0, instance_noise_, like.dtype(), like.device());
  return [augmented, noise](const Tensor& x) { return augmented(x) + noise; };
}

Readings Adversary::update(const Critic& d, const Tensor& real, Shared& fake, const Terms& more) {
  const Objective& objective = *objective_;
  const Lens lens_real = lens(real), lens_fake = lens(real);
  labels_.draw(real, *random_);
  const Shape noise = noise_of(penalty_->at, real.shape());
  const Tensor u = noise.rank() > 0 ? random_->uniform(noise, 0, 1, real.dtype(), real.device()) : Tensor();
  craft_.replay.draw(*random_);
  Tensor scores;  // of real samples
  const auto of_real = [&] {
    const Tensor out = d(lens_real(real));
    scores = out.detach();
    return out;
  };
  const auto shown = [&] { return lens_fake(craft_.replay.shown(fake().detach())); };

  Terms terms;
  if (objective.relative) {
    terms.push_back([&] {
      const Tensor r = of_real(), f = d(shown());
      return Losses(labels_.real(objective, minus_mean(r, f)) + labels_.fake(objective, minus_mean(f, r)));
    });
  } else {
    terms.push_back([&] { return Losses(labels_.real(objective, of_real())); });
    terms.push_back([&] { return Losses(labels_.fake(objective, d(shown()))); });
  }
  if (penalty_->of_gradients()) {
    terms.push_back([&] {
      const Tensor at = points(penalty_->at, lens_real(real), shown(), u);
      return Losses{{"penalty", lambda_ * slope_term(*penalty_, d, at)}};
    });
  }
  terms.insert(terms.end(), more.begin(), more.end());
  Readings readings = player_->minimise(terms);
  Tensor beside;  // parts of the loss that are not the game's: the penalty, what else D learns
  for (size_t i = 1; i + 1 < readings.size(); i++)
    beside = beside.defined() ? add(beside, readings[i].value) : readings[i].value;
  if (penalty_->clips) clip_weights(player_->optimizer(), clip_);
  craft_.replay.keep(fake().detach());
  if (craft_.augment.adapts()) {
    craft_.augment.adapt(scores, *objective.undecided);
    readings = std::move(readings) + Readings{{"augment", clone(craft_.augment.strength())}};
  }
  if (objective.name == "wasserstein") {
    const Tensor& loss = readings.front().value;
    const Tensor distance = beside.defined() ? sub(beside, loss) : neg(loss);
    readings = std::move(readings) + Readings{{"wasserstein", distance}};
  }
  return readings;
}

void Adversary::check_alone() const {
  check<UsageError>(!objective_->relative, "--loss ", objective_->name,
                    ": scores that are not of real beside fake samples have no relative average");
}

Tensor Adversary::accept(const Tensor& scores) const {
  check_alone();
  return objective_->real.mean(scores);
}
Tensor Adversary::refuse(const Tensor& scores) const {
  check_alone();
  return objective_->fake.mean(scores);
}

std::function<Tensor(const Tensor& fake)> Adversary::against(const Critic& d, const Tensor& real) {
  const Lens seen = lens(real);
  const Objective& objective = *objective_;
  if (!objective.relative) {
    const Objective::Term& term = alternative_ ? objective.real : objective.generator;
    return [=, &term](const Tensor& fake) { return term.mean(d(seen(fake))); };
  }
  const Lens seen_real = lens(real);
  return [=, &objective](const Tensor& fake) {
    const Tensor f = d(seen(fake)), r = d(seen_real(real));
    return objective.real.mean(minus_mean(f, r)) + objective.fake.mean(minus_mean(r, f));
  };
}

std::function<Losses(const Tensor& fake)> Adversary::against(const Critic& d, const Critic& match, const Tensor& real) {
  const auto fool = against(d, real);
  std::function<Tensor(const Tensor&)> fool_match;
  if (match) fool_match = against(match, real);
  return [=](const Tensor& fake) {
    Losses losses(fool(fake));
    if (match) losses.parts.emplace_back("match", fool_match(fake));
    return losses;
  };
}

std::vector<Setting> game_settings(const std::string& loss, const std::string& penalty,
                                   const std::vector<Setting>& own) {
  std::vector<Setting> settings = under(
      "game",
      {
          {"loss", loss, "objective: " + names_in(objectives())},
          {"penalty", penalty, "what bounds D's slope: " + names_in(penalties())},
          {"lambda", 10.0, "weight of a penalty of gradients; r1 and r2: gamma", 0, 1e6},
          {"clip", 0.01, "--penalty clip: every weight of D into [-c, c]", 1e-6, 1e6},
          {"label_smoothing", 0.0, "0.1: D is told that real samples are real by 0.9; when its loss runs to 0", 0, 0.5},
          {"label_smoothing_fake", 0.0, "the same of fake samples; seldom helps (Salimans et al. 2016)", 0, 0.5},
          {"label_noise", 0.0, "share of samples that D is told the wrong label of; when it wins too early", 0, 0.5},
          {"instance_noise", 0.0, "standard deviation of noise over all that D sees; when it wins early", 0, 10},
          {"instance_noise_steps", int64_t{2000}, "steps in which that noise falls to 0", 1, 1e9},
          {"replay", int64_t{0}, "past fakes that D sees again, against going round in circles; 0: none", 0, 100000},
          {"augment", "none", "of all that D sees, for small data: none, fixed, or ada (as strong as D overfits)"},
          {"augment_by", "flip,geometry,colour", "transforms: flip, geometry, colour, cutout"},
          {"augment_strength", 0.2, "--augment fixed: probability of each transform", 0, 1},
          {"augment_target", 0.6, "--augment ada: E sign D(x) of real samples to hold", 0, 1},
          {"augment_ramp", 50000.0, "--augment ada: samples in which the strength could go from 0 to 1", 1, 1e9},
      });
  settings.insert(settings.end(), own.begin(), own.end());
  return settings;
}

}  // namespace forger::gan
