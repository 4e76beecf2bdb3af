// Variety. Samples are tensors (N, ...) of float32 on the CPU.
//
// Nothing depends on the number of threads. ShapeError for arguments that do not fit each other, DataError for too few
// rows and for elements that are not finite.
#pragma once
#include <cstdint>

#include "core/tensor.h"

namespace forger::metrics {

// Mean distance of pairs of fakes over that of pairs of reals (1: as varied, 0: all alike), and how many different
// samples the generator has: Arora, Risteski, Zhang 2018, "Do GANs learn the distribution?", by the birthday paradox:
// with t pairs among the n(n-1)/2 closer than `threshold` (half the smallest distance above 0 of two reals, below which
// reals of this count show none but exact copies), the support is about n(n-1)/(2t). DataError when all reals are
// equal.
struct Collapse {
  double diversity = 0;    // mean pairwise distance, fakes / reals
  int64_t duplicates = 0;  // pairs of fakes closer than `threshold`
  double threshold = 0;    // a distance per row, Euclidean
  double support = 0;      // estimated number of different samples; a lower bound when there were no duplicates
  bool support_is_bound = false;
};
Collapse collapse(const Tensor& real, const Tensor& fake);

}  // namespace forger::metrics
