// The failure watch: looks at a run's numbers and says in plain words what usually goes wrong with a GAN.
#pragma once
#include <optional>
#include <string>

#include "gan/recipe.h"

namespace forger::gan {

// What is known to go wrong with such settings, and what to do instead: a line each, before a run begins.
std::vector<std::string> doubts(const Settings& settings);

class FailureWatch {
 public:
  // After every step. A warning comes once per episode, not once per step.
  std::optional<std::string> look(const Scalars& scalars);
  // After every preview: fakes (N, ...) against reals (N, ...) by their mean distance between pairs.
  std::optional<std::string> look_at_samples(const Tensor& fakes, const Tensor& reals);

 private:
  int64_t steps_at_zero_ = 0, steps_since_steep_ = 1 << 30;
  bool alike_ = false;
};

// Mean L2 distance between neighbours of samples (N, ...): sample i and i + 1. 0 for fewer than two samples.
double mean_pair_distance(const Tensor& samples);

}  // namespace forger::gan
