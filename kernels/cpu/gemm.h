// The packed matrix product on which linear layers and the whole convolution triangle run.
//
//   C (m, n) = A (m, k) B (k, n)
//
// An operand is a *source*: a virtual row-major matrix of which runs of a row can be visited. A plain matrix is a
// source, and so are the patches of an image, gathered on the fly. The product packs blocks of its sources into panels
// that fit the caches, so no patch matrix ever exists in memory:
//
//   for each block of NC columns         B block (KC, NC) in panels of NR columns: about the L2, shared by all threads
//     for each block of KC of the depth
//       pack B                           each thread packs a share of the depth; all wait for it
//       for each panel of MR rows        A panel (MR, KC): in the L1, each thread has its own rows
//         pack A                         unless it is read in place
//         for each panel of B            C tile (MR, NR): in registers over the whole of KC
//           micro-kernel
//
// The micro-kernel holds MR x 2 accumulator vectors, loads two vectors of B per step and multiplies them by MR
// broadcast elements of A. 14 x 2 accumulators, two of B and one broadcast fill the 32 registers of AVX-512; AVX2 has
// 16. Rows are dealt evenly to panels of at most MR rows, and there is a micro-kernel for each count, so leftovers cost
// little.
//
// A broadcast does not care how A lies, so A is never transposed. Either its rows are copied to a panel of constant row
// distance (`by rows`; read in place where they have it already), or it holds the transpose and step k of a panel is a
// piece of row k (`by depth`), copied if many panels of B follow and read in place if not.
//
// Operands may also be so narrow that tiles are mostly padding: see "few columns" below, and thin_conv.cpp.
//
// The layout follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication" (2008) and F. Van
// Zee and R. van de Geijn, "BLIS" (2015), except that A is packed one panel at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/parallel.h"
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

inline int64_t blocks(int64_t size, int64_t limit) { return std::max<int64_t>(1, (size + limit - 1) / limit); }

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
  const int64_t kc = depth.size(), vectors = blocks(cols.size(), lanes);
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

// ---- the product ----------------------------------------------------------------------------------------------------

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

// Addresses that are wanted when a series of products is done. Memory idles while tiles are multiplied, so the
// micro-kernels have it bring a line a step: in the last steps of the series, that nothing drives it out of the L2
// again.
class Wanted {
 public:
  Wanted() = default;  // nothing
  // fill(to) writes at most `most` addresses, valid or not, and returns their end. The series has `steps` in all.
  template <class Fill>
  Wanted(int64_t most, int64_t steps, const Fill& fill) {
    auto** const list = static_cast<const void**>(
        scratch(Scratch::wanted, static_cast<size_t>(most + max_steps) * sizeof(const void*)));
    const void** const end = fill(list);
    std::fill_n(end, max_steps, list);
    next_ = list;
    end_ = end;
    wait_ = steps - (end - list) * 5 / 4;
  }
  // For a micro-kernel of so many steps.
  const void* const* take(int64_t steps) {
    wait_ -= steps;
    return wait_ > 0 || next_ >= end_ ? nothing() : std::exchange(next_, next_ + steps);
  }

 private:
  static constexpr int64_t max_steps = max_kc<float>;
  static const void* const* nothing();  // max_steps addresses of no interest
  const void *const *next_ = nullptr, *const *end_ = nullptr;
  int64_t wait_ = 0;  // steps without a fetch
};

// The steps of all micro-kernels of a product.
template <class T, int Bytes>
int64_t steps_of(int64_t rows, int64_t cols, int64_t depth) {
  return blocks(rows, Tile<T, Bytes>::mr) * blocks(cols, Tile<T, Bytes>::nr) * depth;
}

