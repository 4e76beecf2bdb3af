#include "metrics/collapse.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "metrics/distances.h"

namespace forger::metrics {
namespace {

using kernels::parallel_for;

constexpr double infinity = std::numeric_limits<double>::infinity();

size_t at(int64_t i) { return static_cast<size_t>(i); }

// f(sum, row, columns) for each row of each tile, over the pairs of two different rows, each once; the sums are added
// up in order.
template <class F>
double sum_of_pairs(const Cloud& cloud, const F& f) {
  std::vector<double> sums(at(cloud.rows.count));
  for_each_tile(cloud, [&](int64_t i, int64_t m, int64_t j, int64_t n, const double* d) {
    parallel_for(m, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) f(sums[at(i + r)], d + r * n, i == j ? r : n);
    });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

double mean_distance(const Cloud& cloud) {
  const auto n = static_cast<double>(cloud.rows.count);
  return sum_of_pairs(cloud,
                      [](double& sum, const double* d, int64_t count) {
                        for (int64_t i = 0; i < count; i++) sum += std::sqrt(d[i]);
                      }) /
         (n * (n - 1) / 2);
}

}  // namespace

Collapse collapse(const Tensor& real, const Tensor& fake) {
  const Cloud reals = cloud_of(real, "collapse", "real", 2), fakes = cloud_of(fake, "collapse", "fake", 2);
  check<ShapeError>(reals.rows.dims == fakes.rows.dims, "[collapse] rows differ in length: real ", real.shape(),
                    ", fake ", fake.shape());
  std::vector<double> smallest(at(reals.rows.count), infinity);
  for_each_tile(reals, [&](int64_t i, int64_t m, int64_t j, int64_t n, const double* d) {
    for (int64_t r = 0; r < m; r++) {
      for (int64_t c = 0; c < (i == j ? r : n); c++) {
        if (d[r * n + c] > 0) smallest[at(i + r)] = std::min(smallest[at(i + r)], d[r * n + c]);
      }
    }
  });
  const double least = *std::min_element(smallest.begin(), smallest.end());
  check<DataError>(least < infinity, "[collapse] all real rows are the same");
  Collapse result;
  result.diversity = mean_distance(fakes) / mean_distance(reals);
  result.threshold = std::sqrt(least) / 2;
  result.duplicates = static_cast<int64_t>(sum_of_pairs(fakes, [&](double& sum, const double* d, int64_t count) {
    for (int64_t i = 0; i < count; i++) sum += d[i] < least / 4;
  }));
  const auto n = static_cast<double>(fakes.rows.count);
  result.support_is_bound = result.duplicates == 0;
  result.support = n * (n - 1) / 2 / static_cast<double>(std::max<int64_t>(1, result.duplicates));
  return result;
}

}  // namespace forger::metrics
