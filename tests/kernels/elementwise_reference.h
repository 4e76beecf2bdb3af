// What the tests of elementwise kernels share on every backend: operands, and every kind of broadcast.
#pragma once
#include <limits>
#include <vector>

#include "tests/kernels/values.h"

namespace forger::kernels {

inline constexpr int unary_count = static_cast<int>(Unary::inside) + 1,
                     binary_count = static_cast<int>(Binary::elu_grad) + 1;

// n numbers that the op is defined for.
template <class T>
std::vector<T> domain_of(Unary op, int64_t n) {
  const bool positive = op == Unary::log || op == Unary::sqrt || op == Unary::pow || op == Unary::reciprocal;
  return positive ? values<T>(n, 0.1, 4) : values<T>(n, -4, 4);
}

// Zeros, infinities, NaN and the ends of the exponent.
template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  const T tiny = Limits::denorm_min(), large = Limits::max(), infinity = Limits::infinity();
  return {0, -T(0), 1, -1, infinity, -infinity, Limits::quiet_NaN(), tiny, -tiny, large, -large, T(0.5), T(-0.5)};
}

// Elements of the result.
inline int64_t numel(const Broadcast& s) {
  int64_t n = 1;
  for (int i = 0; i < s.rank; i++) n *= s.sizes[i];
  return n;
}

// Elements of memory that an operand spans.
inline int64_t extent(const Broadcast& s, const int64_t* strides) {
  if (numel(s) == 0) return 0;
  int64_t last = 0;
  for (int i = 0; i < s.rank; i++) last += (s.sizes[i] - 1) * strides[i];
  return last + 1;
}

// Every kind of broadcast, and the backend's own sizes behind them.
inline std::vector<Broadcast> patterns_and(const std::vector<Broadcast>& own) {
  std::vector<Broadcast> patterns = {
      {0, {}, {}, {}},  // scalars
      {1, {1}, {0}, {0}},
      {1, {1000}, {1}, {1}},                         // same shape
      {3, {7, 11, 13}, {143, 13, 1}, {143, 13, 1}},  // same shape, unmerged
      {1, {257}, {1}, {0}},                          // scalar operand
      {1, {257}, {0}, {1}},
      {1, {33}, {0}, {0}},
      {2, {31, 33}, {0, 1}, {33, 1}},
      {2, {1, 5}, {5, 1}, {0, 1}},
      {4, {2, 5, 7, 19}, {665, 133, 19, 1}, {0, 0, 0, 1}},  // per channel, unmerged
      {2, {33, 31}, {31, 1}, {1, 0}},                       // per row
      {2, {33, 40}, {1, 0}, {0, 1}},                        // outer
      {2, {17, 29}, {1, 17}, {29, 1}},                      // transposed operand
      {3, {4, 6, 35}, {210, 35, 1}, {35, 0, 1}},            // per sample and channel
      {3, {4, 6, 35}, {6, 1, 0}, {210, 35, 1}},
      {5, {2, 3, 1, 4, 5}, {20, 0, 0, 5, 1}, {60, 20, 20, 5, 1}},
      {6, {2, 2, 3, 2, 2, 3}, {0, 36, 0, 6, 0, 1}, {24, 0, 4, 0, 1, 0}},  // alternating
      {2, {0, 5}, {5, 1}, {0, 1}},                                        // empty
      {2, {3, 0}, {0, 1}, {0, 1}},
      {1, {0}, {1}, {1}},
  };
  patterns.insert(patterns.end(), own.begin(), own.end());
  return patterns;
}

}  // namespace forger::kernels
