// Power iteration and the penalty on row norms: formulas in cpu/penalty.cpp.
//
//                       launches       bytes
//   power_iteration     2 per round    M read twice
//   norm_penalty        1              g read
//   norm_penalty_grad   1              g read, gg written
//
// Power iteration. With w (rows, cols) in memory, one of the two products runs along its rows, the other down its
// columns, and which of them comes first depends on `trans`:
//   w b      a warp per row, or a block where rows are long       t0 [pack] t1 [pack] ... t0 [pack] ...
//   w^T a    threads across the columns, folded over rows         columns.h
// The product goes to scratch memory. The last block of all to end, known by its ticket, adds up the squares in double
// and writes the normalised vector: a few thousand elements, which saves a launch and needs no exchange of norms.
//
// Penalty. A block per row adds the squares in double; the last block takes the mean over the rows.
#include <cmath>

#include "kernels/cuda/columns.h"

namespace forger::kernels {
namespace {

constexpr int threads_per_block = 256;

template <class T>
__device__ __forceinline__ double square(T x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

// ---- power iteration ------------------------------------------------------------------------------------------------

// unit = x / sqrt(|x|^2 + eps^2), by one block.
template <class T>
__device__ __forceinline__ void normalise(int64_t n, T eps, const T* x, T* unit) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += threads_per_block) sum += square(x[i]);
  const double norm = std::sqrt(block_reduce<threads_per_block>(sum, Plus{}) + square(eps));
  const T scale = static_cast<T>(1 / norm);
  for (int64_t i = threadIdx.x; i < n; i += threads_per_block) unit[i] = x[i] * scale;
}

// unit = w^T a, normalised. tickets: one for all blocks, then one per tile.
template <class T, int P>
__global__ void down_columns_kernel(Cut cut, const T* __restrict__ w, const T* __restrict__ a, T eps, T* partial,
                                    T* product, unsigned* tickets, T* unit) {
  const Place<P> at(cut);
  T mine[P] = {};
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += at.row_step) {
    T v[P];
    load(w + at.offset(cut, row), v);
    const T factor = a[row];
#pragma unroll
    for (int p = 0; p < P; p++) mine[p] += v[p] * factor;
  }
  const auto widen = [](T sum, T) { return static_cast<double>(sum); };
  const auto done = [&](int64_t column, double sum, T) { product[column] = static_cast<T>(sum); };
  if (!fold_columns(cut, at, mine, Plus{}, partial, tickets + 1, widen, done)) return;
  if (last_block(tickets, static_cast<unsigned>(cut.tiles))) normalise(cut.cols, eps, product, unit);
}

// unit = w b, normalised; Threads to a row.
template <class T, int P, int Threads>
__global__ void along_rows_kernel(int64_t rows, int64_t cols, const T* __restrict__ w, const T* __restrict__ b, T eps,
                                  T* product, unsigned* ticket, T* unit) {
  constexpr int rows_per_block = threads_per_block / Threads;
  const int64_t row = int64_t{blockIdx.x} * rows_per_block + threadIdx.x / Threads;
  const int64_t end = row < rows ? cols : 0;
  T sum = 0;
#pragma unroll 4
  for (int64_t c = int64_t{threadIdx.x % Threads} * P; c < end; c += Threads * P) {
    T v[P], x[P];
    load(w + row * cols + c, v);
    load(b + c, x);
#pragma unroll
    for (int p = 0; p < P; p++) sum += v[p] * x[p];
  }
  if constexpr (Threads == 32) {
    sum = warp_reduce(sum, Plus{});
  } else {
    sum = block_reduce<Threads>(sum, Plus{});
  }
  if (threadIdx.x % Threads == 0 && row < rows) product[row] = sum;
  if (last_block(ticket, gridDim.x)) normalise(rows, eps, product, unit);
}

template <class T>
void down_columns(int64_t rows, int64_t cols, const T* w, const T* a, T eps, T* unit) {
  with_packs<T>(packable(cols, w), [&]<int P>(std::integral_constant<int, P>) {
    const Cut cut = cut_columns<T, P>(1, rows, cols, 2 * multiprocessors());
    T* const product = static_cast<T*>(scratch((static_cast<size_t>(cols) + cut.partials()) * sizeof(T)));
    launch<down_columns_kernel<T, P>>(cut.grid(), cut, w, a, eps, product + cols, product, tickets(), unit);
  });
}

