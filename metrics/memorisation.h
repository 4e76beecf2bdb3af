// Copies of the training set. Samples are tensors of float32 on the CPU: images (N, H, W, C) in [-1, 1] or features
// (N, D).
//
// Nothing depends on the number of threads. ShapeError for arguments that do not fit each other, DataError for too few
// rows and for elements that are not finite.
#pragma once
#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "metrics/ticker.h"

namespace forger::metrics {

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

}  // namespace forger::metrics
