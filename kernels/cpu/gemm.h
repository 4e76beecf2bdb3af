// The packed matrix product on which linear layers and the whole convolution triangle run.
//
//   C (m, n) = A (m, k) B (k, n)
//
// An operand is a *source*: a virtual row-major matrix of which runs of a row can be visited. A plain matrix is a source,
// and so are the patches of an image, gathered on the fly. The product packs blocks of its sources into panels that fit
// the caches, so no patch matrix ever exists in memory:
//
//   for each block of NC columns           B block (KC, NC) in panels of NR columns: in L2, shared by all threads
//     for each block of KC of the depth
//       pack B                             each thread packs a share of the depth, then a barrier
//       for each panel of MR rows          A panel (MR, KC): in L1, each thread has its own rows
//         pack A
//         for each B panel                 C tile (MR, NR): in registers over the whole of KC
//           micro-kernel
//
// The micro-kernel holds MR x 2 accumulator vectors, loads two vectors of B per step and multiplies them by MR broadcast
// elements of A. 14 x 2 accumulators, two of B and one broadcast fill the 32 registers of AVX-512; AVX2 has 16. Rows are
// dealt evenly to panels of at most MR rows, and there is a micro-kernel for each count, so leftovers cost little.
//
// An A panel keeps the order in which its source is contiguous: `by rows` (row i at i*row_step, for patches and plain
// matrices) or `by depth` (step k at k*MR, for transposed ones). Broadcasts do not care, so A is never transposed.
//
// The layout follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication" (2008) and F. Van Zee
// and R. van de Geijn, "BLIS" (2015), except that A is packed one panel at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

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
constexpr int max_nr = 32;
template <class T>
constexpr int64_t max_kc = 1024 / sizeof(T);
template <class T>
constexpr int64_t max_nc = 2048 / sizeof(T);
// Distance of the rows of an A panel: an odd number of cache lines, so that they fall into different sets of the L1.
template <class T>
constexpr int64_t row_step = max_kc<T> + 64 / sizeof(T);

// c[i][col .. col+NR) (+)= sum_k a(i, k) * b[k][0 .. NR) for the MR rows of a panel. `narrow`: only the first NR/2 columns.
template <class T>
using Kernel = void (*)(int64_t kc, const T* a, const T* b, T* const* c, int64_t col, bool accumulate);

template <class T, int Bytes>
Kernel<T> find_kernel(int mr, bool by_rows, bool narrow);

// ---- sources: virtual row-major matrices ----------------------------------------------------------------------------
//
// at(row) is a cursor; next() moves it a row down; runs(col, count, emit) visits the columns [col, col + count) of its row
// from left to right as emit(offset, pointer, length), pointer being null for a run of zeros.

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
  bool transposed = false;  // the source holds the transpose
};

// ---- destinations ---------------------------------------------------------------------------------------------------
//
// A destination either has rows(row, count, pointers), the addresses of contiguous rows into which tiles are stored, or
// scatter(row, count, col, cols, tile, tile_step), which must add a tile wherever it belongs.

template <class T>
struct MatrixOut {
  T* data;
  int64_t step;
  void rows(int64_t row, int64_t count, T** pointers) const {
    for (int64_t i = 0; i < count; i++) pointers[i] = data + (row + i) * step;
  }
};

// ---- packing --------------------------------------------------------------------------------------------------------

template <class T>
inline void copy_run(T* dst, const T* src, int64_t n) {
  constexpr int64_t wide = native_bytes / sizeof(T), narrow = 16 / sizeof(T);
  if (!src) {
    std::fill_n(dst, n, T{0});
    return;
  }
  int64_t i = 0;
  for (; i + wide <= n; i += wide) store(dst + i, load<Vec<T, native_bytes>>(src + i));
  for (; i + narrow <= n; i += narrow) store(dst + i, load<Vec<T, 16>>(src + i));
  for (; i < n; i++) dst[i] = src[i];
}

template <class T>
inline void add_run(T* dst, const T* src, int64_t n) {
  using V = Vec<T, 16>;
  constexpr int64_t lanes = 16 / sizeof(T);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(dst + i, load<V>(dst + i) + load<V>(src + i));
  for (; i < n; i++) dst[i] += src[i];
}

// (rows, kc) -> panel[i*row_step + k]
template <class T, class Source>
void pack_by_rows(const Source& source, int64_t row, int64_t rows, int64_t k, int64_t kc, T* panel) {
  auto cursor = source.at(row);
  for (int64_t i = 0; i < rows; i++, cursor.next()) {
    T* dst = panel + i * row_step<T>;
    cursor.runs(k, kc, [&](int64_t offset, const T* src, int64_t n) { copy_run(dst + offset, src, n); });
  }
}

