// Softmax and log-softmax over the last axis: x (rows, cols).
//
//   softmax      y = e^(x - m) / s,   log_softmax   y = (x - m) - log s,   m = max x, s = sum e^(x - m)
//
// The maximum is subtracted first, so nothing overflows and at least one term of s is 1. Three sweeps over a row
// (maximum, exponentials and their sum, scaling), the last two in the cache for rows below some 10^5 elements: 2
// elements of memory traffic per result. All sweeps run on vectors; a leftover shorter than a vector goes lane by lane.
// A row with a NaN, with +inf, or of nothing but -inf has no distribution and becomes NaN.
#include <cmath>
#include <limits>

#include "kernels/cpu/fold.h"

namespace forger::kernels {
namespace {

template <class T>
T row_maximum(int64_t cols, const T* x) {
  const auto element = [x]<class V>(int64_t c) { return std::array<V, 1>{load<V>(x + c)}; };
  return fold_row<T, 1>(0, cols, -std::numeric_limits<T>::infinity(), Max{}, element)[0];
}

template <class T, class F>
void for_rows(int64_t rows, int64_t cols, const F& row) {
  parallel_for(rows, 4096 / (cols + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) row(i * cols);
  });
}

}  // namespace

template <class T>
void Cpu<T>::softmax(int64_t rows, int64_t cols, const T* x, T* y) {
  for_rows<T>(rows, cols, [=](int64_t at) {
    const T* from = x + at;
    T* to = y + at;
    const T maximum = row_maximum(cols, from);
    const auto exponential = [=]<class V>(int64_t c) {
      const V e = vec::exp<V>(load<V>(from + c) - vec::splat<V>(maximum));
      store(to + c, e);
      return std::array<V, 1>{e};
    };
    const T scale = 1 / fold_row<T, 1>(0, cols, T(0), Plus{}, exponential)[0];
    for (int64_t c = 0; c < cols; c++) to[c] *= scale;
  });
}

template <class T>
void Cpu<T>::log_softmax(int64_t rows, int64_t cols, const T* x, T* y) {
  for_rows<T>(rows, cols, [=](int64_t at) {
    const T* from = x + at;
    T* to = y + at;
    const T maximum = row_maximum(cols, from);
    const auto exponential = [=]<class V>(int64_t c) {
      return std::array<V, 1>{vec::exp<V>(load<V>(from + c) - vec::splat<V>(maximum))};
    };
    const T log_sum = std::log(fold_row<T, 1>(0, cols, T(0), Plus{}, exponential)[0]);
    for (int64_t c = 0; c < cols; c++) to[c] = (from[c] - maximum) - log_sum;
  });
}

FORGER_KERNEL(Cpu, softmax);
FORGER_KERNEL(Cpu, log_softmax);

}  // namespace forger::kernels
