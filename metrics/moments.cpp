#include "metrics/moments.h"

#include <cmath>

#include "metrics/distances.h"

namespace forger::metrics {
namespace {

using kernels::parallel_for;

constexpr int64_t block_rows = 512;

size_t at(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

Moments::Moments(int64_t dims) : dims_(dims) {
  check<ShapeError>(dims > 0, "[moments] rows of ", dims, " features");
  block_.resize(at(block_rows * dims));
  mean_.resize(at(dims)), scatter_.resize(at(dims * dims));
}

void Moments::add(const Tensor& rows) {
  check_rows(rows, "moments", "features", 0);
  check<ShapeError>(rows.rank() == 2 && rows.size(1) == dims_, "[moments] features must be (n, ", dims_, "), got ",
                    rows.shape());
  for (int64_t i = 0, n = rows.size(0); i < n;) {
    const int64_t part = std::min(n - i, block_rows - pending_);
    widen(rows, i, i + part, block_.data() + pending_ * dims_);
    i += part, pending_ += part;
    if (pending_ < block_rows) continue;
    merge(block_.data(), pending_, merged_, mean_, scatter_);
    pending_ = 0;
  }
}

// Only the lower triangle of `scatter` is kept up. Means are taken from the first row on, so that equal rows have
// exactly their value as mean.
void Moments::merge(const double* rows, int64_t count, int64_t& total, std::vector<double>& mean,
                    std::vector<double>& scatter) const {
  constexpr int64_t strip = 256;
  std::vector<double> means(at(dims_)), centred(at(dims_ * count)), product(at(std::min(strip, dims_) * dims_));
  parallel_for(dims_, 16, [&](int64_t begin, int64_t end) {  // centred (D, count)
    for (int64_t i = begin; i < end; i++) {
      double* const column = centred.data() + i * count;
      double sum = 0;
      for (int64_t r = 0; r < count; r++) {
        column[r] = rows[r * dims_ + i];
        sum += column[r] - rows[i];
      }
      means[at(i)] = rows[i] + sum / static_cast<double>(count);
      for (int64_t r = 0; r < count; r++) column[r] -= means[at(i)];
    }
  });
  const double before = static_cast<double>(total), added = static_cast<double>(count), after = before + added;
  std::vector<double> apart(at(dims_));
  for (int64_t i = 0; i < dims_; i++) {
    apart[at(i)] = total > 0 ? means[at(i)] - mean[at(i)] : 0;
    mean[at(i)] = total > 0 ? mean[at(i)] + apart[at(i)] * (added / after) : means[at(i)];
  }
  for (int64_t begin = 0; begin < dims_; begin += strip) {
    const int64_t end = std::min(dims_, begin + strip);
    products(end - begin, end, count, centred.data() + begin * count, centred.data(), product.data());
    parallel_for(end - begin, 16, [&](int64_t from, int64_t to) {
      for (int64_t i = begin + from; i < begin + to; i++) {
        double* const row = scatter.data() + i * dims_;
        const double *const sums = product.data() + (i - begin) * end, scale = apart[at(i)] * (before * added / after);
        for (int64_t j = 0; j <= i; j++) row[j] += sums[j] + scale * apart[at(j)];
      }
    });
  }
  total += count;
}

Gaussian Moments::gaussian() const {
  check<DataError>(count() >= 2, "[moments] a covariance needs at least 2 rows, got ", count());
  Gaussian g{merged_, mean_, scatter_};
  if (pending_ > 0) merge(block_.data(), pending_, g.count, g.mean, g.covariance);
  for (int64_t i = 0; i < dims_; i++) {
    for (int64_t j = 0; j <= i; j++) {
      double& x = g.covariance[at(i * dims_ + j)];
      x /= static_cast<double>(g.count - 1);
      check<DataError>(std::isfinite(x), "[moments] the features are too large: covariance ", i, ", ", j, " overflows");
      g.covariance[at(j * dims_ + i)] = x;
    }
  }
  return g;
}

}  // namespace forger::metrics