// The source holds (k, rows): -> panel[k*rows + i]
template <class T, class Source>
void pack_by_depth(const Source& source, int64_t row, int64_t rows, int64_t k, int64_t kc, T* panel) {
  auto cursor = source.at(k);
  for (int64_t s = 0; s < kc; s++, cursor.next()) {
    T* dst = panel + s * rows;
    cursor.runs(row, rows, [&](int64_t offset, const T* src, int64_t n) { copy_run(dst + offset, src, n); });
  }
}

// The source holds (k, n): -> panels[p*kc*NR + k*NR + j], zeros beyond the last column. Packs the steps [begin, end).
template <class T, int NR, class Source>
void pack_b(const Source& source, int64_t k, int64_t kc, int64_t begin, int64_t end, int64_t col, int64_t cols, T* panels) {
  const int64_t padded = (cols + NR - 1) / NR * NR;
  auto cursor = source.at(k + begin);
  for (int64_t s = begin; s < end; s++, cursor.next()) {
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
    cursor.runs(col, cols, place);
    if (padded > cols) place(cols, nullptr, padded - cols);
  }
}

// The source holds (n, k). Slices of the depth keep the strided writes of one panel inside the L1.
template <class T, int NR, class Source>
void pack_b_transposed(const Source& source, int64_t k, int64_t kc, int64_t begin, int64_t end, int64_t col, int64_t cols,
                       T* panels) {
  constexpr int64_t slice = 64;
  const int64_t padded = (cols + NR - 1) / NR * NR;
  for (int64_t s = begin; s < end; s += slice) {
    const int64_t count = std::min(slice, end - s);
    auto cursor = source.at(col);
    for (int64_t j = 0; j < padded; j++) {
      T* const dst = panels + j / NR * kc * NR + s * NR + j % NR;
      const auto place = [&](int64_t offset, const T* src, int64_t n) {
        for (int64_t t = 0; t < n; t++) dst[(offset + t) * NR] = src ? src[t] : T{0};
      };
      if (j < cols) {
        cursor.runs(k + s, count, place);
        cursor.next();
      } else {
        place(0, nullptr, count);
      }
    }
  }
}

// ---- the product ----------------------------------------------------------------------------------------------------

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

// Threads that work on the same columns and share the packed B. `b` holds two blocks: while some threads still multiply
// by one, others pack the next, so one barrier per block is enough.
struct Team {
  int rank = 0, size = 1;
  void* b = nullptr;
};

template <class T>
constexpr size_t b_block_bytes = (max_nc<T> + max_nr) * max_kc<T> * sizeof(T);

// The tiles of the rows `rows` and the columns `cols`, whose block of B (depth.size(), cols) is packed.
template <class T, int Bytes, class A, class Out>
void multiply_block(const Operand<A>& a, const T* b_panels, Range rows, Range cols, Range depth, bool accumulate, Out& out) {
  constexpr int nr = Tile<T, Bytes>::nr;
  constexpr bool scattered = requires(T* tile) { out.scatter(0, 0, 0, 0, tile, nr); };
  const int64_t kc = depth.size(), panels = blocks(rows.size(), Tile<T, Bytes>::mr);
  T* const a_panel = static_cast<T*>(scratch(Scratch::gemm_a, max_mr * row_step<T> * sizeof(T)));
  alignas(64) T tile[max_mr * nr];
  T *tile_rows[max_mr], *out_rows[max_mr];

  for (int64_t panel = 0; panel < panels; panel++) {
    const Range mine = rows.part(panel, panels);
    const int mr = static_cast<int>(mine.size());
    if (kc == 0) {
      // nothing to pack: the tile becomes zero
    } else if (a.transposed) {
      pack_by_depth(a.source, mine.begin, mr, depth.begin, kc, a_panel);
    } else {
      pack_by_rows(a.source, mine.begin, mr, depth.begin, kc, a_panel);
    }
    for (int i = 0; i < mr; i++) tile_rows[i] = tile + i * nr;
    if constexpr (!scattered) out.rows(mine.begin, mr, out_rows);
    const Kernel<T> full = find_kernel<T, Bytes>(mr, !a.transposed, false);

    for (int64_t col = cols.begin; col < cols.end; col += nr) {
      const T* const b = b_panels + (col - cols.begin) * kc;
      const int64_t count = std::min<int64_t>(nr, cols.end - col);
      if (!scattered && count == nr) {
        full(kc, a_panel, b, out_rows, col, accumulate);
        continue;
      }
      const bool narrow = count <= nr / 2;
      (narrow ? find_kernel<T, Bytes>(mr, !a.transposed, true) : full)(kc, a_panel, b, tile_rows, 0, false);
      if constexpr (scattered) {
        out.scatter(mine.begin, mr, col, count, tile, nr);
      } else {
        for (int i = 0; i < mr; i++) {
          T* const c = out_rows[i] + col;
          for (int64_t j = 0; j < count; j++) c[j] = accumulate ? c[j] + tile[i * nr + j] : tile[i * nr + j];
        }
      }
    }
  }
}

