// Folding many elements into few, the same way every time: what reductions, softmax and the normalisations are built
// from.
//
//   fold_row      one result from a row of columns        sum_c f(c)
//   fold_columns  one result per column from many rows    out[c] = sum_r f(r, c), for several groups of rows
//   map_columns   no result: f visits every (r, c); the elementwise half of a normalisation
//
// "sum" stands for any associative op with an identity (sum, max, min); f may give K values at once, folded side by
// side.
//
// Order. Results do not depend on the thread count. Within a block of fixed size each lane adds up its own share; the
// results of blocks are combined as a balanced tree. The rounding error of a sum over n elements thus grows with
// log n plus the block's constant, not with n.
//
// Vectorisation. Columns are contiguous, so fold_columns works on whole vectors of columns, four rows at a time to
// touch the accumulators (in L1) once per four loads. A last vector that would stick out is moved left to end with the
// row and overlaps its neighbour: the columns in the overlap are computed twice, with equal results, and there is no
// tail loop.
//
// Few columns (RGB images: 3). A contiguous (rows, 3) is also a contiguous (rows/32, 96): such a group is widened until
// a row fills several vectors, and the copies of each column are folded at the end. f then sees wide columns; what it
// needs per column must be repeated alike (`repeat_columns`). Leftover rows at the end of a group make one shorter wide
// row.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vec_math.h"

namespace forger::kernels {

// ---- ops ------------------------------------------------------------------------------------------------------------

struct Plus {
  template <class V>
  V operator()(V a, V b) const {
    return a + b;
  }
};
struct Max {  // NaN wins
  template <class V>
  V operator()(V a, V b) const {
    return vec::maximum(a, b);
  }
};
struct Min {  // NaN wins
  template <class V>
  V operator()(V a, V b) const {
    return vec::minimum(a, b);
  }
};

template <int K, class Op, class V>
inline std::array<V, K> combine(const Op& op, const std::array<V, K>& a, const std::array<V, K>& b) {
  std::array<V, K> c;
  for (int k = 0; k < K; k++) c[k] = op(a[k], b[k]);
  return c;
}

// ---- one row --------------------------------------------------------------------------------------------------------

constexpr int64_t row_block = 4096;  // columns folded without a tree

// f.template operator()<V>(c) gives std::array<V, K> of columns c, c+1, ...
template <class T, int K, class Op, class F>
std::array<T, K> fold_row(int64_t begin, int64_t end, T identity, const Op& op, const F& f) {
  using V = vec::Native<T>;
  using S = vec::One<T>;
  constexpr int64_t L = vec::lanes<V>;
  if (end - begin > row_block) {
    const int64_t middle = begin + (end - begin + 2 * L - 1) / (2 * L) * L;
    const auto left = fold_row<T, K>(begin, middle, identity, op, f);
    const auto right = fold_row<T, K>(middle, end, identity, op, f);
    std::array<T, K> out;
    for (int k = 0; k < K; k++) out[k] = op(S{left[k]}, S{right[k]})[0];
    return out;
  }
  std::array<S, K> sum;
  sum.fill(vec::splat<S>(identity));
  int64_t c = begin;
  if (end - begin >= L) {
    std::array<V, K> acc[4];
    for (auto& a : acc) a.fill(vec::splat<V>(identity));
    for (; c + 4 * L <= end; c += 4 * L)
      for (int j = 0; j < 4; j++) acc[j] = combine<K>(op, acc[j], f.template operator()<V>(c + j * L));
    for (; c + L <= end; c += L) acc[0] = combine<K>(op, acc[0], f.template operator()<V>(c));
    const auto all = combine<K>(op, combine<K>(op, acc[0], acc[1]), combine<K>(op, acc[2], acc[3]));
    for (int k = 0; k < K; k++) {
      T lane[L];
      store(lane, all[k]);
      for (int64_t half = L / 2; half > 0; half /= 2)
        for (int64_t i = 0; i < half; i++) lane[i] = op(S{lane[i]}, S{lane[i + half]})[0];
      sum[k] = S{lane[0]};
    }
  }
  for (; c < end; c++) sum = combine<K>(op, sum, f.template operator()<S>(c));
  std::array<T, K> out;
  for (int k = 0; k < K; k++) out[k] = sum[k][0];
  return out;
}

// ---- columns --------------------------------------------------------------------------------------------------------

// How a group of rows is cut: widened as described above, then into tiles of row_step x column_step.
struct Tiles {
  int64_t groups, cols;
  int64_t copies;  // of each column in a wide row
  int64_t width;   // copies * cols
  int64_t rows;    // whole wide rows of a group
  int64_t rest;    // elements of the shorter wide row at the group's end
  int64_t row_step, column_step, row_tiles, column_tiles;