// The tiles of `rows` x `cols`, the block of B (depth, cols) being packed. Tiles that are not full are computed aside.
template <class T, int Bytes, class A, class Out>
void multiply_block(const Operand<A>& a, const T* b_panels, Range rows, Range cols, Range depth, bool accumulate,
                    Out& out, Wanted& wanted) {
  constexpr int nr = Tile<T, Bytes>::nr;
  const int64_t kc = depth.size(), b_count = blocks(cols.size(), nr), panels = blocks(rows.size(), Tile<T, Bytes>::mr);
  T* const a_panel = static_cast<T*>(scratch(Scratch::gemm_a, max_mr * row_step<T> * sizeof(T)));
  T* const aside = static_cast<T*>(scratch(Scratch::gemm_c, max_mr * nr * sizeof(T)));
  T *aside_rows[max_mr], *out_rows[max_mr];
  for (int i = 0; i < max_mr; i++) aside_rows[i] = aside + i * nr;

  for (int64_t panel = 0; panel < panels; panel++) {
    const Range mine = rows.part(panel, panels);
    const int mr = static_cast<int>(mine.size());
    const APanel<T> packed = pack_a(a, mine, depth, b_count, a_panel);
    const Kernel<T> full = find_kernel<T, Bytes>(mr, !a.transposed, false);
    const Kernel<T> narrow = find_kernel<T, Bytes>(mr, !a.transposed, true);
    out.rows(mine.begin, mr, out_rows);

    for (int64_t col = cols.begin; col < cols.end; col += nr) {
      const T* const b = b_panels + (col - cols.begin) * kc;
      const int64_t count = std::min<int64_t>(nr, cols.end - col);
      if (count == nr) {
        full(kc, packed.data, packed.step, b, out_rows, col, accumulate, wanted.take(kc));
      } else {
        (count <= nr / 2 ? narrow : full)(kc, packed.data, packed.step, b, aside_rows, 0, false, wanted.take(kc));
        for (int i = 0; i < mr; i++) {
          if (accumulate) {
            add_run(out_rows[i] + col, aside_rows[i], count);
          } else {
            copy_run(out_rows[i] + col, aside_rows[i], count);
          }
        }
      }
      if constexpr (finishes<Out>) out.finish(out_rows, mr, col, count, depth.end);
    }
  }
}

// The tiles of `rows` x `cols`, summed over `depth`. Up to `threads` threads pack each block of B together, then take
// rows of their own.
template <class T, int Bytes, class A, class B, class Out>
void multiply_rows(int64_t threads, const Operand<A>& a, const Operand<B>& b, Range rows, Range cols, Range depth,
                   Out& out) {
  constexpr int nr = Tile<T, Bytes>::nr;
  // Packing by rows likes long runs; by depth, more columns per packed panel matter more.
  const int64_t max_depth = a.transposed ? max_kc<T> / 2 : max_kc<T>;
  const int64_t depth_blocks = blocks(depth.size(), max_depth);
  const int64_t col_blocks = blocks(cols.size(), block_size<T> / max_depth);
  T* const panels = static_cast<T*>(scratch(Scratch::gemm_b, block_size<T> * sizeof(T)));
  for (int64_t jc = 0; jc < col_blocks; jc++) {
    const Range c = cols.part(jc, col_blocks, nr);
    for (int64_t pc = 0; pc < depth_blocks; pc++) {
      const Range d = depth.part(pc, depth_blocks);
      parallel_jobs(threads, [&](int64_t i) {
        const Range packed = Range{0, d.size()}.part(i, threads);
        if (b.transposed) {
          if constexpr (is_matrix<B>) pack_b_transposed<T, Bytes>(b.source, d, packed, c, panels);
        } else if (packed.size() > 0) {
          pack_b<T, nr>(b.source, d, packed, c, panels);
        }
      });
      parallel_jobs(threads, [&](int64_t i) {
        Wanted nothing;
        multiply_block<T, Bytes>(a, panels, rows.part(i, threads), c, d, pc > 0, out, nothing);
      });
    }
  }
}

// ---- few columns: dot products --------------------------------------------------------------------------------------
//
// With one to four columns (a discriminator's verdict, an image's channels) a tile of NR columns would be mostly
// padding. Here vectors run along the depth instead: four rows of A against all columns of B, both packed by rows and
// padded with zeros to whole vectors, and the lanes are summed at the end.

constexpr int64_t max_dot_columns = 4;
constexpr int dot_rows = 4;

template <class T, int Bytes, int N>
void dot_tile(int64_t kc, const T* a, const T* b, T (&sums)[dot_rows][N]) {
  using V = Vec<T, Bytes>;
  constexpr int lanes = Tile<T, Bytes>::lanes;
  V acc[dot_rows][N] = {};
  for (int64_t k = 0; k < kc; k += lanes) {
    V bv[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; j++) bv[j] = load<V>(b + j * row_step<T> + k);
#pragma GCC unroll 4
    for (int i = 0; i < dot_rows; i++) {
      const V av = load<V>(a + i * row_step<T> + k);
#pragma GCC unroll 4
      for (int j = 0; j < N; j++) acc[i][j] += av * bv[j];
    }
  }
  for (int i = 0; i < dot_rows; i++) {
    for (int j = 0; j < N; j++) {
      T sum = 0;
      for (int lane = 0; lane < lanes; lane++) sum += acc[i][j][lane];
      sums[i][j] = sum;
    }
  }
}

