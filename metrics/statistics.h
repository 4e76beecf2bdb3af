// Scores of two clouds of features, by the published definitions. Pure functions of matrices: what made the features is
// not their business (inception.h, judge.h).
//
// Features are tensors (N, D) of float32 or float64 on the CPU, a row per image; all arithmetic is float64. Results do
// not depend on how rows were batched nor on the number of threads, to the last bit, and are finite. Features that are
// not finite or whose squares (for KID, cubes) overflow, and too few rows, are one line: DataError; shapes, orders and
// numbers that do not fit are the caller's mistake: ShapeError.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "metrics/moments.h"

namespace forger::metrics {

struct Spread {
  double value = 0;
  double spread = 0;  // standard deviation (population) over the splits or subsets
};

// ---- distances of distributions -------------------------------------------------------------------------------------

// |m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)): Heusel et al. 2017, arXiv:1706.08500, equation 6; FID on Inception's
// features. With S = F F^T the last trace is the sum of the singular values of F1^T F2, so no square root of a product
// is ever taken: no imaginary parts, singular covariances included, and a set is at distance 0 from itself to rounding.
// F is a Cholesky factor with pivots, far cheaper than eigenvectors; what lies below D * 2^-52 of the features'
// variances is taken for 0 in both. Never negative. A covariance that is not symmetric or has negative eigenvalues
// beyond rounding is a DataError.
double frechet_distance(const Gaussian& a, const Gaussian& b);

// Rows drawn for one estimate of KID, without replacement, from each side. DataError when there are fewer than `size`.
struct Subset {
  std::vector<int64_t> a, b;
};
std::vector<Subset> draw_subsets(int64_t count_a, int64_t count_b, int64_t subsets, int64_t size, Random& random);

// Mean over subsets of the unbiased MMD^2 with the kernel (x.y/D + 1)^3: Binkowski et al. 2018, arXiv:1801.01401,
// section 4; KID on Inception's features. May be negative. Published: 100 subsets of 1,000.
Spread kernel_distance(const Tensor& a, const Tensor& b, std::span<const Subset> subsets);

// exp of the mean KL(p(y|x) || p(y)) in each of `splits` equal parts of the rows taken in `order`: Salimans et al.
// 2016, arXiv:1606.03498. logits (N, classes); published: Inception's logits without the bias, 10 splits, a random
// order. Part k is [k*N/splits, (k+1)*N/splits), rounded down.
Spread inception_score(const Tensor& logits, std::span<const int64_t> order, int64_t splits = 10);

// ---- manifolds of nearest neighbours --------------------------------------------------------------------------------

// Share of fakes within some real row's ball, and of reals within some fake's; a row's ball reaches (<=) its k-th
// nearest other row of its own set (copies of the row are others). Kynkaanniemi et al. 2019, arXiv:1904.06991,
// equations 1 and 2; published: k = 3.
struct PrecisionRecall {
  double precision = 0, recall = 0;
};
PrecisionRecall precision_recall(const Tensor& real, const Tensor& fake, int64_t k = 3);

// Mean number of real balls (<) around a fake, over k; share of reals with a fake in their ball (<). Naeem et al. 2020,
// arXiv:2002.09797, equations 4 and 5; published: k = 5.
struct DensityCoverage {
  double density = 0, coverage = 0;
};
DensityCoverage density_coverage(const Tensor& real, const Tensor& fake, int64_t k = 5);

}  // namespace forger::metrics
