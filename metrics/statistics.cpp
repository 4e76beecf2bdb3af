#include "metrics/statistics.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "metrics/distances.h"
#include "metrics/linear_algebra.h"

namespace forger::metrics {
namespace {

using kernels::parallel_for;

size_t at(int64_t i) { return static_cast<size_t>(i); }

Spread spread_of(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double x : values) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / n)};
}

// ---- Frechet distance -----------------------------------------------------------------------------------------------

// F with S = F F^T, and the trace of F F^T. Correlations are factored, so that features of small variance count too.
struct Root {
  Factor factor;
  double trace = 0;
};
Root root_of(const Gaussian& g, const char* which) {
  const int64_t n = g.dims();
  std::vector<double> scale(at(n)), correlations(at(n * n));
  for (int64_t i = 0; i < n; i++) {
    const double variance = g.covariance[at(i * n + i)];
    check<DataError>(variance >= 0, "[frechet_distance] ", which, " covariance is none: variance ", i, " is ",
                     variance);
    scale[at(i)] = std::sqrt(variance);
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      const double limit = scale[at(i)] * scale[at(j)], s = g.covariance[at(i * n + j)];
      check<DataError>(std::abs(s - g.covariance[at(j * n + i)]) <= 1e-6 * limit && std::abs(s) <= (1 + 1e-6) * limit,
                       "[frechet_distance] ", which, " covariance is none: element ", i, ", ", j, " is ", s,
                       ", its mirror ", g.covariance[at(j * n + i)], ", the deviations ", scale[at(i)], " and ",
                       scale[at(j)]);
      correlations[at(i * n + j)] = i == j ? (limit > 0) : limit > 0 ? s / limit : 0;
    }
  }
  std::optional<Factor> factor = factor_of(std::move(correlations), n);
  check<DataError>(factor.has_value(), "[frechet_distance] ", which,
                   " covariance is none: it has negative eigenvalues");
  Root root{std::move(*factor)};
  const int64_t rank = root.factor.rank;
  for (int64_t i = 0; i < n * rank; i++) {
    double& x = root.factor.values[at(i)];
    x *= scale[at(i / rank)];
    root.trace += x * x;
  }
  return root;
}

void check_gaussian(const Gaussian& g, const char* which) {
  check<ShapeError>(g.dims() > 0 && std::ssize(g.covariance) == g.dims() * g.dims(), "[frechet_distance] ", which,
                    " has a mean of ", g.dims(), " and a covariance of ", g.covariance.size(), " numbers");
  const auto finite = [](double x) { return std::isfinite(x); };
  check<DataError>(std::all_of(g.mean.begin(), g.mean.end(), finite) &&
                       std::all_of(g.covariance.begin(), g.covariance.end(), finite),
                   "[frechet_distance] ", which, " statistics are not finite");
}

// ---- nearest neighbours ---------------------------------------------------------------------------------------------

// The squared distance of each row to its k-th nearest other row.
std::vector<double> radii(const Cloud& cloud, int64_t k) {
  const int64_t n = cloud.rows.count;
  std::vector<double> nearest(at(n * k), std::numeric_limits<double>::infinity());  // (n, k), ascending
  const auto offer = [&](int64_t row, double d) {
    double* const list = nearest.data() + row * k;
    if (!(d < list[k - 1])) return;
    int64_t place = k - 1;
    for (; place > 0 && d < list[place - 1]; place--) list[place] = list[place - 1];
    list[place] = d;
  };
  for_each_tile(cloud, [&](int64_t i, int64_t rows, int64_t j, int64_t cols, const double* d) {
    parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        for (int64_t c = 0; c < cols; c++) {
          if (i + r != j + c) offer(i + r, d[r * cols + c]);
        }
      }
    });
    if (i == j) return;
    parallel_for(cols, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = begin; c < end; c++) offer(j + c, d[r * cols + c]);
      }
    });
  });
  std::vector<double> result(at(n));
  for (int64_t i = 0; i < n; i++) result[at(i)] = nearest[at(i * k + k - 1)];
  return result;
}

double share(const std::vector<uint8_t>& marked) {
  return static_cast<double>(std::accumulate(marked.begin(), marked.end(), int64_t{0})) /
         static_cast<double>(marked.size());
}

}  // namespace

