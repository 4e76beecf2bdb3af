// The failure watch: looks at a run's numbers and says in plain words what usually goes wrong with a GAN.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "gan/recipe.h"

namespace forger::gan {

// What is known to go wrong with such settings, and what to do instead: a line each, before a run begins.
std::vector<std::string> doubts(const Settings& settings);

class FailureWatch {
 public:
  FailureWatch() = default;
  // Losses of a large weight have steep gradients: "lambda" raises the bound of what is steep.
  explicit FailureWatch(const Settings& settings);
  // After every step. A warning comes once per episode, not once per step.
  std::optional<std::string> look(const Scalars& scalars);
  // After every preview: fakes (N, ...) against reals (N, ...) by their mean distance between pairs.
  std::optional<std::string> look_at_samples(const Tensor& fakes, const Tensor& reals);

 private:
  // How much a loss swings: its standard deviation over each stretch of steps, beside the calmest stretch so far.
  struct Swing {
    double sum = 0, squares = 0, calmest = 0;
    int64_t steps = 0;
    // Adds a step's value; at a stretch's end how many times the calmest one's its deviation is, else 0.
    double add(double value);
  };
  double steep_ = 100;
  int64_t steps_at_zero_ = 0, steps_since_steep_ = 1 << 30;
  std::map<std::string, Swing> swings_;
  bool alike_ = false, swinging_ = false;
};

// Mean L2 distance between neighbours of samples (N, ...): sample i and i + 1. 0 for fewer than two samples.
double mean_pair_distance(const Tensor& samples);

}  // namespace forger::gan
