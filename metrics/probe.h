// What a code says: which labels a fresh classifier finds in it.
#pragma once
#include <span>
#include <vector>

#include "gan/data.h"
#include "gan/recipe.h"
#include "metrics/evaluate.h"

namespace forger::metrics {

// Rows of a set in which a system is looked at: the first of a shuffle, for folders are sorted by class.
std::vector<int64_t> some_rows(const gan::DataSet& data, int64_t most, uint64_t seed);
// What a view that draws nothing makes of rows of a set, such as codes (rows, K); on the CPU.
Tensor made_of(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& data, std::span<const int64_t> rows);

// The share of rows of which two lists of classes (N) say the same.
double share_of_equal(const Tensor& a, const Tensor& b);

// For each view of the system that makes a "code" (N, K) of rows of the data, and each column of labels, one a row:
//   VIEW.COLUMN         share of held-out rows whose label is named by a classifier of three layers, learnt on the codes
//                       of training rows, all of them or the first ones of a shuffle
//   VIEW.COLUMN_chance  the same of the label that most held-out rows have
// None where there is no such view. The codes are as they are: nothing of the system learns.
gan::Scalars probe(gan::Recipe& recipe, const gan::DataSet& train, const gan::DataSet& held_out, int64_t most,
                   uint64_t seed, const Announcer& announce = {});

}  // namespace forger::metrics
