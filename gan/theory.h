// What the theory of the game says, computed and trained: optimal discriminators between distributions that are known,
// beside the closed forms that they should come to.
#pragma once
#include <functional>
#include <vector>

#include "gan/plot.h"

namespace forger::gan {

struct TheoryOptions {
  int64_t steps = 1500;  // of each discriminator's training
  uint64_t seed = 0;     // of its first weights
  // Told before each figure; may throw Interrupted.
  std::function<void(int64_t done, int64_t total)> ticker = {};
};

// In the order in which they explain each other:
//   optimal-discriminator   D(x) trained, against p/(p + q)                             Goodfellow et al. 2014, prop. 1
//   game-value              V(G, D) of the trained D, against 2 JSD - log 4             theorem 1, by distance
//   supports                JSD and the Wasserstein estimate as two lines move apart    Arjovsky et al. 2017, example 1
//   generator-gradients     of the saturating and the non-saturating loss, by D's verdict
//   divergences             every f-divergence's bound against its closed form          Nowozin et al. 2016
//   likelihood              mean log-likelihood and -KL differ by a constant            maximum likelihood = minimal KL
std::vector<Plot> theory_plots(const TheoryOptions& options);

}  // namespace forger::gan
