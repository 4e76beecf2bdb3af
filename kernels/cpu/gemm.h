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
// Operands may also be so narrow that tiles are mostly padding: see gemm_dots.h and thin_conv.cpp.
//
// The layout follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication" (2008) and F. Van
// Zee and R. van de Geijn, "BLIS" (2015), except that A is packed one panel at a time.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/gemm_dots.h"
#include "kernels/cpu/gemm_panels.h"
#include "kernels/cpu/gemm_wanted.h"
#include "kernels/cpu/parallel.h"

namespace forger::kernels::gemm {

// The steps of all micro-kernels of a product.
template <class T, int Bytes>
int64_t steps_of(int64_t rows, int64_t cols, int64_t depth) {
  return block_count(rows, Tile<T, Bytes>::mr) * block_count(cols, Tile<T, Bytes>::nr) * depth;
}

// The tiles of `rows` x `cols`, the block of B (depth, cols) being packed. Tiles that are not full are computed aside.
template <class T, int Bytes, class A, class Out>
void multiply_block(const Operand<A>& a, const T* b_panels, Range rows, Range cols, Range depth, bool accumulate,
                    Out& out, Wanted& wanted) {
  constexpr int nr = Tile<T, Bytes>::nr;
  const int64_t kc = depth.size(), b_count = block_count(cols.size(), nr),
                panels = block_count(rows.size(), Tile<T, Bytes>::mr);
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
  const int64_t depth_blocks = block_count(depth.size(), max_depth);
  const int64_t col_blocks = block_count(cols.size(), block_size<T> / max_depth);
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
