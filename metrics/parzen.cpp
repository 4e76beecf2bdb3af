#include "metrics/parzen.h"

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

std::vector<double> nearest_squares(const Cloud& rows, const Cloud& samples) {
  std::vector<double> nearest(at(rows.rows.count), infinity);
  for_each_tile(rows, samples, [&](int64_t i, int64_t m, int64_t, int64_t n, const double* d) {
    for (int64_t r = 0; r < m; r++) {
      nearest[at(i + r)] = std::min(nearest[at(i + r)], *std::min_element(d + r * n, d + (r + 1) * n));
    }
  });
  return nearest;
}

// (sigmas, rows): the log-likelihood of each row under each sigma. Terms below e^-40 of a row's largest add nothing.
std::vector<std::vector<double>> log_likelihoods(const Cloud& rows, const Cloud& samples,
                                                 const std::vector<double>& nearest, std::span<const double> sigmas,
                                                 const Ticker& ticker) {
  constexpr double negligible = 40;
  const int64_t count = rows.rows.count;
  std::vector<int64_t> widest(sigmas.size());  // first
  std::iota(widest.begin(), widest.end(), int64_t{0});
  std::stable_sort(widest.begin(), widest.end(), [&](int64_t a, int64_t b) { return sigmas[at(a)] > sigmas[at(b)]; });
  std::vector<std::vector<double>> result(sigmas.size(), std::vector<double>(at(count)));
  for_each_tile(rows, samples, [&](int64_t i, int64_t m, int64_t j, int64_t n, const double* d) {
    parallel_for(m, 4, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        for (int64_t c = 0; c < n; c++) {
          const double beyond = d[r * n + c] - nearest[at(i + r)];
          for (const int64_t s : widest) {
            const double exponent = beyond / (2 * sigmas[at(s)] * sigmas[at(s)]);
            if (exponent > negligible) break;
            result[at(s)][at(i + r)] += std::exp(-exponent);
          }
        }
      }
    });
    if (ticker && j + n == samples.rows.count) ticker(i + m, count);
  });
  const double pi = std::acos(-1.0), dims = static_cast<double>(rows.rows.dims);
  for (size_t s = 0; s < sigmas.size(); s++) {
    const double variance = sigmas[s] * sigmas[s];
    for (int64_t r = 0; r < count; r++) {
      result[s][at(r)] = std::log(result[s][at(r)]) - nearest[at(r)] / (2 * variance) -
                         std::log(static_cast<double>(samples.rows.count)) - dims / 2 * std::log(2 * pi * variance);
    }
  }
  return result;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

Parzen parzen(const Tensor& samples, const Tensor& validation, const Tensor& test, std::span<const double> candidates,
              const Ticker& ticker) {
  for (const double sigma : candidates) {
    check<UsageError>(std::isfinite(sigma) && sigma > 0, "[parzen] a bandwidth must be above 0, got ", sigma);
  }
  Parzen result;
  int64_t validated = 0;
  {
    const auto [x, of] = clouds_of(validation, "validation", 1, samples, "samples", 1, "parzen");
    validated = x.rows.count;
    check_rows(test, "parzen", "test", 2);
    const std::vector<double> nearest = nearest_squares(x, of);
    std::vector<double> chosen(candidates.begin(), candidates.end());
    if (chosen.empty()) {
      std::vector<double> away;
      for (const double square : nearest) {
        if (square > 0) away.push_back(std::sqrt(square / static_cast<double>(x.rows.dims)));
      }
      check<DataError>(!away.empty(), "[parzen] no bandwidth: every validation row is a sample");
      constexpr int steps = 30;
      const double middle = median(away), lowest = middle / 10;
      const double spread = std::sqrt(mean_of(of.squares) / static_cast<double>(of.rows.dims));
      const double ratio = std::max(10 * middle, spread) / lowest;
      for (int i = 0; i <= steps; i++) chosen.push_back(lowest * std::pow(ratio, static_cast<double>(i) / steps));
    }
    const int64_t all = validated + test.size(0);
    const auto by_sigma = log_likelihoods(x, of, nearest, chosen, [&](int64_t done, int64_t) {
      if (ticker) ticker(done, all);
    });
    size_t best = 0;
    for (size_t s = 1; s < chosen.size(); s++) {
      if (mean_of(by_sigma[s]) > mean_of(by_sigma[best])) best = s;
    }
    result.sigma = chosen[best];
    const auto [least, most] = std::minmax_element(chosen.begin(), chosen.end());
    result.sigma_at_edge = result.sigma == *least || result.sigma == *most;
  }
  const auto [x, of] = clouds_of(test, "test", 2, samples, "samples", 1, "parzen");
  const std::vector<double> values =
      log_likelihoods(x, of, nearest_squares(x, of), std::span(&result.sigma, 1), [&](int64_t done, int64_t count) {
        if (ticker) ticker(validated + done, validated + count);
      })[0];
  result.log_likelihood = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - result.log_likelihood) * (value - result.log_likelihood);
  const auto n = static_cast<double>(values.size());
  result.standard_error = std::sqrt(squares / (n - 1) / n);
  return result;
}

}  // namespace forger::metrics
