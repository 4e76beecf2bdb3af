#include "metrics/statistics.h"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <numeric>

#include "metrics/distances.h"

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

// y (n): y[i] -= sum_q x[q] * rows[q*step + i], q < count
void subtract(int64_t n, int64_t count, const double* x, int64_t x_step, const double* rows, int64_t step, double* y) {
  for (int64_t q = 0; q < count; q++) {
    const double scale = x[q * x_step], *const row = rows + q * step;
    for (int64_t i = 0; i < n; i++) y[i] -= scale * row[i];
  }
}

// Four doubles, two or one register; sums of products keep four or sixteen of them apart and add them at the end.
using Four = double __attribute__((vector_size(32), aligned(8)));
const Four& four(const double* x) { return *reinterpret_cast<const Four*>(x); }
Four& four(double* x) { return *reinterpret_cast<Four*>(x); }

double dot(int64_t n, const double* a, const double* b) {
  Four sums[4] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int l = 0; l < 4; l++) sums[l] += four(a + i + 4 * l) * four(b + i + 4 * l);
  }
  double rest = 0;
  for (; i < n; i++) rest += a[i] * b[i];
  const Four sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest;
}

// y (m) = a x for the corner a (m, n) of a matrix whose rows are `step` apart
void multiply(int64_t m, int64_t n, const double* a, int64_t step, const double* x, double* y) {
  parallel_for(m, 65536 / n + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) y[i] = dot(n, a + i * step, x);
  });
}

// y (n) = a^T x: each thread has columns of its own, four rows are added at a time.
void multiply_transposed(int64_t m, int64_t n, const double* a, int64_t step, const double* x, double* y) {
  const auto columns = [&](int64_t begin, int64_t end) {
    std::fill(y + begin, y + end, 0.0);
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      const double *const r0 = a + i * step, *const r1 = r0 + step, *const r2 = r1 + step, *const r3 = r2 + step;
      const double x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
      int64_t j = begin;
      for (; j + 4 <= end; j += 4) {
        four(y + j) += (x0 * four(r0 + j) + x1 * four(r1 + j)) + (x2 * four(r2 + j) + x3 * four(r3 + j));
      }
      for (; j < end; j++) y[j] += (x0 * r0[j] + x1 * r1[j]) + (x2 * r2[j] + x3 * r3[j]);
    }
    for (; i < m; i++) {
      for (int64_t j = begin; j < end; j++) y[j] += x[i] * a[i * step + j];
    }
  };
  parallel_for(n, 65536 / m + 1, columns, 8);
}

// F (D, rank) with S = F F^T, row-major; `trace` is that of F F^T.
struct Factor {
  int64_t rank = 0;
  std::vector<double> values;
  double trace = 0;
};

