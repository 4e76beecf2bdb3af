// Likelihood of real samples under a generator. Samples are tensors (N, ...) of float32 on the CPU.
//
// Nothing depends on the number of threads. ShapeError for arguments that do not fit each other, DataError for too few
// rows and for elements that are not finite.
#pragma once
#include <span>

#include "core/tensor.h"
#include "metrics/ticker.h"

namespace forger::metrics {

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

}  // namespace forger::metrics
