// Softmax and log-softmax over the last axis: x (rows, cols).
//
//   softmax      y = e^(x - m) / s,   log_softmax   y = (x - m) - log s,   m = max x, s = sum e^(x - m)
//
// A group of 4, 32 or 256 threads per row (rows.h) sweeps it three times: maximum, sum of exponentials, results. The
// last two find the row in the L1 cache up to some 30000 floats, and in the L2 cache beyond.
//   bytes: n read, n written       operations: two exponentials per element, or one (log_softmax)
//
// The maximum is subtracted first, so nothing overflows and at least one term of s is 1. A row with a NaN, with +inf,
// or of nothing but -inf has no distribution and becomes NaN.
#include <cmath>
#include <limits>

#include "kernels/cuda/rows.h"

namespace forger::kernels {
namespace {

template <class T, class G, bool logarithm>
__global__ void softmax_kernel(int64_t rows, int64_t cols, const T* x, T* y) {
  const int64_t row = G::row(), end = row < rows ? cols : 0;  // groups without a row go along to the barriers
  x += row * cols;
  y += row * cols;
  const T maximum = G::fold(0, end, -std::numeric_limits<T>::infinity(), Max{}, [=](int64_t c) { return x[c]; });
  const T sum = G::fold(0, end, T(0), Plus{}, [=](int64_t c) { return std::exp(x[c] - maximum); });
  const T scale = 1 / sum, log_sum = std::log(sum);
  for (int64_t c = G::thread(); c < end; c += G::size)
    y[c] = logarithm ? (x[c] - maximum) - log_sum : std::exp(x[c] - maximum) * scale;
}

}  // namespace

template <class T>
void Gpu<T>::softmax(int64_t rows, int64_t cols, const T* x, T* y) {
  with_group(cols, [&]<class G>(G) { launch<softmax_kernel<T, G, false>>(G::grid(rows), rows, cols, x, y); });
}

template <class T>
void Gpu<T>::log_softmax(int64_t rows, int64_t cols, const T* x, T* y) {
  with_group(cols, [&]<class G>(G) { launch<softmax_kernel<T, G, true>>(G::grid(rows), rows, cols, x, y); });
}

FORGER_KERNEL(Gpu, softmax);
FORGER_KERNEL(Gpu, log_softmax);

}  // namespace forger::kernels
