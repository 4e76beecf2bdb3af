#include "gan/watch.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "gan/penalties.h"

namespace forger::gan {
namespace {

constexpr double zero_loss = 1e-3;        // |loss_d| below this counts as 0 ...
constexpr int64_t zero_loss_steps = 100;  // ... and this many in a row as an episode
constexpr double usual_lambda = 10;       // with which a gradient's norm of 100 is steep
constexpr int64_t calm_steps = 500;       // without a steep gradient: the next one is news again
constexpr int64_t stretch = 500;          // steps over which the deviation of a loss is taken
constexpr double swing = 5;               // times the calmest stretch's; sound games seldom double it
constexpr double least_swing = 0.1;       // whatever it was before
constexpr double alike_share = 0.05;      // of the data's own mean distance

}  // namespace

std::vector<std::string> doubts(const Settings& settings) {
  std::vector<std::string> all;
  if (!settings.has("penalty")) return all;
  const std::string &name = settings.text("penalty"), &loss = settings.text("loss");
  const Penalty& penalty = find_penalty(name);
  if (penalty.of_gradients() && settings.has("d_norm") && settings.text("d_norm") == "batch")
    all.push_back("--penalty " + name +
                  " bounds D's slope at each sample, and batch norm ties the samples of a batch "
                  "together (Gulrajani et al. 2017, section 4): --d-norm layer or none");
  const bool bounded = name != "none" || (settings.has("d_norm") && settings.text("d_norm") == "spectral");
  if (loss == "wasserstein" && !bounded)
    all.push_back(
        "--loss wasserstein without a bound on the critic's slope measures nothing and runs away: --penalty gp, "
        "lp or clip, or --d-norm spectral");
  if (penalty.clips && settings.text("optimizer") == "adam")
    all.push_back("--penalty clip with a momentum is unstable (Arjovsky et al. 2017, section 4): --optimizer rmsprop");
  return all;
}

FailureWatch::FailureWatch(const Settings& settings) {
  if (settings.has("lambda")) steep_ *= std::max(1.0, settings.number("lambda") / usual_lambda);
}

double FailureWatch::Swing::add(double value) {
  sum += value, squares += value * value, steps++;
  if (steps < stretch) return 0;
  const auto n = static_cast<double>(steps);
  const double deviation = std::sqrt(std::max(0.0, squares / n - sum / n * sum / n)),
               times = calmest > 0 ? deviation / calmest : 1;
  calmest = calmest > 0 ? std::min(calmest, deviation) : deviation;
  sum = squares = 0, steps = 0;
  return deviation > least_swing ? times : std::min(times, 1.0);
}

std::optional<std::string> FailureWatch::look(const Scalars& scalars) {
  bool steep = false;
  std::string whose, swings;
  double most = 0;
  for (const auto& [name, value] : scalars) {
    const std::string_view key = name;
    if (key.starts_with("loss_")) {
      if (const double times = swings_[name].add(value); times > most) most = times, swings = name;
    }
    if (key == "loss_d") steps_at_zero_ = std::abs(value) < zero_loss ? steps_at_zero_ + 1 : 0;
    if (key.starts_with("grad_norm") && value > steep_) {
      steep = true;
      whose = name;
    }
  }
  const bool newly_steep = steep && steps_since_steep_ >= calm_steps;
  steps_since_steep_ = steep ? 0 : steps_since_steep_ + 1;
  const bool newly_swinging = most > swing && !swinging_;
  if (most > 0) swinging_ = most > swing;  // else within a stretch
  if (newly_steep) {
    return text(whose, " is over ", steep_,
                ": the training is becoming unstable; what helps: a lower --lr-g and --lr-d, --penalty r1, "
                "--clip-grad 10");
  }
  if (steps_at_zero_ == zero_loss_steps) {
    return text("the discriminator's loss has been 0 for ", zero_loss_steps,
                " steps: it tells real from fake without effort and the generator learns nothing; what helps: a lower "
                "--lr-d, --instance-noise 0.1, --label-smoothing 0.1, --penalty r1");
  }
  if (newly_swinging) {
    return text(swings, " swings ", std::lround(most),
                " times as much as it did: the balance of the game is lost; what ",
                "helps: a lower --lr-g and --lr-d, --schedule linear, --penalty r1, a larger --batch");
  }
  return {};
}

std::optional<std::string> FailureWatch::look_at_samples(const Tensor& fakes, const Tensor& reals) {
  const double fake = mean_pair_distance(fakes), real = mean_pair_distance(reals);
  const bool alike = fake < alike_share * real, newly = alike && !alike_;
  alike_ = alike;
  if (!newly) return {};
  return text("the samples are all alike: their mean distance is ", fake, ", the data's is ", real,
              "; the generator has collapsed onto few images; what helps: --penalty r1 or gp, --loss hinge or ra-gan, "
              "another --seed; of noise alone, --generators 4");
}

double mean_pair_distance(const Tensor& samples) {
  const int64_t n = samples.size(0);
  if (n < 2) return 0;
  const std::vector<double> x = to(samples, Device::cpu).to_vector();
  const size_t width = x.size() / static_cast<size_t>(n);
  double total = 0;
  for (size_t i = 0; i + width < x.size(); i += width) {
    double squares = 0;
    for (size_t k = i; k < i + width; k++) squares += std::pow(x[k] - x[k + width], 2);
    total += std::sqrt(squares);
  }
  return total / static_cast<double>(n - 1);
}

}  // namespace forger::gan
