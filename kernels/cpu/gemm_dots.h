// Products of few columns as dot products.
//
// With one to four columns (a discriminator's verdict, an image's channels) a tile of NR columns would be mostly
// padding. Here vectors run along the depth instead: four rows of A against all columns of B, both packed by rows and
// padded with zeros to whole vectors, and the lanes are summed at the end.
#pragma once
#include "kernels/cpu/gemm_panels.h"
#include "kernels/cpu/parallel.h"

namespace forger::kernels::gemm {

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
  const int64_t depth_blocks = block_count(k, max_kc<T>);
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

}  // namespace forger::kernels::gemm
