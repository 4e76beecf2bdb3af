// Does a generator tell the truth? Likelihood, copies of the training set, modes that are missing, variety.
//
// Samples are tensors (N, ...) of float32 on the CPU: images (N, H, W, C) in [-1, 1], features (N, D) or points (N, 2).
// Nothing depends on the number of threads. ShapeError for arguments that do not fit each other, DataError for too few
// rows and for elements that are not finite.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"

namespace forger::metrics {

// Told as long work goes on: `done` of `total` units. May be empty.
using Ticker = std::function<void(int64_t done, int64_t total)>;

// ---- likelihood -----------------------------------------------------------------------------------------------------

// Mean log-likelihood, in nats, of `test` under a Parzen window on `samples`: a mixture of Gaussians of standard
// deviation sigma around each. sigma is the one of `candidates` with the highest mean on `validation`; by default, 31
// on a logarithmic scale, from a tenth of the median distance of a validation row to its nearest sample over sqrt(D) to
// ten times that or the spread of the samples, whichever is more (in many dimensions the best is about the distance, in
// few it is far above). Breuleux, Bengio, Vincent 2011; Goodfellow et al. 2014, section 5. It rewards copies and
// punishes sharp pictures in high dimensions (Theis et al. 2016, arXiv:1511.01844): to be read beside the others, never
// alone. UsageError for a candidate that is not above 0.
struct Parzen {
  double log_likelihood = 0;
  double standard_error = 0;  // of the mean over the test rows
  double sigma = 0;
  bool sigma_at_edge = false;  // the best candidate was the first or last: widen the range
};
Parzen parzen(const Tensor& samples, const Tensor& validation, const Tensor& test,
              std::span<const double> candidates = {}, const Ticker& ticker = {});

// ---- memorisation ---------------------------------------------------------------------------------------------------

// Where a sample's nearest neighbour is: in `train` or in `held_out`. A generator that has learnt the distribution is
// no nearer to the images it has seen than to others, so each nearest one lies in `train` with probability
// Ntrain/(Ntrain + Nheld); copies shift that. Samples that share their nearest neighbour share its luck, and some
// images (plain ones) are the nearest of very many: so the draws counted are not samples but the different nearest
// rows, each weighted by its samples. p is the exact one-sided probability of a weight of at least `in_train` in
// `train`; the binomial test, when all are different. A generator that copies r images only cannot have a p below
// expected^r. This holds for any dependence between samples, as long as chance decided who was held out.
//
// Rows at one and the same distance draw lots, each with the same chance, the same ones in each call. Distances are
// exact: float32 products only choose whom to compare.
struct Memorisation {
  int64_t count = 0;     // samples judged
  int64_t in_train = 0;  // ... whose nearest neighbour is a training row
  int64_t distinct = 0;  // different rows, of both sets, that are the nearest of a sample
  double expected = 0;   // share of those in `train` under the null hypothesis
  double p = 1;
  double median_ratio = 0;       // median of distance to the nearest training row / to the nearest held-out row
  std::vector<int64_t> nearest;  // training row nearest to each; the first of equals
  std::vector<double> distance;  // to it, root mean square per pixel (or per feature)
};
// Rows as they are: features (N, D).
Memorisation memorisation(const Tensor& samples, const Tensor& train, const Tensor& held_out,
                          const Ticker& ticker = {});
// Images, shift-aware: the distance is the least over the sample moved by up to `shift` pixels along both axes,
// mirrored and not, on the common (H - 2*shift, W - 2*shift) pixels, so that a moved or mirrored copy is at distance 0.
Memorisation memorisation_of_images(const Tensor& samples, const Tensor& train, const Tensor& held_out,
                                    int64_t shift = 3, const Ticker& ticker = {});

// The `k` images of `train` nearest to each sample by that distance, the nearest first; the earlier of equals.
struct Neighbour {
  int64_t row = 0;
  double distance = 0;  // root mean square per pixel
};
std::vector<std::vector<Neighbour>> nearest_images(const Tensor& samples, const Tensor& train, int64_t k,
                                                   int64_t shift = 3, const Ticker& ticker = {});

// ---- variety --------------------------------------------------------------------------------------------------------

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

// Modes of a mixture in the plane: a sample is of high quality within 3 standard deviations of the nearest mode; a mode
// is covered when it gets one (Srivastava et al. 2017, arXiv:1705.07761). Between two modes the first counts.
struct ModeCoverage {
  int64_t modes = 0, covered = 0;
  double high_quality = 0;       // share of samples
  std::vector<int64_t> samples;  // of high quality, by mode
};
ModeCoverage mode_coverage(const Tensor& points, std::span<const std::array<double, 2>> centres, double stddev);

}  // namespace forger::metrics
