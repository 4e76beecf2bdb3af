// What the codes of a system that saw no label have come to stand for: its categories beside the classes of the data,
// its numbers beside what is measured of a picture.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "gan/recipe.h"
#include "gan/score.h"
#include "metrics/judge.h"

namespace forger::metrics {

// counts (rows, columns), row-major. Of all ways to give each row a column of its own, or each column a row where there
// are more rows, one whose counts have the largest sum: the column of each row, -1: none. (The Hungarian method: Kuhn
// 1955; shortest augmenting paths, O(n^3).)
std::vector<int64_t> best_matching(std::span<const int64_t> counts, int64_t rows, int64_t columns);

// The correlation of two lists of numbers, each seen from its mean in the group that it is in; 0 where either does not
// vary.
double correlation_within(std::span<const double> x, std::span<const double> y, std::span<const int64_t> groups);

// Of a system whose sampling view draws a "category" and numbers "code" (InfoGAN); none of another.
//   category       share of `count` samples that the judge takes for the class that their category is matched with; its
//                  `classes` are the categories, each with the class that it comes out as most often
//   category.real  the same of `held_out`, by the system's view "read": how well it sorts pictures; the matching is of
//                  these pictures
//   code-K         correlation of the K-th number with what is measured of its sample (gan/captions.h), within
//                  categories
// Beside a share stands "purity", that of a matching where categories may have the same class.
std::vector<gan::Score> code_scores(gan::Recipe& recipe, const Judge& judge, const gan::DataSet& held_out,
                                    int64_t count, uint64_t seed);

}  // namespace forger::metrics
