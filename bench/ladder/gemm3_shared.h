// GEMM, step 3: what a block reads it reads once, into shared memory.
//
// The 32 x 32 threads of a block compute a tile of C. Its rows of A and its columns of B come in pieces, 32 deep: each
// thread brings one number of both, and all 1024 threads then use all of them.
//
//                  B  +--------+                  for each piece:
//                     | b_tile |                    bring     a_tile[y][x], b_tile[y][x]
//                     +--------+                    barrier   everyone's numbers have come
//   A  +--------+  C  +--------+                    multiply  sum += a_tile[y][i] b_tile[i][x]
//      | a_tile |     |  sums  |                    barrier   everyone is done with them
//      +--------+     +--------+
//
// A number of A serves the 32 columns of the tile, one of B its 32 rows: 4/32 + 4/32 = 0.25 bytes for a multiply-add,
// 32 times fewer than before. Shared memory takes the other reads over, two for each multiply-add: a_tile[y][i] is one
// word for the whole warp, b_tile[i][x] has 32 words in 32 banks, so neither waits. But two loads for one multiply-add
// are still too many: in the time of 32 words a multiprocessor begins 64 multiply-adds (sm_80) or 128 (sm_90).
#pragma once
#include "bench/ladder/gemm2_coalesced.h"

namespace forger::ladder {
namespace {

// An operand. Beyond its edges there is nothing: at() is null there, and the number 0 adds nothing to a sum.
struct Matrix {
  const float* data;
  int rows, cols;

  __device__ const float* at(int row, int col) const {
    return row < rows && col < cols ? data + (int64_t{row} * cols + col) : nullptr;
  }
  __device__ float number(int row, int col) const {
    const float* const address = at(row, col);
    return address ? *address : 0.0f;
  }
  bool packed() const { return packable(cols, data); }  // whether every row is made of whole, aligned packs (step 5)
};

constexpr int small_side = 32;  // of a tile, and of what it is made from

__global__ void __launch_bounds__(small_side* small_side) gemm_shared(Gemm s, Matrix a, Matrix b, float* c) {
  __shared__ float a_tile[small_side][small_side], b_tile[small_side][small_side];
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int row = static_cast<int>(blockIdx.y) * small_side + y, col = static_cast<int>(blockIdx.x) * small_side + x;
  float sum = 0;
  for (int k = 0; k < s.k; k += small_side) {
    a_tile[y][x] = a.number(row, k + x);
    b_tile[y][x] = b.number(k + y, col);
    __syncthreads();
    for (int i = 0; i < small_side; i++) sum += a_tile[y][i] * b_tile[i][x];
    __syncthreads();
  }
  if (row < s.m && col < s.n) c[int64_t{row} * s.n + col] = sum;
}

void shared_tiles(const Gemm& s, const float* a, const float* b, float* c) {
  launch<gemm_shared>({dim3(ceil_div(s.n, small_side), ceil_div(s.m, small_side)), dim3(small_side, small_side)}, s,
                      Matrix{a, s.m, s.k}, Matrix{b, s.k, s.n}, c);
}

}  // namespace
}  // namespace forger::ladder
