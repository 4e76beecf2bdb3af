// How much of what a picture is of lies open in its code: a linear classifier of codes, in closed form.
#pragma once
#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "gan/data.h"
#include "gan/recipe.h"
#include "gan/score.h"

namespace forger::metrics {

// The share of the second codes (M, L) whose class the classifier names that the first ones (N, L) make: ridge
// regression of one-hot rows on codes whose numbers have mean 0 and variance 1,
//
//   W = (X^T X / N + 1e-3 I)^-1 X^T Y / N,    the class of the largest of x W + mean Y
double linear_probe(const Tensor& codes, const std::vector<int64_t>& labels, const Tensor& unseen,
                    const std::vector<int64_t>& truths, int64_t classes);

// "probe": of a system with a view "encode", given one column of the data, on up to `count` rows of either set; beside
// it "untrained", the same of its encoder as `fresh` has it, which has learnt nothing. None without such a view or
// labels.
std::vector<gan::Score> linear_probe_scores(gan::Recipe& recipe, gan::Recipe& fresh, const gan::DataSet& train,
                                            const gan::DataSet& held_out, int64_t count);

}  // namespace forger::metrics
