// What tests of scores share. Rows are made from integers, the same in C++ and Python
// (tests/golden/make_statistics_golden.py).
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace forger::test {

inline uint64_t splitmix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// (n, dims): sums of four uniform numbers, each feature leaning on the one before it.
inline Tensor features(uint64_t seed, int64_t n, int64_t dims, double scale = 1, double offset = 0,
                       DType dtype = DType::f64) {
  std::vector<double> x(static_cast<size_t>(n * dims));
  for (size_t i = 0; i < x.size(); i++) {
    double u[4];
    for (uint64_t k = 0; k < 4; k++) u[k] = static_cast<double>(splitmix64(4 * i + (seed << 32) + k) >> 11) * 0x1p-53;
    x[i] = ((u[0] + u[1]) + (u[2] + u[3]) - 2) * scale;
    if (i % static_cast<size_t>(dims) > 0) x[i] += 0.5 * x[i - 1];
  }
  for (double& value : x) value += offset;
  return from_values({n, dims}, x, dtype);
}

inline Tensor from(const Shape& shape, const std::vector<double>& values, DType dtype = DType::f64) {
  return from_values(shape, values, dtype);
}

// The rows of x (N, ...), float32, at these indices.
inline Tensor rows_at(const Tensor& x, const std::vector<int64_t>& indices) {
  Shape shape = x.shape();
  shape.set(0, std::ssize(indices));
  const Tensor rows(shape, DType::f32);
  const int64_t size = x.numel() / x.size(0);
  float* out = rows.data<float>();
  for (const int64_t i : indices) out = std::copy_n(x.data<float>() + i * size, size, out);
  return rows;
}

inline const double not_a_number = std::numeric_limits<double>::quiet_NaN();

// A thread count for the length of a test.
struct Threads {
  int before = kernels::threads();
  explicit Threads(int count) { kernels::set_threads(count); }
  ~Threads() { kernels::set_threads(before); }
};

}  // namespace forger::test
