// Layer norm over the rows of x (rows, cols), gamma and beta (cols): formulas in cpu/norm.cpp.
//
//   layer_norm            one launch, a block per row: mean, then variance about it, then y. The row comes from memory
//                         once; the second and third look find it in the cache.          bytes: 1 read, 1 written
//   layer_norm_backward   gx: a block per row: sum g*gamma and sum g*gamma*xhat, then the row again.   2 read, 1
//   written
//                         ggamma, gbeta: columns folded over the rows (columns.h).                     2 read
//
// A short row (up to 16 elements or packs per lane) is a warp's work, a longer one that of 256 threads:
//   thread   t0 [pack] t1 [pack] ... t0 [pack] ...         packs of 16 bytes, or elements where they do not fit
#include <cmath>

#include "kernels/cuda/columns.h"

namespace forger::kernels {
namespace {

template <class T, int P, int Threads>
__global__ void layer_norm_kernel(int64_t cols, const T* __restrict__ x, const T* __restrict__ gamma,
                                  const T* __restrict__ beta, T eps, T* __restrict__ y, T* __restrict__ mean,
                                  T* __restrict__ rstd) {
  const int64_t row = blockIdx.x, begin = row * cols;
  const int64_t first = int64_t{threadIdx.x} * P;
  const T n = static_cast<T>(cols), origin = x[begin];  // the mean is counted from the row's first value
  T sum = 0;
#pragma unroll 4
  for (int64_t c = first; c < cols; c += Threads * P) {
    T v[P];
    load(x + begin + c, v);
#pragma unroll
    for (int p = 0; p < P; p++) sum += v[p] - origin;
  }
  const T m = origin + block_reduce<Threads>(sum, Plus{}) / n;
  T squares = 0;
#pragma unroll 4
  for (int64_t c = first; c < cols; c += Threads * P) {
    T v[P];
    load(x + begin + c, v);
#pragma unroll
    for (int p = 0; p < P; p++) squares += (v[p] - m) * (v[p] - m);
  }
  const T r = 1 / std::sqrt(block_reduce<Threads>(squares, Plus{}) / n + eps);
  if (threadIdx.x == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
#pragma unroll 2
  for (int64_t c = first; c < cols; c += Threads * P) {
    T v[P];
    load(x + begin + c, v);
#pragma unroll
    for (int p = 0; p < P; p++) v[p] = (v[p] - m) * r * (gamma ? gamma[c + p] : T{1}) + (beta ? beta[c + p] : T{0});
    store(y + begin + c, v);
  }
}

template <class T, int P, int Threads>
__global__ void input_grad_kernel(int64_t cols, const T* __restrict__ x, const T* __restrict__ gy,
                                  const T* __restrict__ mean, const T* __restrict__ rstd, const T* __restrict__ gamma,
                                  T* __restrict__ gx) {
  const int64_t begin = int64_t{blockIdx.x} * cols, first = int64_t{threadIdx.x} * P;
  const T m = mean[blockIdx.x], r = rstd[blockIdx.x], n = static_cast<T>(cols);
  T sum = 0, sum_xhat = 0;
#pragma unroll 2
  for (int64_t c = first; c < cols; c += Threads * P) {
    T v[P], g[P];
    load(x + begin + c, v);
    load(gy + begin + c, g);
#pragma unroll
    for (int p = 0; p < P; p++) {
      const T weighted = gamma ? g[p] * gamma[c + p] : g[p];
      sum += weighted;
      sum_xhat += weighted * ((v[p] - m) * r);
    }
  }
  const T mean_g = block_reduce<Threads>(sum, Plus{}) / n;
  const T slant = r * block_reduce<Threads>(sum_xhat, Plus{}) / n;
#pragma unroll 2
  for (int64_t c = first; c < cols; c += Threads * P) {
    T v[P], g[P];
    load(x + begin + c, v);
    load(gy + begin + c, g);
#pragma unroll
    for (int p = 0; p < P; p++) {
      const T weighted = gamma ? g[p] * gamma[c + p] : g[p];
      v[p] = r * ((weighted - mean_g) - (v[p] - m) * slant);
    }
    store(gx + begin + c, v);
  }
}

template <class T, int P>
__global__ void parameter_grad_kernel(Cut cut, const T* __restrict__ x, const T* __restrict__ gy,
                                      const T* __restrict__ mean, const T* __restrict__ rstd, Two<T>* partial,
                                      unsigned* tickets, T* ggamma, T* gbeta) {
  const Place<P> at(cut);
  Two<T> mine[P] = {};
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += at.row_step) {
    T v[P], g[P];
    load(x + at.offset(cut, row), v);
    load(gy + at.offset(cut, row), g);
    const T m = mean[row], r = rstd[row];
#pragma unroll
    for (int p = 0; p < P; p++) mine[p] = mine[p] + Two<T>{g[p], g[p] * ((v[p] - m) * r)};
  }
  const auto widen = [](const Two<T>& sum, const Two<T>&) { return sum.widened(); };
  const auto done = [&](int64_t column, Two<double> sum, const Two<T>&) {
    if (gbeta) gbeta[column] = static_cast<T>(sum.a);
    if (ggamma) ggamma[column] = static_cast<T>(sum.b);
  };
  fold_columns(cut, at, mine, Plus{}, partial, tickets, widen, done);
}

// launch(integral constants P and Threads) for rows of `cols` columns.
template <class T, class F>
void with_row_threads(int64_t cols, bool packs, const F& f) {
  with_packs<T>(packs, [&]<int P>(std::integral_constant<int, P> pack) {
    if (cols <= 16 * 32 * P) {
      f(pack, std::integral_constant<int, 32>{});
    } else {
      f(pack, std::integral_constant<int, 256>{});
    }
  });
}

}  // namespace

template <class T>
void Gpu<T>::layer_norm(int64_t rows, int64_t cols, const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean,
                        T* rstd) {
  with_row_threads<T>(cols, packable(cols, x, y),
                      [&]<int P, int Threads>(std::integral_constant<int, P>, std::integral_constant<int, Threads>) {
                        const Grid grid = {dim3(static_cast<unsigned>(rows)), dim3(Threads)};
                        launch<layer_norm_kernel<T, P, Threads>>(grid, cols, x, gamma, beta, eps, y, mean, rstd);
                      });
}

template <class T>
void Gpu<T>::layer_norm_backward(int64_t rows, int64_t cols, const T* x, const T* gy, const T* mean, const T* rstd,
                                 const T* gamma, T* gx, T* ggamma, T* gbeta) {
  const bool packs = packable(cols, x, gy, gx);
  if (ggamma || gbeta) {
    with_packs<T>(packs, [&]<int P>(std::integral_constant<int, P>) {
      const Cut cut = cut_columns<T, P>(1, rows, cols, 2 * multiprocessors());
      auto* partial = static_cast<Two<T>*>(scratch(cut.partials() * sizeof(Two<T>)));
      launch<parameter_grad_kernel<T, P>>(cut.grid(), cut, x, gy, mean, rstd, partial, tickets(), ggamma, gbeta);
    });
  }
  if (!gx) return;
  with_row_threads<T>(cols, packs,
                      [&]<int P, int Threads>(std::integral_constant<int, P>, std::integral_constant<int, Threads>) {
                        const Grid grid = {dim3(static_cast<unsigned>(rows)), dim3(Threads)};
                        launch<input_grad_kernel<T, P, Threads>>(grid, cols, x, gy, mean, rstd, gamma, gx);
                      });
}

FORGER_KERNEL(Gpu, layer_norm);
FORGER_KERNEL(Gpu, layer_norm_backward);

}  // namespace forger::kernels
