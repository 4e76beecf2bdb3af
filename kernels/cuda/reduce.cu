// Reductions over any set of axes: sum, max, min; and argmax over the last axis.
//
// A reduction over one axis of a contiguous tensor is (outer, r, inner) -> (outer, inner). Several reduced axes are
// taken one after the other from the innermost. An axis that is long is cut into chunks, which are folded by blocks of
// their own; a further pass folds the chunks' results. Passes hand on through scratch memory and launch alike for all
// values, so the order of every sum is fixed by the shape alone.
//
//   pass                 (outer, r, inner) -> (outer, chunks, inner)     bytes: n read, n / chunk length written
//
//   inner = 1   rows     a group of 4, 32 or 256 threads (rows.h) per chunk of 8192 elements or less
//   inner > 1   columns  256 threads per chunk and tile of up to 256 columns. Thread t has column t % width and every
//                        (256 / width)-th row, from row t / width on; so a warp reads 32 neighbours whatever the width:
//
//                        width 3   row 0   t0  t1  t2        row 85   t0  t1  t2
//                                  row 1   t3  t4  t5        ...
//                                  ...
//                                  row 84  t252 t253 t254
//
//                        At most 64 rows to a thread, in four chains; the threads of a column are then folded as a
//                        tree.
//
// Rounding: a chain has below 20 terms, all above it are balanced trees, hence the error grows with log n.
//
// NaN wins a max, a min and an argmax, as in PyTorch. The empty sum is 0, the empty max -inf and the empty min +inf.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/rows.h"

namespace forger::kernels {
namespace {

constexpr int block = 256;
constexpr int64_t row_chunk = 8192;      // elements
constexpr int64_t rows_per_thread = 64;  // of a column

// One pass, (outer, r, inner) -> (outer, chunks, inner); chunk i is rows [i * length, (i + 1) * length) of r.
struct Pass {
  int64_t outer, r, inner, length, chunks;
  int64_t tiles, width;  // columns: inner is cut into `tiles` of `width`