  Tiles(int64_t group_count, int64_t row_count, int64_t col_count, bool widen = true)
      : groups(group_count), cols(col_count) {
    copies = 1;
    while (widen && copies * 2 <= row_count && copies * 2 * cols <= 128) copies *= 2;
    width = copies * cols;
    rows = width > 0 ? row_count * cols / width : 0;
    rest = row_count * cols - rows * width;
    column_step = width <= 2048 ? std::max<int64_t>(width, 1) : 1024;
    row_step =
        std::max<int64_t>(32, 16384 / column_step);  // about 64 KiB of floats: the second look of norm_stats hits L2
    column_tiles = (width + column_step - 1) / column_step;
    row_tiles = std::max<int64_t>(1, (rows + row_step - 1) / row_step);
  }
  int64_t group_size() const { return rows * width + rest; }

  // tile(group, row_tile, row_begin, row_end, column_begin, column_end) for all tiles, in parallel.
  template <class F>
  void for_tiles(const F& tile) const {
    const int64_t elements = std::min(row_step, std::max<int64_t>(rows, 1)) * std::min(column_step, width);
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(elements, 1));
    parallel_for(groups * row_tiles * column_tiles, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t column = i % column_tiles * column_step, t = i / column_tiles % row_tiles;
        tile(i / column_tiles / row_tiles, t, t * row_step, std::min(rows, (t + 1) * row_step), column,
             std::min(width, column + column_step));
      }
    });
  }
};

struct Place {
  int64_t group, row, column;  // row and column of the wide view
  int64_t offset;              // of the element in the whole array
};

// Values per (group, column), laid out as the wide rows see them: (groups, width).
template <class T>
std::vector<T> repeat_columns(const Tiles& t, int64_t value_groups, const T* values) {
  std::vector<T> wide(static_cast<size_t>(value_groups * t.width));
  for (int64_t i = 0; i < value_groups * t.copies; i++)
    std::copy_n(values + i / t.copies * t.cols, t.cols, wide.data() + i * t.cols);
  return wide;
}

// One tile: out[k][c] = op over rows of f, c from column_begin. f.template operator()<V>(Place) gives std::array<V, K>.
template <class V, int K, class T, class Op, class F>
void fold_tile(const Tiles& t, int64_t group, int64_t row_begin, int64_t row_end, int64_t column_begin,
               int64_t column_end, T identity, const Op& op, const F& f, const std::array<T*, K>& out) {
  constexpr int64_t L = vec::lanes<V>;
  const int64_t n = column_end - column_begin, slots = (n + L - 1) / L;
  std::array<V, K> start;
  start.fill(vec::splat<V>(identity));
  thread_local std::vector<T> memory;
  memory.resize(static_cast<size_t>(slots * L * K));
  T* const acc = memory.data();
  const auto column_of = [&](int64_t slot) { return column_begin + std::min(slot * L, n - L); };
  const auto load_slot = [&](int64_t slot) {
    std::array<V, K> a;
    for (int k = 0; k < K; k++) a[k] = load<V>(acc + (slot * K + k) * L);
    return a;
  };
  const auto store_slot = [&](int64_t slot, const std::array<V, K>& a) {
    for (int k = 0; k < K; k++) store(acc + (slot * K + k) * L, a[k]);
  };
  for (int64_t slot = 0; slot < slots; slot++) store_slot(slot, start);
  const int64_t base = group * t.group_size();
  int64_t row = row_begin;
  for (; row + 4 <= row_end; row += 4) {
    for (int64_t slot = 0; slot < slots; slot++) {
      const int64_t c = column_of(slot);
      const auto at = [&](int64_t r) { return f.template operator()<V>(Place{group, r, c, base + r * t.width + c}); };
      const auto four = combine<K>(op, combine<K>(op, at(row), at(row + 1)), combine<K>(op, at(row + 2), at(row + 3)));
      store_slot(slot, combine<K>(op, load_slot(slot), four));
    }
  }
  for (; row < row_end; row++) {
    for (int64_t slot = 0; slot < slots; slot++) {
      const int64_t c = column_of(slot);
      const auto one = f.template operator()<V>(Place{group, row, c, base + row * t.width + c});
      store_slot(slot, combine<K>(op, load_slot(slot), one));
    }
  }
  for (int64_t slot = 0; slot < slots; slot++) {
    const auto a = load_slot(slot);
    for (int k = 0; k < K; k++) store(out[k] + column_of(slot) - column_begin, a[k]);
  }
}

