// What a packed product works on: the sizes of its tiles, where its operands come from and its result goes, and the
// panels that blocks of operands are packed into.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/simd.h"

namespace forger::kernels::gemm {

// ---- tile sizes -----------------------------------------------------------------------------------------------------

template <class T, int Bytes>
struct Tile {
  static constexpr int lanes = Bytes / int{sizeof(T)};
  static constexpr int nr = 2 * lanes;
  static constexpr int mr = Bytes == 64 ? 14 : Bytes == 32 ? 6 : 4;
};

constexpr int max_mr = 14;
template <class T>
constexpr int64_t max_kc = 2048 / sizeof(T);
template <class T>
constexpr int64_t block_size = (1 << 20) / sizeof(T);  // of B: KC x NC, elements
// Distance of the rows of an A panel: an odd number of cache lines, so that they fall into different sets of the L1.
template <class T>
constexpr int64_t row_step = max_kc<T> + 64 / sizeof(T);

// c[i][col .. col+NR) (+)= sum_k a(i, k) * b[k][0 .. NR) for the MR rows of a panel, where a(i, k) is a[i*row_step + k]
// by rows and a[k*a_step + i] by depth. `narrow`: only the first NR/2 columns. Step k fetches wanted[k] to the L2.
template <class T>
using Kernel = void (*)(int64_t kc, const T* a, int64_t a_step, const T* b, T* const* c, int64_t col, bool accumulate,
                        const void* const* wanted);

template <class T, int Bytes>
Kernel<T> find_kernel(int mr, bool by_rows, bool narrow);

// ---- sources: virtual row-major matrices ----------------------------------------------------------------------------
//
// at(row) is a cursor; next() moves it a row down; runs(col, count, emit) visits the columns [col, col + count) of its
// row from left to right as emit(offset, pointer, length), pointer being null for a run of zeros.

template <class T>
struct Matrix {
  T* data;
  int64_t step;  // elements from one row to the next

  struct Cursor {
    T* row;
    int64_t step;
    void next() { row += step; }
    template <class Emit>
    void runs(int64_t col, int64_t count, const Emit& emit) const {
      emit(int64_t{0}, row + col, count);
    }
  };
  Cursor at(int64_t row) const { return {data + row * step, step}; }
};

template <class Source>
struct Operand {
  Source source;
  bool transposed = false;  // the source holds the transpose; matrices only
};

template <class Source>
constexpr bool is_matrix = requires(const Source& s) {
  s.data + s.step;
};

// ---- destinations ---------------------------------------------------------------------------------------------------
//
// A destination has rows(row, count, pointers), the addresses of contiguous rows into which tiles are stored. It may
// also have finish(rows, count, col, cols, depth), told of each tile when the products up to `depth` are summed.

template <class Out>
constexpr bool finishes = requires {
  &Out::finish;
};

template <class T>
struct MatrixOut {
  T* data;
  int64_t step;
  void rows(int64_t row, int64_t count, T** pointers) const {
    for (int64_t i = 0; i < count; i++) pointers[i] = data + (row + i) * step;
  }
};

// A matrix whose elements go through an epilogue once their sum over the whole depth is there.
template <class T>
struct FinishedOut : MatrixOut<T> {
  BiasActivation<T> epilogue;
  int64_t depth;
  void finish(T* const* pointers, int64_t count, int64_t col, int64_t cols, int64_t summed) const {
    if (summed < depth) return;
    for (int64_t i = 0; i < count; i++) epilogue.finish(pointers[i], col, cols);
  }
};

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  // Part i of `parts` nearly equal ones, cut at multiples of `grain`.
  Range part(int64_t i, int64_t parts, int64_t grain = 1) const {
    const int64_t units = (size() + grain - 1) / grain;
    return {begin + units * i / parts * grain, std::min(end, begin + units * (i + 1) / parts * grain)};
  }
};

// How many blocks of at most `limit` cover `size`; one for nothing, whose sum is zeros that have to be written.
inline int64_t block_count(int64_t size, int64_t limit) { return std::max<int64_t>(1, (size + limit - 1) / limit); }

// ---- packing --------------------------------------------------------------------------------------------------------

template <class T>
inline void copy_run(T* dst, const T* src, int64_t n) {
  using V = Vec<T, native_bytes>;
  constexpr int64_t lanes = native_bytes / sizeof(T);
  if (!src) {
    std::fill_n(dst, n, T{0});
    return;
  }
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dst + i, load<V>(src + i));
  if (i < n) store_first(dst + i, load_first<V>(src + i, n - i), n - i);
}

template <class T>
inline void add_run(T* dst, const T* src, int64_t n) {
  using V = Vec<T, native_bytes>;
  constexpr int64_t lanes = native_bytes / sizeof(T);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dst + i, load<V>(dst + i) + load<V>(src + i));
  if (i < n) store_first(dst + i, load_first<V>(dst + i, n - i) + load_first<V>(src + i, n - i), n - i);
}