template <class T, int Bytes, int N, class A, class B, class Out>
void multiply_dots(const Operand<A>& a, const Operand<B>& b, Range rows, int64_t k, Out& out) {
  constexpr int64_t lanes = Tile<T, Bytes>::lanes, panel_rows = dot_rows * 3;
  const int64_t depth_blocks = blocks(k, max_kc<T>);
  T* const a_panel = static_cast<T*>(scratch(Scratch::gemm_a, (panel_rows + N) * row_step<T> * sizeof(T)));
  T* const b_panel = a_panel + panel_rows * row_step<T>;
  T sums[dot_rows][N], *out_rows[panel_rows];
  for (int64_t pc = 0; pc < depth_blocks; pc++) {
    const Range depth = Range{0, k}.part(pc, depth_blocks);
    const int64_t kc = depth.size(), padded = (kc + lanes - 1) / lanes * lanes;
    for (int64_t i = 0; i < panel_rows + N; i++) std::fill_n(a_panel + i * row_step<T> + kc, padded - kc, T{0});
    if (b.transposed) {
      pack_by_rows(b.source, {0, N}, depth, b_panel);
    } else {
      auto cursor = b.source.at(depth.begin);
      for (int64_t s = 0; s < kc; s++, cursor.next()) {
        cursor.runs(0, N, [&](int64_t offset, const T* src, int64_t n) {
          for (int64_t j = 0; j < n; j++) b_panel[(offset + j) * row_step<T> + s] = src ? src[j] : T{0};
        });
      }
    }
    for (int64_t row = rows.begin; row < rows.end; row += panel_rows) {
      const int64_t count = std::min(panel_rows, rows.end - row);
      pack_by_rows(a.source, {row, row + count}, depth, a_panel);
      out.rows(row, count, out_rows);
      for (int64_t i = 0; i < count; i++) {
        if (i % dot_rows == 0) dot_tile<T, Bytes, N>(padded, a_panel + i * row_step<T>, b_panel, sums);
        for (int64_t j = 0; j < N; j++) out_rows[i][j] = sums[i % dot_rows][j] + (pc > 0 ? out_rows[i][j] : T{0});
      }
      if constexpr (finishes<Out>) out.finish(out_rows, count, 0, N, depth.end);
    }
  }
}

template <class T, int Bytes, class A, class B, class Out>
void multiply_few_columns(const Operand<A>& a, const Operand<B>& b, Range rows, int64_t n, int64_t k, Out& out) {
  if (n == 1) multiply_dots<T, Bytes, 1>(a, b, rows, k, out);
  if (n == 2) multiply_dots<T, Bytes, 2>(a, b, rows, k, out);
  if (n == 3) multiply_dots<T, Bytes, 3>(a, b, rows, k, out);
  if (n == 4) multiply_dots<T, Bytes, 4>(a, b, rows, k, out);
}

// ---- the whole product ----------------------------------------------------------------------------------------------

// The whole product on the calling thread alone.
template <class T, int Bytes, class A, class B, class Out>
void multiply_serial(int64_t m, int64_t n, Range depth, const Operand<A>& a, const Operand<B>& b, Out& out) {
  multiply_rows<T, Bytes>(1, a, b, {0, m}, {0, n}, depth, out);
}

// Below this many multiply-adds per thread, waking a thread costs more than it saves.
constexpr double min_work_per_thread = 2e5;

inline int useful_threads(double multiply_adds) {
  return static_cast<int>(std::clamp<double>(multiply_adds / min_work_per_thread, 1, threads()));
}

// The whole product. Threads share the rows, or the columns where rows are too few.
template <class T, int Bytes, class A, class B, class Out>
void multiply(int64_t m, int64_t n, int64_t k, const Operand<A>& a, const Operand<B>& b, Out out) {
  constexpr int nr = Tile<T, Bytes>::nr;
  if (m == 0 || n == 0) return;
  const int count = useful_threads(double(m) * double(n) * double(k));
  if (n <= max_dot_columns && k >= nr && !a.transposed) {
    return parallel_for(m, std::max<int64_t>(m / count, 1), [&](int64_t begin, int64_t end) {
      multiply_few_columns<T, Bytes>(a, b, {begin, end}, n, k, out);
    });
  }
  if (count == 1) return multiply_serial<T, Bytes>(m, n, {0, k}, a, b, out);

  const Range rows{0, m}, cols{0, n}, depth{0, k};
  if (m >= count && (m >= 4 * count || n < nr * count)) {
    return multiply_rows<T, Bytes>(count, a, b, rows, cols, depth, out);
  }
  parallel_jobs(count, [&](int64_t i) {
    const Range mine = cols.part(i, count, nr);
    if (mine.size() > 0) multiply_rows<T, Bytes>(1, a, b, rows, mine, depth, out);
  });
}

}  // namespace forger::kernels::gemm