// Cholesky with pivots of the correlations, in blocks; F is its rows times the standard deviations. It ends when no
// pivot is left above rounding: what is left out of a singular matrix would be noise, and its square root, of order
// 1e-8, is noise that an eigendecomposition would keep. Correlations, so that features of small variance count too.
Factor factor_of(const Gaussian& g, const char* which) {
  constexpr int64_t block = 64;
  const int64_t n = g.dims();
  std::vector<double> scale(at(n)), a(at(n * n)), pivots(at(n)), copy, product;
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
      a[at(i * n + j)] = i == j ? (limit > 0) : limit > 0 ? s / limit : 0;
    }
  }
  // Rows of `a` left of column `rank` hold the factor, the square right of it what is left of the matrix.
  const double tolerance = static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  std::vector<int64_t> order(at(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  int64_t rank = 0;
  for (bool done = false; !done && rank < n;) {
    const int64_t first = rank, last = std::min(n, first + block);
    for (int64_t i = first; i < n; i++) pivots[at(i)] = a[at(i * n + i)];
    for (; rank < last; rank++) {
      const int64_t pivot = std::max_element(pivots.begin() + rank, pivots.end()) - pivots.begin();
      if (pivots[at(pivot)] <= tolerance) {
        done = true;
        break;
      }
      if (pivot != rank) {
        std::swap_ranges(&a[at(rank * n)], &a[at(rank * n)] + n, &a[at(pivot * n)]);
        for (int64_t i = first; i < n; i++) std::swap(a[at(i * n + rank)], a[at(i * n + pivot)]);
        std::swap(pivots[at(rank)], pivots[at(pivot)]);
        std::swap(order[at(rank)], order[at(pivot)]);
      }
      const double diagonal = std::sqrt(pivots[at(rank)]);
      const double* const mine = &a[at(rank * n)];
      for (int64_t i = rank + 1; i < n; i++) {
        double* const row = &a[at(i * n)];
        const double x = (mine[i] - dot(rank - first, row + first, mine + first)) / diagonal;
        row[rank] = x;
        pivots[at(i)] -= x * x;
      }
      a[at(rank * n + rank)] = diagonal;
    }
    const int64_t left = n - rank, depth = rank - first;
    if (depth == 0 || left == 0) continue;
    copy.resize(at(left * depth)), product.resize(at(left * left));
    for (int64_t i = 0; i < left; i++) std::copy_n(&a[at((rank + i) * n + first)], depth, &copy[at(i * depth)]);
    products(left, left, depth, copy.data(), copy.data(), product.data());
    parallel_for(left, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        double* const row = &a[at((rank + i) * n + rank)];
        for (int64_t j = 0; j < left; j++) row[j] -= product[at(i * left + j)];
      }
    });
  }
  for (int64_t i = rank; i < n; i++) {
    for (int64_t j = rank; j < n; j++) {
      check<DataError>(std::abs(a[at(i * n + j)]) < 1e-4, "[frechet_distance] ", which,
                       " covariance is none: it has negative eigenvalues");
    }
  }
  Factor factor{rank, std::vector<double>(at(n * rank)), 0};
  for (int64_t i = 0; i < n; i++) {
    double* const row = factor.values.data() + order[at(i)] * rank;
    for (int64_t j = 0; j <= std::min(i, rank - 1); j++) row[j] = scale[at(order[at(i)])] * a[at(i * n + j)];
  }
  for (int64_t i = 0; i < n; i++) {
    const double* const row = factor.values.data() + i * rank;
    factor.trace += dot(rank, row, row);
  }
  return factor;
}

// x (n) becomes a reflector v with v[0] = 1, (1 - tau v v^T) x = (beta, 0, ...): {beta, tau}
std::pair<double, double> reflector(int64_t n, double* x) {
  const double tail = dot(n - 1, x + 1, x + 1), head = x[0];
  x[0] = 1;
  if (tail == 0) return {head, 0};
  const double beta = -std::copysign(std::sqrt(head * head + tail), head);
  for (int64_t i = 1; i < n; i++) x[i] /= head - beta;
  return {beta, (beta - head) / beta};
}