// (rows, kc) -> panel[i*row_step + k]
template <class T, class Source>
void pack_by_rows(const Source& source, Range rows, Range depth, T* panel) {
  auto cursor = source.at(rows.begin);
  for (int64_t i = 0; i < rows.size(); i++, cursor.next()) {
    T* const dst = panel + i * row_step<T>;
    cursor.runs(depth.begin, depth.size(),
                [&](int64_t offset, const T* src, int64_t n) { copy_run(dst + offset, src, n); });
  }
}

// The matrix holds (k, rows): -> panel[k*max_mr + i]
template <class T>
void pack_by_depth(const Matrix<const T>& source, Range rows, Range depth, T* panel) {
  for (int64_t k = depth.begin; k < depth.end; k++, panel += max_mr) {
    copy_run(panel, source.data + k * source.step + rows.begin, rows.size());
  }
}

// The source holds (k, n): -> panels[p*kc*NR + k*NR + j], zeros beyond the last column. Packs `steps` of `depth`.
template <class T, int NR, class Source>
void pack_b(const Source& source, Range depth, Range steps, Range cols, T* panels) {
  const int64_t kc = depth.size(), padded = (cols.size() + NR - 1) / NR * NR;
  auto cursor = source.at(depth.begin + steps.begin);
  for (int64_t s = steps.begin; s < steps.end; s++, cursor.next()) {
    T* const row = panels + s * NR;
    const auto place = [&](int64_t offset, const T* src, int64_t n) {
      while (n > 0) {
        const int64_t lane = offset % NR, part = std::min(n, NR - lane);
        copy_run(row + offset / NR * kc * NR + lane, src, part);
        offset += part;
        n -= part;
        if (src) src += part;
      }
    };
    cursor.runs(cols.begin, cols.size(), place);
    if (padded > cols.size()) place(cols.size(), nullptr, padded - cols.size());
  }
}

// In-register transpose of a square of vectors: log2(lanes) rounds of pairwise interleaving.
template <class V, int Lanes>
inline void transpose(V (&v)[Lanes]) {
  V next[Lanes];
  for (int half = Lanes / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < Lanes / 2; i++) {
      next[2 * i] = interleave<V, Lanes, 0>(v[i], v[i + Lanes / 2]);
      next[2 * i + 1] = interleave<V, Lanes, Lanes / 2>(v[i], v[i + Lanes / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Lanes; i++) v[i] = next[i];
  }
}

// The matrix holds (n, k). Squares are transposed in registers; what is left at the edges goes element by element.
template <class T, int Bytes>
void pack_b_transposed(const Matrix<const T>& source, Range depth, Range steps, Range cols, T* panels) {
  using V = Vec<T, Bytes>;
  constexpr int lanes = Tile<T, Bytes>::lanes, nr = Tile<T, Bytes>::nr;
  const int64_t kc = depth.size(), vectors = block_count(cols.size(), lanes);
  for (int64_t j = 0; j < cols.size(); j += lanes) {
    T* const panel = panels + j / nr * kc * nr + j % nr;
    const T* const first = source.data + (cols.begin + j) * source.step + depth.begin;
    const int64_t count = std::min<int64_t>(lanes, cols.size() - j);
    int64_t s = steps.begin;
    for (; count == lanes && s + lanes <= steps.end; s += lanes) {
      V square[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; i++) square[i] = load<V>(first + i * source.step + s);
      transpose<V, lanes>(square);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; i++) store(panel + (s + i) * nr, square[i]);
    }
    for (; s < steps.end; s++) {
      for (int64_t i = 0; i < lanes; i++) panel[s * nr + i] = i < count ? first[i * source.step + s] : T{0};
    }
  }
  if (vectors % 2 == 1) {  // the last panel's second half
    T* const half = panels + vectors / 2 * kc * nr + lanes;
    for (int64_t s = steps.begin; s < steps.end; s++) store(half + s * nr, V{});
  }
}

// A panel of A as the micro-kernels take it.
template <class T>
struct APanel {
  const T* data;
  int64_t step;  // by depth
};

// `repeats`: how many panels of B it will meet.
template <class T, class A>
APanel<T> pack_a(const Operand<A>& a, Range rows, Range depth, int64_t repeats, T* panel) {
  constexpr int64_t worth_copying = 8;  // repeats from which copying a transposed A beats reading it in place
  if (!a.transposed) {
    if constexpr (is_matrix<A>) {
      if (a.source.step == row_step<T>) return {a.source.data + rows.begin * row_step<T> + depth.begin, 1};
    }
    if (depth.size() > 0) pack_by_rows(a.source, rows, depth, panel);
    return {panel, 1};
  }
  if constexpr (is_matrix<A>) {
    if (repeats < worth_copying) return {a.source.data + depth.begin * a.source.step + rows.begin, a.source.step};
    pack_by_depth(a.source, rows, depth, panel);
  }
  return {panel, max_mr};
}

}  // namespace forger::kernels::gemm
