// How steep a critic is: what a Lipschitz bound promises, measured.
#pragma once
#include <vector>

#include "gan/data.h"
#include "gan/recipe.h"
#include "gan/score.h"

namespace forger::metrics {

// "slope": the length of D's gradient at x^ = fake + u (real - fake), u ~ U(0, 1), where the penalty of WGAN-GP looks:
// its mean, 99th percentile ("p99") and largest value ("most") over `count` fresh points, no more than there are held-out
// rows. Real samples are the first rows of `held_out`, fakes those of the system's sampling view, D its view "judge".
// "sigma": of a system with layers under spectral norm, the least and the largest ("most") of the largest singular values
// of the matrices that they compute with, by SVD: 1, if the power iterations have done their work.
// UsageError for a system without a view "judge".
std::vector<gan::Score> slope_scores(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count, uint64_t seed);

}  // namespace forger::metrics