// The same with whole vectors where a tile is wide enough for one, else lane by lane.
template <int K, class T, class Op, class F>
void fold_any_tile(const Tiles& t, int64_t group, int64_t row_begin, int64_t row_end, int64_t column_begin,
                   int64_t column_end, T identity, const Op& op, const F& f, const std::array<T*, K>& out) {
  if (column_end - column_begin >= vec::lanes<vec::Native<T>>)
    fold_tile<vec::Native<T>, K>(t, group, row_begin, row_end, column_begin, column_end, identity, op, f, out);
  else
    fold_tile<vec::One<T>, K>(t, group, row_begin, row_end, column_begin, column_end, identity, op, f, out);
}

// out[k][group*cols + c] = op over the group's rows of f(...)[k]; out[k] is (groups, cols).
template <int K, class T, class Op, class F>
void fold_columns(const Tiles& t, T identity, const Op& op, const F& f, const std::array<T*, K>& out) {
  using S = vec::One<T>;
  if (t.groups * t.width == 0) return;
  const auto scalar = [&](T a, T b) { return op(S{a}, S{b})[0]; };
  const bool direct = t.row_tiles == 1 && t.copies == 1;  // a tile's results are the final ones
  std::vector<T> partial(
      static_cast<size_t>(direct ? 0 : t.groups * t.row_tiles * K * t.width));  // (groups, tiles, K, width)
  const auto at = [&](int64_t group, int64_t row_tile, int k) {
    return direct ? out[k] + group * t.cols : partial.data() + ((group * t.row_tiles + row_tile) * K + k) * t.width;
  };
  t.for_tiles([&](int64_t group, int64_t row_tile, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    std::array<T*, K> here;
    for (int k = 0; k < K; k++) here[k] = at(group, row_tile, k) + c0;
    fold_any_tile<K>(t, group, r0, r1, c0, c1, identity, op, f, here);
  });
  if (direct) return;
  parallel_for(t.groups * t.width, 16384 / t.row_tiles + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {  // the share of each group
      const int64_t group = i / t.width, c0 = i % t.width, c1 = std::min(t.width, c0 + end - i);
      for (int64_t step = 1; step < t.row_tiles; step *= 2)
        for (int64_t a = 0; a + step < t.row_tiles; a += 2 * step)
          for (int k = 0; k < K; k++)
            for (int64_t c = c0; c < c1; c++)
              at(group, a, k)[c] = scalar(at(group, a, k)[c], at(group, a + step, k)[c]);
      i += c1 - c0;
    }
  });
  for (int64_t group = 0; group < t.groups; group++) {
    for (int64_t c = 0; c < t.rest; c++) {
      const int64_t offset = group * t.group_size() + t.rows * t.width + c;
      const auto one = f.template operator()<S>(Place{group, t.rows, c, offset});
      for (int k = 0; k < K; k++) at(group, 0, k)[c] = scalar(at(group, 0, k)[c], one[k][0]);
    }
    for (int k = 0; k < K; k++) {
      T* const from = at(group, 0, k);
      for (int64_t half = t.copies / 2; half > 0; half /= 2)
        for (int64_t c = 0; c < half * t.cols; c++) from[c] = scalar(from[c], from[c + half * t.cols]);
      std::copy_n(from, t.cols, out[k] + group * t.cols);
    }
  }
}

// f.template operator()<V>(Place) for every element, in parallel; an overlapping vector visits some elements twice.
template <class T, class F>
void map_columns(const Tiles& t, const F& f) {
  using V = vec::Native<T>;
  using S = vec::One<T>;
  constexpr int64_t L = vec::lanes<V>;
  if (t.width == 0) return;
  parallel_for(t.groups * t.rows, 16384 / t.width + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t group = i / t.rows, row = i % t.rows, base = group * t.group_size() + row * t.width;
      if (t.width >= L) {
        for (int64_t c = 0; c < t.width; c += L) {
          const int64_t at = std::min(c, t.width - L);
          f.template operator()<V>(Place{group, row, at, base + at});
        }
      } else {
        for (int64_t c = 0; c < t.width; c++) f.template operator()<S>(Place{group, row, c, base + c});
      }
      if (row == t.rows - 1)
        for (int64_t c = 0; c < t.rest; c++) f.template operator()<S>(Place{group, t.rows, c, base + t.width + c});
    }
  });
}

}  // namespace forger::kernels