// ---- distances of distributions -------------------------------------------------------------------------------------

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  check_gaussian(a, "the first");
  check_gaussian(b, "the second");
  check<ShapeError>(a.dims() == b.dims(), "[frechet_distance] the first has ", a.dims(), " features, the second ",
                    b.dims());
  double means = 0;
  for (int64_t i = 0; i < a.dims(); i++) means += (a.mean[at(i)] - b.mean[at(i)]) * (a.mean[at(i)] - b.mean[at(i)]);
  const Root f = root_of(a, "the first"), g = root_of(b, "the second");
  const int64_t m = f.factor.rank, n = g.factor.rank;
  double overlap = 0;
  if (m > 0 && n > 0) {
    std::vector<double> product(at(m * n));
    kernels::Cpu<double>::matmul({.m = m, .n = n, .k = a.dims(), .trans_a = true}, f.factor.values.data(),
                                 g.factor.values.data(), product.data());
    overlap = nuclear_norm(product, m, n);
  }
  const double distance = means + std::max(0.0, f.trace + g.trace - 2 * overlap);
  check<DataError>(std::isfinite(distance), "[frechet_distance] the statistics are too large: the distance overflows");
  return distance;
}

std::vector<Subset> draw_subsets(int64_t count_a, int64_t count_b, int64_t subsets, int64_t size, Random& random) {
  check<ShapeError>(subsets >= 1 && size >= 2, "[draw_subsets] expects at least 1 subset of at least 2 rows, got ",
                    subsets, " of ", size);
  check<DataError>(size <= count_a && size <= count_b, "[draw_subsets] subsets of ", size, " rows need as many, got ",
                   count_a, " and ", count_b);
  std::vector<Subset> drawn(at(subsets));
  for (Subset& subset : drawn) {
    subset.a = random.permutation(count_a), subset.b = random.permutation(count_b);
    subset.a.resize(at(size)), subset.b.resize(at(size));
  }
  return drawn;
}

Spread kernel_distance(const Tensor& a, const Tensor& b, std::span<const Subset> subsets) {
  constexpr int64_t strip = 256;
  check_rows(a, "kernel_distance", "a", 2);
  check_rows(b, "kernel_distance", "b", 2);
  const int64_t dims = a.numel() / a.size(0);
  check<ShapeError>(b.numel() / b.size(0) == dims, "[kernel_distance] rows differ in length: a ", a.shape(), ", b ",
                    b.shape());
  check<ShapeError>(!subsets.empty(), "[kernel_distance] no subsets");
  std::vector<double> estimates;
  std::vector<double> rows, product;
  for (const Subset& subset : subsets) {
    const int64_t m = std::ssize(subset.a), n = std::ssize(subset.b), all = m + n;
    check<ShapeError>(m >= 2 && n >= 2, "[kernel_distance] a subset needs 2 rows of each, has ", m, " and ", n);
    for (const auto& [x, indices] : {std::pair(&a, &subset.a), {&b, &subset.b}}) {
      for (const int64_t i : *indices) {
        check<ShapeError>(i >= 0 && i < x->size(0), "[kernel_distance] a subset has row ", i, " of ", x->size(0));
      }
    }
    // The rows of both sides under each other, and strip by strip the lower triangle of all their products.
    rows.resize(at(all * dims)), product.resize(at(std::min(strip, all) * all));
    parallel_for(all, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        const int64_t i = r < m ? subset.a[at(r)] : subset.b[at(r - m)];
        widen(r < m ? a : b, i, i + 1, rows.data() + r * dims);
      }
    });
    // By row: the sum of the kernel with rows of a and with rows of b before it.
    std::vector<double> with_a(at(all)), with_b(at(all));
    for (int64_t begin = 0; begin < all; begin += strip) {
      const int64_t end = std::min(all, begin + strip);
      products(end - begin, end, dims, rows.data() + begin * dims, rows.data(), product.data());
      parallel_for(end - begin, 16, [&](int64_t from, int64_t to) {
        for (int64_t r = begin + from; r < begin + to; r++) {
          const double* const row = product.data() + (r - begin) * end;
          const auto sum = [&](int64_t first, int64_t last) {
            double total = 0;
            for (int64_t c = first; c < last; c++) {
              const double x = row[c] / static_cast<double>(dims) + 1;
              total += x * x * x;
            }
            return total;
          };
          with_a[at(r)] = sum(0, std::min(r, m)), with_b[at(r)] = sum(m, std::max(r, m));
        }
      });
    }
    const auto total = [](const std::vector<double>& sums, int64_t first, int64_t last) {
      return std::accumulate(sums.begin() + first, sums.begin() + last, 0.0);
    };
    const auto x = static_cast<double>(m), y = static_cast<double>(n);
    const double estimate = 2 * total(with_a, 0, m) / (x * (x - 1)) + 2 * total(with_b, m, all) / (y * (y - 1)) -
                            2 * total(with_a, m, all) / (x * y);
    check<DataError>(std::isfinite(estimate), "[kernel_distance] the features are too large: their cubes overflow");
    estimates.push_back(estimate);
  }
  return spread_of(estimates);
}