// One thread's share: the tiles of `rows` x `cols`, summed over `depth`.
template <class T, int Bytes, class A, class B, class Out>
void multiply_share(const Team& team, const Operand<A>& a, const Operand<B>& b, Range rows, Range cols, Range depth, Out& out) {
  constexpr int nr = Tile<T, Bytes>::nr;
  const int64_t col_blocks = blocks(cols.size(), max_nc<T>), depth_blocks = blocks(depth.size(), max_kc<T>);
  bool second = false;
  for (int64_t jc = 0; jc < col_blocks; jc++) {
    const Range c = cols.part(jc, col_blocks, nr);
    for (int64_t pc = 0; pc < depth_blocks; pc++) {
      const Range d = depth.part(pc, depth_blocks);
      T* const panels = reinterpret_cast<T*>(static_cast<char*>(team.b) + (second ? b_block_bytes<T> : 0));
      second = !second;
      const Range packed = Range{0, d.size()}.part(team.rank, team.size);
      if (d.size() == 0) {
        // nothing to pack
      } else if (b.transposed) {
        pack_b_transposed<T, nr>(b.source, d.begin, d.size(), packed.begin, packed.end, c.begin, c.size(), panels);
      } else {
        pack_b<T, nr>(b.source, d.begin, d.size(), packed.begin, packed.end, c.begin, c.size(), panels);
      }
      if (team.size > 1) {
#pragma omp barrier
      }
      multiply_block<T, Bytes>(a, panels, rows, c, d, pc > 0, out);
    }
  }
}

// The scratch for a team that starts on this thread.
template <class T>
void* b_scratch() {
  return scratch(Scratch::gemm_b, 2 * b_block_bytes<T>);
}

// The whole product on the calling thread alone.
template <class T, int Bytes, class A, class B, class Out>
void multiply_serial(int64_t m, int64_t n, Range depth, const Operand<A>& a, const Operand<B>& b, Out& out) {
  multiply_share<T, Bytes>({0, 1, b_scratch<T>()}, a, b, {0, m}, {0, n}, depth, out);
}

// Below this many multiply-adds per thread, waking a thread costs more than it saves.
constexpr double min_work_per_thread = 1e5;

inline int useful_threads(double multiply_adds) {
  return static_cast<int>(std::clamp<double>(multiply_adds / min_work_per_thread, 1, threads()));
}

// The whole product. Threads share the rows, or the columns where rows are too few. Rows are dealt in multiples of
// `row_grain`: a scattering destination must own what it adds to.
template <class T, int Bytes, class A, class B, class Out>
void multiply(int64_t m, int64_t n, int64_t k, const Operand<A>& a, const Operand<B>& b, Out out, int64_t row_grain = 1) {
  constexpr int nr = Tile<T, Bytes>::nr;
  if (m == 0 || n == 0) return;
  const int count = useful_threads(double(m) * double(n) * double(k));
  if (count == 1) return multiply_serial<T, Bytes>(m, n, {0, k}, a, b, out);

  const bool by_rows = m / row_grain >= count && (row_grain > 1 || m >= 4 * count || n < nr * count);
  const Range rows{0, m}, cols{0, n}, depth{0, k};
  void* const shared = b_scratch<T>();
#pragma omp parallel num_threads(count)
  {
    const int rank = omp_get_thread_num(), size = omp_get_num_threads();
    if (by_rows) {
      multiply_share<T, Bytes>({rank, size, shared}, a, b, rows.part(rank, size, row_grain), cols, depth, out);
    } else if (row_grain == 1) {
      const Range mine = cols.part(rank, size, nr);
      if (mine.size() > 0) multiply_share<T, Bytes>({0, 1, b_scratch<T>()}, a, b, rows, mine, depth, out);
    } else if (rank == 0) {
      multiply_share<T, Bytes>({0, 1, shared}, a, b, rows, cols, depth, out);
    }
  }
}

}  // namespace forger::kernels::gemm