// The sum of the singular values of a (m, n), m >= n, which is destroyed. Reflectors from both sides make it
// bidiagonal, `block` at a time: pending ones are kept as a - v^T y - x^T u and multiplied out once per block
// (Dongarra, Sorensen, Hammarling 1989), so that half the work is matrix products. The singular values d, e of a
// bidiagonal matrix are the positive eigenvalues of the tridiagonal one with zeros on the diagonal and d0, e0, d1, e1,
// ... beside it (Golub and Kahan 1965): never squared, so that small ones keep their digits.
double nuclear_norm(int64_t m, int64_t n, std::vector<double>& a) {
  constexpr int64_t block = 32;
  const int64_t step = n;
  Eigen::VectorXd beside = Eigen::VectorXd::Zero(2 * n - 1);
  // rows of pending reflectors: left v (., m) with y (., n), right u (., n) with x (., m)
  std::vector<double> left(at(2 * block * m)), right(at(2 * block * n)), coefficients(at(4 * block)), product;
  double *const v = left.data(), *const x = v + block * m, *const y = right.data(), *const u = y + block * n;
  double* const c = coefficients.data();
  for (int64_t first = 0; first < n; first += block) {
    const int64_t count = std::min(block, n - first);
    for (int64_t k = 0; k < count; k++) {
      const int64_t j = first + k, rows = m - j, cols = n - j - 1;
      double *const vk = v + k * m + j, *const yk = y + k * n + j + 1;
      for (int64_t i = 0; i < rows; i++) vk[i] = a[at((j + i) * step + j)];
      subtract(rows, k, y + j, n, v + j, m, vk);
      subtract(rows, k, u + j, n, x + j, m, vk);
      const auto [d, tau] = reflector(rows, vk);
      beside[2 * j] = d;
      if (cols == 0) break;

      multiply_transposed(rows, cols, &a[at(j * step + j + 1)], step, vk, yk);
      for (int64_t q = 0; q < k; q++) {
        c[q] = dot(rows, v + q * m + j, vk);
        c[block + q] = dot(rows, x + q * m + j, vk);
      }
      subtract(cols, k, c, 1, y + j + 1, n, yk);
      subtract(cols, k, c + block, 1, u + j + 1, n, yk);
      for (int64_t i = 0; i < cols; i++) yk[i] *= tau;

      double *const uk = u + k * n + j + 1, *const xk = x + k * m + j + 1;
      std::copy_n(&a[at(j * step + j + 1)], cols, uk);
      subtract(cols, k + 1, v + j, m, y + j + 1, n, uk);
      subtract(cols, k, x + j, m, u + j + 1, n, uk);
      const auto [e, tau_right] = reflector(cols, uk);
      beside[2 * j + 1] = e;

      multiply(rows - 1, cols, &a[at((j + 1) * step + j + 1)], step, uk, xk);
      for (int64_t q = 0; q <= k; q++) c[q] = dot(cols, y + q * n + j + 1, uk);
      for (int64_t q = 0; q < k; q++) c[block + q] = dot(cols, u + q * n + j + 1, uk);
      subtract(rows - 1, k + 1, c, 1, v + j + 1, m, xk);
      subtract(rows - 1, k, c + block, 1, x + j + 1, m, xk);
      for (int64_t i = 0; i < rows - 1; i++) xk[i] *= tau_right;
    }
    const int64_t next = first + count, rows = m - next, cols = n - next;
    if (cols == 0) break;
    // one product for both: (v; x)^T (y; u)
    std::vector<double> l(at(2 * count * rows)), r(at(2 * count * cols));
    for (int64_t k = 0; k < count; k++) {
      std::copy_n(v + k * m + next, rows, &l[at(k * rows)]);
      std::copy_n(x + k * m + next, rows, &l[at((count + k) * rows)]);
      std::copy_n(y + k * n + next, cols, &r[at(k * cols)]);
      std::copy_n(u + k * n + next, cols, &r[at((count + k) * cols)]);
    }
    product.resize(at(rows * cols));
    kernels::Cpu<double>::matmul({.m = rows, .n = cols, .k = 2 * count, .trans_a = true}, l.data(), r.data(),
                                 product.data());
    parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        double* const row = &a[at((next + i) * step + next)];
        for (int64_t j = 0; j < cols; j++) row[j] -= product[at(i * cols + j)];
      }
    });
  }
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(Eigen::VectorXd::Zero(2 * n), beside, Eigen::EigenvaluesOnly);
  check<Error>(solver.info() == Eigen::Success, "[frechet_distance] the singular values did not converge");
  return solver.eigenvalues().cwiseMax(0).sum();
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

// ---- moments --------------------------------------------------------------------------------------------------------

namespace {
constexpr int64_t block_rows = 512;
}

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

// ---- distances of distributions -------------------------------------------------------------------------------------

double frechet_distance(const Gaussian& a, const Gaussian& b) {
  check_gaussian(a, "the first");
  check_gaussian(b, "the second");
  check<ShapeError>(a.dims() == b.dims(), "[frechet_distance] the first has ", a.dims(), " features, the second ",
                    b.dims());
  double means = 0;
  for (int64_t i = 0; i < a.dims(); i++) means += (a.mean[at(i)] - b.mean[at(i)]) * (a.mean[at(i)] - b.mean[at(i)]);
  Factor f = factor_of(a, "the first"), g = factor_of(b, "the second");
  if (f.rank < g.rank) std::swap(f, g);
  double overlap = 0;
  if (g.rank > 0) {
    std::vector<double> product(at(f.rank * g.rank));
    kernels::Cpu<double>::matmul({.m = f.rank, .n = g.rank, .k = a.dims(), .trans_a = true}, f.values.data(),
                                 g.values.data(), product.data());
    overlap = nuclear_norm(f.rank, g.rank, product);
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
