// What the tests of reductions share on every backend: cases and their shapes.
#pragma once
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

// An array and which of its axes are reduced.
struct Case {
  std::vector<int64_t> sizes;
  std::vector<bool> reduced;
};

// The case in the kernels' words.
inline ReduceShape shape_of(const Case& c) {
  ReduceShape s;
  s.rank = static_cast<int>(c.sizes.size());
  for (int i = 0; i < s.rank; i++) {
    s.sizes[i] = c.sizes[i];
    s.reduced[i] = c.reduced[i];
  }
  return s;
}

// Elements of the array, or of the result.
inline int64_t count(const Case& c, bool also_reduced) {
  int64_t n = 1;
  for (size_t i = 0; i < c.sizes.size(); i++)
    if (also_reduced || !c.reduced[i]) n *= c.sizes[i];
  return n;
}

inline constexpr bool keep = false, fold = true;

// Every pattern of axes, and the backend's own sizes behind them.
inline std::vector<Case> cases_and(const std::vector<Case>& own) {
  std::vector<Case> cases = {
      {{}, {}},
      {{5}, {keep}},
      {{1}, {fold}},
      {{31}, {fold}},
      {{33}, {fold}},
      {{700, 1}, {keep, fold}},
      {{257, 3}, {keep, fold}},
      {{33, 1000}, {keep, fold}},
      {{500, 1}, {fold, keep}},
      {{1, 5}, {fold, keep}},
      {{2, 5}, {fold, keep}},
      {{1000, 33}, {fold, keep}},
      {{31, 257}, {fold, keep}},
      {{3, 100, 7}, {keep, fold, keep}},
      {{11, 6, 13}, {fold, keep, fold}},
      {{3, 4, 5, 6}, {keep, fold, keep, fold}},
      {{4, 3, 5, 2, 3, 7}, {fold, keep, fold, keep, fold, keep}},
      {{4, 3, 5, 2, 3, 7}, {keep, fold, keep, fold, keep, fold}},
      {{3, 4, 5}, {fold, fold, keep}},
      {{0}, {fold}},
      {{0, 5}, {fold, keep}},
      {{5, 0}, {keep, fold}},
      {{0, 5}, {keep, fold}},
      {{2, 0, 3}, {keep, fold, keep}},
  };
  cases.insert(cases.end(), own.begin(), own.end());
  return cases;
}

}  // namespace forger::kernels