template <class T>
void along_rows(int64_t rows, int64_t cols, const T* w, const T* b, T eps, T* unit) {
  T* const product = static_cast<T*>(scratch(static_cast<size_t>(rows) * sizeof(T)));
  with_packs<T>(packable(cols, w, b), [&]<int P>(std::integral_constant<int, P>) {
    if (cols <= 32 * 32 * P) {
      launch<along_rows_kernel<T, P, 32>>(over(rows * 32), rows, cols, w, b, eps, product, tickets(), unit);
    } else {
      launch<along_rows_kernel<T, P, 256>>(over(rows * 256), rows, cols, w, b, eps, product, tickets(), unit);
    }
  });
}

// ---- penalty --------------------------------------------------------------------------------------------------------

template <class T, int P>
__global__ void penalty_kernel(int64_t rows, int64_t cols, const T* __restrict__ g, T target, T eps, unsigned* ticket,
                               T* norms, T* penalty) {
  const int64_t row = blockIdx.x, end = row < rows ? cols : 0;
  double sum = 0;
#pragma unroll 4
  for (int64_t c = int64_t{threadIdx.x} * P; c < end; c += threads_per_block * P) {
    T v[P];
    load(g + row * cols + c, v);
#pragma unroll
    for (int p = 0; p < P; p++) sum += square(v[p]);
  }
  sum = block_reduce<threads_per_block>(sum, Plus{}) + static_cast<double>(eps);
  if (threadIdx.x == 0 && row < rows) norms[row] = static_cast<T>(std::sqrt(sum));
  if (!last_block(ticket, gridDim.x)) return;
  double off = 0;
  for (int64_t i = threadIdx.x; i < rows; i += threads_per_block)
    off += square(static_cast<double>(norms[i]) - static_cast<double>(target));
  off = block_reduce<threads_per_block>(off, Plus{});
  if (threadIdx.x == 0) *penalty = static_cast<T>(off / static_cast<double>(rows));
}

// A block takes up to four packs per thread of one row.
template <class T, int P>
__global__ void penalty_grad_kernel(int64_t rows, int64_t cols, int pieces, const T* __restrict__ g,
                                    const T* __restrict__ norms, T target, const T* __restrict__ gy,
                                    T* __restrict__ gg) {
  const int64_t row = blockIdx.x / static_cast<unsigned>(pieces);
  const int64_t begin = blockIdx.x % static_cast<unsigned>(pieces) * int64_t{4 * threads_per_block * P};
  const int64_t end = min(cols, begin + 4 * threads_per_block * P);
  const T slope = norms[row] == 0 ? T(0) : (norms[row] - target) / norms[row];
  const T factor = *gy * 2 * slope / static_cast<T>(rows);
#pragma unroll 4
  for (int64_t c = begin + int64_t{threadIdx.x} * P; c < end; c += threads_per_block * P) {
    T v[P];
    load(g + row * cols + c, v);
#pragma unroll
    for (int p = 0; p < P; p++) v[p] *= factor;
    store(gg + row * cols + c, v);
  }
}

}  // namespace

template <class T>
void Gpu<T>::power_iteration(int64_t rows, int64_t cols, bool trans, const T* w, T eps, int iterations, T* u, T* v) {
  for (int i = 0; i < iterations; i++) {
    if (trans) {
      along_rows(rows, cols, w, u, eps, v);
      down_columns(rows, cols, w, v, eps, u);
    } else {
      down_columns(rows, cols, w, u, eps, v);
      along_rows(rows, cols, w, v, eps, u);
    }
  }
}

template <class T>
void Gpu<T>::norm_penalty(int64_t rows, int64_t cols, const T* g, T target, T eps, T* norms, T* penalty) {
  with_packs<T>(packable(cols, g), [&]<int P>(std::integral_constant<int, P>) {
    const Grid grid = {dim3(static_cast<unsigned>(std::max<int64_t>(rows, 1))), dim3(threads_per_block)};
    launch<penalty_kernel<T, P>>(grid, rows, cols, g, target, eps, tickets(), norms, penalty);
  });
}

template <class T>
void Gpu<T>::norm_penalty_grad(int64_t rows, int64_t cols, const T* g, const T* norms, T target, const T* gy, T* gg) {
  with_packs<T>(packable(cols, g, gg), [&]<int P>(std::integral_constant<int, P>) {
    const int pieces = static_cast<int>(ceil_div(cols, int64_t{4 * threads_per_block * P}));
    const Grid grid = {dim3(static_cast<unsigned>(rows * pieces)), dim3(threads_per_block)};
    launch<penalty_grad_kernel<T, P>>(grid, rows, cols, pieces, g, norms, target, gy, gg);
  });
}

FORGER_KERNEL(Gpu, power_iteration);
FORGER_KERNEL(Gpu, norm_penalty);
FORGER_KERNEL(Gpu, norm_penalty_grad);

}  // namespace forger::kernels