  Pass(int64_t outer_, int64_t r_, int64_t inner_) : outer(outer_), r(r_), inner(inner_) {
    tiles = std::max<int64_t>(1, ceil_div<int64_t>(inner, block));
    width = std::max<int64_t>(1, ceil_div(inner, tiles));
    length = inner == 1 ? row_chunk : block / width * rows_per_thread;
    chunks = std::max<int64_t>(1, ceil_div(r, length));
  }
  int64_t results() const { return outer * chunks * inner; }
};

// ---- rows -----------------------------------------------------------------------------------------------------------

template <class S, class Op, class G>
__global__ void reduce_rows_kernel(Pass pass, const S* x, Wide<S> identity, Wide<S>* y) {
  using T = Wide<S>;
  const int64_t i = G::row(), row = i / pass.chunks, begin = i % pass.chunks * pass.length;
  const bool inside = row < pass.outer;  // groups without a row go along to the barriers
  const int64_t end = inside ? min(pass.r, begin + pass.length) : begin;
  x += row * pass.r;
  const T result = G::fold(begin, end, identity, Op{}, [=](int64_t c) { return T{x[c]}; });
  if (inside && G::thread() == 0) y[i] = result;
}

// ---- columns --------------------------------------------------------------------------------------------------------

// Block i: tile i % tiles of chunk i / tiles % chunks of outer index i / tiles / chunks.
template <class S, class Op>
__global__ void reduce_columns_kernel(Pass pass, const S* x, Wide<S> identity, Wide<S>* y) {
  using T = Wide<S>;
  const Op op;
  const int64_t i = blockIdx.x, chunk = i / pass.tiles;  // counted over outer, too
  const int64_t c0 = i % pass.tiles * pass.width, outer = chunk / pass.chunks;
  const int width = static_cast<int>(min(pass.width, pass.inner - c0)), lanes = block / width;
  const int t = static_cast<int>(threadIdx.x), lane = t / width;
  const int64_t begin = chunk % pass.chunks * pass.length, end = min(pass.r, begin + pass.length);

  T chain[4] = {identity, identity, identity, identity};
  if (lane < lanes) {
    const int64_t step = lanes * pass.inner;  // elements
    int64_t row = begin + lane;
    const S* p = x + (outer * pass.r + row) * pass.inner + c0 + t % width;
    for (; row + 3 * lanes < end; row += 4 * lanes, p += 4 * step) {
#pragma unroll
      for (int k = 0; k < 4; k++) chain[k] = op(chain[k], T{p[k * step]});
    }
    for (; row < end; row += lanes, p += step) chain[0] = op(chain[0], T{*p});
  }

  __shared__ T partial[block];  // (lanes, width)
  partial[t] = op(op(chain[0], chain[1]), op(chain[2], chain[3]));
  __syncthreads();
  for (int left = lanes; left > 1;) {
    const int half = (left + 1) / 2;
    if (lane + half < left) partial[t] = op(partial[t], partial[t + half * width]);
    __syncthreads();
    left = half;
  }
  if (t < width) y[chunk * pass.inner + c0 + t] = partial[t];
}

// ---- all axes -------------------------------------------------------------------------------------------------------

std::vector<Pass> passes_of(const ReduceShape& s) {
  std::vector<Pass> passes;
  int64_t inner = 1;
  for (int axis = s.rank - 1; axis >= 0; axis--) {
    if (!s.reduced[axis]) {
      inner *= s.sizes[axis];
      continue;
    }
    int64_t outer = 1;
    for (int i = 0; i < axis; i++) outer *= s.sizes[i];
    int64_t r = s.sizes[axis];
    do {
      passes.emplace_back(outer, r, inner);
      r = passes.back().chunks;
    } while (r > 1);
  }
  return passes;
}

template <class Op, class S>
void run_pass(const Pass& pass, const S* x, Wide<S> identity, Wide<S>* y) {
  if (pass.inner == 1) {
    with_group(std::min(pass.r, pass.length), [&]<class G>(G) {
      launch<reduce_rows_kernel<S, Op, G>>(G::grid(pass.outer * pass.chunks), pass, x, identity, y);
    });
  } else if (pass.inner > 1) {
    launch<reduce_columns_kernel<S, Op>>(over(pass.outer * pass.chunks * pass.tiles * block, block), pass, x, identity,
                                         y);
  }
}

// Results go back and forth between the halves of the scratch memory, the last ones to y. They are wide from the first
// pass on.
template <class Op, class S>
void reduce_axes(const ReduceShape& s, const S* x, Wide<S> identity, Wide<S>* y) {
  using T = Wide<S>;
  const std::vector<Pass> passes = passes_of(s);
  if (passes.empty()) {
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.sizes[i];
    if constexpr (std::is_same_v<S, T>) {
      return Gpu<T>::copy(n, x, y);
    } else {
      return Gpu<T>::from_bfloat16(n, x, y);
    }
  }
  int64_t most = 0;
  for (size_t i = 0; i + 1 < passes.size(); i++) most = std::max(most, passes[i].results());
  T* const memory = most > 0 ? static_cast<T*>(scratch(2 * static_cast<size_t>(most) * sizeof(T))) : nullptr;
  const T* before = nullptr;
  for (size_t i = 0; i < passes.size(); i++) {
    T* const out = i + 1 == passes.size() ? y : memory + (i % 2 ? most : 0);
    if (i == 0) {
      run_pass<Op>(passes[i], x, identity, out);
    } else {
      run_pass<Op>(passes[i], before, identity, out);
    }
    before = out;
  }
}

// ---- argmax ---------------------------------------------------------------------------------------------------------

// The maximum, then its first place while the row is still in the cache.
template <class T, class G>
__global__ void argmax_kernel(int64_t rows, int64_t cols, const T* x, int64_t* index) {
  const int64_t row = G::row(), end = row < rows ? cols : 0;
  x += row * cols;
  const T best = G::fold(0, end, -std::numeric_limits<T>::infinity(), Max{}, [=](int64_t c) { return x[c]; });
  int64_t first = cols;
  for (int64_t c = G::thread(); c < end && first == cols; c += G::size)
    if (x[c] == best || x[c] != x[c]) first = c;
  first = G::reduce(first, Min{});
  if (row < rows && G::thread() == 0) index[row] = first;
}

}  // namespace

template <class T>
void Gpu<T>::reduce(Reduce op, const ReduceShape& s, const T* x, Wide* y) {
  constexpr Wide infinity = std::numeric_limits<Wide>::infinity();
  switch (op) {
    case Reduce::sum:
      return reduce_axes<Plus>(s, x, Wide(0), y);
    case Reduce::max:
      return reduce_axes<Max>(s, x, -infinity, y);
    case Reduce::min:
      return reduce_axes<Min>(s, x, infinity, y);
  }
}

template <class T>
void Gpu<T>::argmax(int64_t rows, int64_t cols, const T* x, int64_t* index) {
  with_group(cols, [&]<class G>(G) { launch<argmax_kernel<T, G>>(G::grid(rows), rows, cols, x, index); });
}

FORGER_KERNEL(Gpu, reduce);
FORGER_KERNEL(Gpu, argmax);
FORGER_KERNEL_BF16(Gpu, reduce);

}  // namespace forger::kernels
