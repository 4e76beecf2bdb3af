// Mean and covariance of features: all that a Frechet distance (statistics.h) needs of a set. Rows are those of
// statistics.h, and so is what becomes of bad ones.
#pragma once
#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace forger::metrics {

struct Gaussian {
  int64_t count = 0;               // rows seen
  std::vector<double> mean;        // (D)
  std::vector<double> covariance;  // (D, D), divided by count - 1
  int64_t dims() const { return static_cast<int64_t>(mean.size()); }
};

// Streaming mean and covariance: blocks of a fixed number of rows are centred and merged (Chan, Golub, LeVeque 1983,
// "Algorithms for computing the sample variance"). Means are taken from a block's first row on, so that a constant
// feature has variance 0 exactly.
class Moments {
 public:
  explicit Moments(int64_t dims);
  void add(const Tensor& rows);  // (n, dims)
  Gaussian gaussian() const;     // of all rows so far; DataError below two
  int64_t count() const { return merged_ + pending_; }

 private:
  void merge(const double* rows, int64_t count, int64_t& total, std::vector<double>& mean,
             std::vector<double>& scatter) const;
  int64_t dims_, merged_ = 0, pending_ = 0;
  std::vector<double> block_;           // (block rows, D), the last `pending_` rows
  std::vector<double> mean_, scatter_;  // of merged rows; scatter = sum of (x - mean)(x - mean)^T
};

}  // namespace forger::metrics