Spread inception_score(const Tensor& logits, std::span<const int64_t> order, int64_t splits) {
  const Rows rows = rows_of(logits, "inception_score", "logits");
  const int64_t n = rows.count, classes = rows.dims;
  check<ShapeError>(std::ssize(order) == n, "[inception_score] ", n, " rows, but an order of ", order.size());
  check<ShapeError>(splits >= 1, "[inception_score] ", splits, " splits");
  check<DataError>(splits <= n, "[inception_score] ", splits, " splits need as many rows, got ", n);
  std::vector<uint8_t> seen(at(n));
  for (const int64_t i : order) {
    check<ShapeError>(i >= 0 && i < n && !seen[at(i)]++, "[inception_score] the order is no permutation: ", i);
  }
  std::vector<double> scores, p(at(classes)), mean(at(classes));
  for (int64_t k = 0; k < splits; k++) {
    const int64_t begin = k * n / splits, end = (k + 1) * n / splits;
    // mean KL(p || q) = mean sum p log p - sum q log q with q = mean p; 0 log 0 = 0
    double negentropy = 0;
    std::fill(mean.begin(), mean.end(), 0.0);
    for (int64_t i = begin; i < end; i++) {
      const double* const x = rows.at(order[at(i)]);
      const double top = *std::max_element(x, x + classes);
      double sum = 0;
      for (int64_t c = 0; c < classes; c++) sum += p[at(c)] = std::exp(x[c] - top);
      const double log_sum = std::log(sum);
      for (int64_t c = 0; c < classes; c++) {
        p[at(c)] /= sum;
        mean[at(c)] += p[at(c)];
        negentropy += p[at(c)] * (x[c] - top - log_sum);
      }
    }
    const double part = static_cast<double>(end - begin);
    double kl = negentropy / part;
    for (const double sum : mean) kl -= sum > 0 ? sum / part * std::log(sum / part) : 0;
    scores.push_back(std::exp(std::max(0.0, kl)));
  }
  return spread_of(scores);
}

// ---- manifolds of nearest neighbours --------------------------------------------------------------------------------

PrecisionRecall precision_recall(const Tensor& real, const Tensor& fake, int64_t k) {
  check<ShapeError>(k >= 1, "[precision_recall] k = ", k);
  const auto [reals, fakes] = clouds_of(real, "real", k + 1, fake, "fake", k + 1, "precision_recall");
  const std::vector<double> real_radii = radii(reals, k), fake_radii = radii(fakes, k);
  std::vector<uint8_t> precise(at(fakes.rows.count)), recalled(at(reals.rows.count));
  for_each_tile(reals, fakes, [&](int64_t i, int64_t rows, int64_t j, int64_t cols, const double* d) {
    parallel_for(cols, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = begin; c < end; c++) precise[at(j + c)] |= d[r * cols + c] <= real_radii[at(i + r)];
      }
    });
    parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        for (int64_t c = 0; c < cols; c++) recalled[at(i + r)] |= d[r * cols + c] <= fake_radii[at(j + c)];
      }
    });
  });
  return {share(precise), share(recalled)};
}

DensityCoverage density_coverage(const Tensor& real, const Tensor& fake, int64_t k) {
  check<ShapeError>(k >= 1, "[density_coverage] k = ", k);
  const auto [reals, fakes] = clouds_of(real, "real", k + 1, fake, "fake", 1, "density_coverage");
  const std::vector<double> real_radii = radii(reals, k);
  std::vector<int64_t> inside(at(reals.rows.count));  // fakes, by ball
  for_each_tile(reals, fakes, [&](int64_t i, int64_t rows, int64_t, int64_t cols, const double* d) {
    parallel_for(rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        for (int64_t c = 0; c < cols; c++) inside[at(i + r)] += d[r * cols + c] < real_radii[at(i + r)];
      }
    });
  });
  std::vector<uint8_t> covered;
  for (const int64_t n : inside) covered.push_back(n > 0);
  const int64_t total = std::accumulate(inside.begin(), inside.end(), int64_t{0});
  return {static_cast<double>(total) / static_cast<double>(k * fakes.rows.count), share(covered)};
}

}  // namespace forger::metrics
