// What spectral normalisation and the gradient penalty need beside ops.
//
//   power iteration   v = M^T u / |M^T u|,  u = M v / |M v|          2 passes over M, 4 rows cols operations, a round
//   norm penalty      n_i = sqrt(sum_j g_ij^2 + eps),  mean_i (n_i - target)^2      one pass; its gradient reads g once
//                     more and writes as much
//
// Matrix times vector goes through the packed product (M is read once, its speed is the memory's); sums over rows run
// in double, in the order of the elements.
#include <cmath>

#include "kernels/cpu/parallel.h"

namespace forger::kernels {
namespace {

template <class T>
void normalise(int64_t n, T eps, T* x) {
  double sum = static_cast<double>(eps) * static_cast<double>(eps);
  for (int64_t i = 0; i < n; i++) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const T scale = static_cast<T>(1 / std::sqrt(sum));
  for (int64_t i = 0; i < n; i++) x[i] *= scale;
}

}  // namespace

template <class T>
void Cpu<T>::power_iteration(int64_t rows, int64_t cols, bool trans, const T* w, T eps, int iterations, T* u, T* v) {
  const int64_t m = trans ? cols : rows, n = trans ? rows : cols;  // M is (m, n)
  for (int i = 0; i < iterations; i++) {
    matmul({.m = n, .n = 1, .k = m, .trans_a = !trans}, w, u, v);
    normalise(n, eps, v);
    matmul({.m = m, .n = 1, .k = n, .trans_a = trans}, w, v, u);
    normalise(m, eps, u);
  }
}

template <class T>
void Cpu<T>::norm_penalty(int64_t rows, int64_t cols, const T* g, T target, T eps, T* norms, T* penalty) {
  parallel_for(rows, std::max<int64_t>(16384 / std::max<int64_t>(cols, 1), 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      double sum = static_cast<double>(eps);
      for (int64_t j = 0; j < cols; j++) {
        const auto x = static_cast<double>(g[i * cols + j]);
        sum += x * x;
      }
      norms[i] = static_cast<T>(std::sqrt(sum));
    }
  });
  double total = 0;
  for (int64_t i = 0; i < rows; i++) {
    const double off = static_cast<double>(norms[i]) - static_cast<double>(target);
    total += off * off;
  }
  *penalty = static_cast<T>(total / static_cast<double>(rows));
}

template <class T>
void Cpu<T>::norm_penalty_grad(int64_t rows, int64_t cols, const T* g, const T* norms, T target, const T* gy, T* gg) {
  parallel_for(rows, std::max<int64_t>(16384 / std::max<int64_t>(cols, 1), 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T slope = norms[i] == 0 ? T{0} : (norms[i] - target) / norms[i];
      const T factor = *gy * 2 * slope / static_cast<T>(rows);
      for (int64_t j = 0; j < cols; j++) gg[i * cols + j] = factor * g[i * cols + j];
    }
  });
}

FORGER_KERNEL(Cpu, power_iteration);
FORGER_KERNEL(Cpu, norm_penalty);
FORGER_KERNEL(Cpu, norm_penalty_grad);

}  // namespace forger::kernels
