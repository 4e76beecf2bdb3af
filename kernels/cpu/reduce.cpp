// Reductions over any set of axes: sum, max, min; and argmax over the last axis.
//
// A reduction over one axis of a contiguous tensor is (outer, r, inner) -> (outer, inner). With inner = 1 each result
// is the fold of a contiguous row, else of `inner` columns side by side (both in fold.h, which also says how the order
// is fixed). Several reduced axes are taken one after the other from the innermost: the first pass shrinks the data by
// that axis's size, so later passes cost little.
//
// Memory traffic: n elements read once, plus one partial result per 4096 elements (rows) or per 32 or more rows
// (columns). Vectorised throughout; rows shorter than a vector go lane by lane.
//
// NaN wins a max, a min and an argmax, as in PyTorch. The empty sum is 0, the empty max -inf and the empty min +inf.
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/fold.h"

namespace forger::kernels {
namespace {

template <class T>
auto elements_of(const T* x) {
  return [x]<class V>(int64_t c) { return std::array<V, 1>{load<V>(x + c)}; };
}

// x (rows, cols) -> y (rows). Long rows are cut into blocks, so that few of them still feed all threads.
template <class T, class Op>
void reduce_rows(int64_t rows, int64_t cols, const T* x, T identity, const Op& op, T* y) {
  constexpr int64_t piece = 4 * row_block;
  const int64_t pieces = std::max<int64_t>(1, (cols + piece - 1) / piece);
  std::vector<T> partial(static_cast<size_t>(pieces > 1 ? rows * pieces : 0));
  T* const out = pieces > 1 ? partial.data() : y;
  parallel_for(rows * pieces, 32768 / (std::min(cols, piece) + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t from = i % pieces * piece, to = std::min(cols, from + piece);
      out[i] = fold_row<T, 1>(from, to, identity, op, elements_of(x + i / pieces * cols))[0];
    }
  });
  if (pieces > 1) reduce_rows(rows, pieces, partial.data(), identity, op, y);
}

// x (outer, r, inner) -> y (outer, inner)
template <class T, class Op>
void reduce_axis(int64_t outer, int64_t r, int64_t inner, const T* x, T identity, const Op& op, T* y) {
  if (inner == 1) return reduce_rows(outer, r, x, identity, op, y);
  const auto element = [x]<class V>(const Place& at) { return std::array<V, 1>{load<V>(x + at.offset)}; };
  fold_columns<1, T>(Tiles(outer, r, inner), identity, op, element, {y});
}

template <class T, class Op>
void reduce_axes(const ReduceShape& s, const T* x, T identity, const Op& op, T* y) {
  int64_t sizes[max_rank] = {}, n = 1;
  int left = 0;
  for (int i = 0; i < s.rank; i++) {
    sizes[i] = s.sizes[i];
    n *= sizes[i];
    left += s.reduced[i];
  }
  if (left == 0) {
    std::copy_n(x, n, y);
    return;
  }
  std::vector<T> memory;  // the result of the pass before
  for (int axis = s.rank - 1; axis >= 0; axis--) {
    if (!s.reduced[axis]) continue;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < axis; i++) outer *= sizes[i];
    for (int i = axis + 1; i < s.rank; i++) inner *= sizes[i];
    std::vector<T> next(static_cast<size_t>(left > 1 ? outer * inner : 0));
    reduce_axis(outer, sizes[axis], inner, x, identity, op, left > 1 ? next.data() : y);
    sizes[axis] = 1;
    left--;
    memory = std::move(next);
    x = memory.data();
  }
}

}  // namespace

template <class T>
void Cpu<T>::reduce(Reduce op, const ReduceShape& s, const T* x, Wide* y) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  switch (op) {
    case Reduce::sum:
      return reduce_axes(s, x, T(0), Plus{}, y);
    case Reduce::max:
      return reduce_axes(s, x, -infinity, Max{}, y);
    case Reduce::min:
      return reduce_axes(s, x, infinity, Min{}, y);
  }
}

// The maximum by vectors, then a scan for its first place while the row is still in the cache.
template <class T>
void Cpu<T>::argmax(int64_t rows, int64_t cols, const T* x, int64_t* index) {
  parallel_for(rows, 16384 / (cols + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T* row = x + i * cols;
      const T best = fold_row<T, 1>(0, cols, -std::numeric_limits<T>::infinity(), Max{}, elements_of(row))[0];
      const T* found = std::find_if(row, row + cols, [=](T v) { return v == best || std::isnan(v); });
      index[i] = found - row;
    }
  });
}

FORGER_KERNEL(Cpu, reduce);
FORGER_KERNEL(Cpu, argmax);

}  // namespace forger::kernels
