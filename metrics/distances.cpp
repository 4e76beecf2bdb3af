#include "metrics/distances.h"

#include <cfloat>
#include <cmath>

namespace forger::metrics {
namespace {

using kernels::parallel_for;

// f(pointer to the elements), whichever of the two types they are
template <class F>
void with_elements(const Tensor& x, const F& f) {
  if (x.dtype() == DType::f32) {
    f(x.data<float>());
  } else {
    f(x.data<double>());
  }
}

// The rounded mean of the rows of all `parts`, (D): rounded so coarsely, to 1/8 of a feature's range in powers of two,
// that features on a grid stay on it: their distances are exact, and equal ones equal.
std::vector<double> centre_of(std::initializer_list<const Rows*> parts) {
  const int64_t dims = (*parts.begin())->dims;
  std::vector<double> centre(static_cast<size_t>(dims));
  parallel_for(dims, 64, [&](int64_t begin, int64_t end) {
    const auto n = static_cast<size_t>(end - begin);
    std::vector<double> low(n, DBL_MAX), high(n, -DBL_MAX), sum(n);
    int64_t count = 0;
    for (const Rows* part : parts) {
      count += part->count;
      for (int64_t r = 0; r < part->count; r++) {
        const double* const row = part->at(r) + begin;
        for (size_t i = 0; i < n; i++) {
          low[i] = std::min(low[i], row[i]);
          high[i] = std::max(high[i], row[i]);
          sum[i] += row[i];
        }
      }
    }
    for (size_t i = 0; i < n; i++) {
      const double mean = std::clamp(sum[i] / static_cast<double>(count), low[i], high[i]);
      const double range = high[i] - low[i], unit = range > 0 ? std::exp2(std::floor(std::log2(range)) - 3) : 0;
      centre[static_cast<size_t>(begin) + i] = unit >= DBL_MIN ? std::nearbyint(mean / unit) * unit : low[i];
    }
  });
  return centre;
}

// sum (a_i - b_i)^2: four sums side by side, added at the end
double squared_distance(int64_t dims, const double* a, const double* b) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= dims; i += 4) {
    for (int l = 0; l < 4; l++) {
      const double difference = a[i + l] - b[i + l];
      sums[l] += difference * difference;
    }
  }
  for (; i < dims; i++) sums[0] += (a[i] - b[i]) * (a[i] - b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

Cloud centred(Rows rows, const std::vector<double>& centre, const std::string& caller, const std::string& name) {
  Cloud cloud{std::move(rows), {}};
  Rows& x = cloud.rows;
  cloud.squares.resize(static_cast<size_t>(x.count));
  parallel_for(x.count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      double* const row = x.at(r);
      double sum = 0;
      for (int64_t i = 0; i < x.dims; i++) {
        row[i] -= centre[static_cast<size_t>(i)];
        sum += row[i] * row[i];
      }
      cloud.squares[static_cast<size_t>(r)] = sum;
    }
  });
  for (int64_t r = 0; r < x.count; r++) {
    check<DataError>(cloud.squares[static_cast<size_t>(r)] < DBL_MAX / 8, "[", caller, "] ", name, " row ", r,
                     " is too large: its square overflows");
  }
  return cloud;
}

}  // namespace

void check_rows(const Tensor& x, const std::string& caller, const std::string& name, int64_t least) {
  check<ShapeError>(x.defined() && x.rank() >= 2 && x.device() == Device::cpu && x.dtype() != DType::i64, "[", caller,
                    "] ", name, " must be rows (N, ...) of float32 or float64 on the CPU, got ",
                    x.defined() ? text(x.shape(), " ", name_of(x.dtype()), " on ", name_of(x.device())) : "no tensor");
  check<DataError>(x.size(0) >= least, "[", caller, "] ", name, " needs at least ", least, " rows, has ", x.size(0));
  check<ShapeError>(x.size(0) == 0 || x.numel() > 0, "[", caller, "] ", name, " has empty rows: ", x.shape());
  with_elements(x, [&](const auto* values) {
    const int64_t n = x.numel();
    for (int64_t i = 0; i < n; i++) {
      if (std::isfinite(values[i])) continue;
      const int64_t dims = n / x.size(0);
      throw DataError(
          text("[", caller, "] ", name, " is not finite: row ", i / dims, ", element ", i % dims, " is ", values[i]));
    }
  });
}

void widen(const Tensor& x, int64_t begin, int64_t end, double* out) {
  const int64_t dims = x.numel() / x.size(0);
  with_elements(x, [&](const auto* values) { std::copy(values + begin * dims, values + end * dims, out); });
}

Rows rows_of(const Tensor& x, const std::string& caller, const std::string& name, int64_t least) {
  check_rows(x, caller, name, least);
  Rows rows{x.size(0), x.size(0) > 0 ? x.numel() / x.size(0) : 0, {}};
  rows.values.resize(static_cast<size_t>(x.numel()));
  parallel_for(rows.count, 64, [&](int64_t begin, int64_t end) { widen(x, begin, end, rows.at(begin)); });
  return rows;
}

void products(int64_t m, int64_t n, int64_t k, const double* a, const double* b, double* out) {
  // Up to four columns are summed in another order: wider ones never are, so that a pair's product is always the same.
  constexpr int64_t least = 8;
  if (n >= least) return kernels::Cpu<double>::matmul({.m = m, .n = n, .k = k, .trans_b = true}, a, b, out);
  std::vector<double> wide(static_cast<size_t>(least * k)), result(static_cast<size_t>(m * least));
  std::copy_n(b, n * k, wide.data());
  kernels::Cpu<double>::matmul({.m = m, .n = least, .k = k, .trans_b = true}, a, wide.data(), result.data());
  for (int64_t i = 0; i < m; i++) std::copy_n(result.data() + i * least, n, out + i * n);
}

Cloud cloud_of(const Tensor& x, const std::string& caller, const std::string& name, int64_t least) {
  Rows rows = rows_of(x, caller, name, least);
  const std::vector<double> centre = centre_of({&rows});
  return centred(std::move(rows), centre, caller, name);
}

Clouds clouds_of(const Tensor& a, const std::string& name_a, int64_t least_a, const Tensor& b,
                 const std::string& name_b, int64_t least_b, const std::string& caller) {
  Rows x = rows_of(a, caller, name_a, least_a), y = rows_of(b, caller, name_b, least_b);
  check<ShapeError>(x.dims == y.dims, "[", caller, "] rows differ in length: ", name_a, " ", a.shape(), ", ", name_b,
                    " ", b.shape());
  const std::vector<double> centre = centre_of({&x, &y});
  return {centred(std::move(x), centre, caller, name_a), centred(std::move(y), centre, caller, name_b)};
}

void squared_distances(const Cloud& a, int64_t i, int64_t m, const Cloud& b, int64_t j, int64_t n, double* d) {
  constexpr double cancelled = 1e-5;  // of |a|^2 + |b|^2: below, the differences are summed; above, 1e-10 is right
  const int64_t dims = a.rows.dims;
  products(m, n, dims, a.rows.at(i), b.rows.at(j), d);
  parallel_for(m, 4096 / n + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const double square = a.squares[static_cast<size_t>(i + r)];
      double* const row = d + r * n;
      for (int64_t c = 0; c < n; c++) {
        const double squares = square + b.squares[static_cast<size_t>(j + c)], distance = squares - 2 * row[c];
        row[c] = distance > cancelled * squares ? distance : squared_distance(dims, a.rows.at(i + r), b.rows.at(j + c));
      }
    }
  });
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return *middle / 2 + *std::max_element(values.begin(), middle) / 2;
}

}  // namespace forger::metrics
