// GEMM, step 1: a thread for each number of C, and a loop over the depth.
//
//   C[row][col] = sum of A[row][i] B[i][col] over i
//
//   blocks of 32 x 8 threads      threadIdx.x -> row      so a warp is 32 rows of one column
//                                 threadIdx.y -> col
//
// It is right, and that is all. Every multiply-add asks for two numbers of global memory, 8 bytes. What moves is four
// times that: the lanes of a warp want A[row][i] of 32 rows, which lie far apart, so 32 sectors of 32 bytes come for
// 128 bytes that are used; B[i][col] is one number for all of them, one sector. Each time round the loop a warp has 33
// sectors for its 32 multiply-adds. Its stores meet 32 sectors, too.
#pragma once
#include "bench/ladder/ladder.h"
#include "kernels/cuda/device.h"

namespace forger::ladder {
namespace {

using namespace kernels;  // launch(), Grid, load_pack(), cp_async() and the other words of device.h

constexpr int lanes = 32, warps = 8;  // of a block

// C[row][col], by one thread; nothing beyond the edges of C.
__device__ void compute_number(const Gemm& s, const float* a, const float* b, int row, int col, float* c) {
  if (row >= s.m || col >= s.n) return;
  float sum = 0;
  for (int i = 0; i < s.k; i++) sum += a[int64_t{row} * s.k + i] * b[int64_t{i} * s.n + col];
  c[int64_t{row} * s.n + col] = sum;
}

__global__ void gemm_uncoalesced(Gemm s, const float* a, const float* b, float* c) {
  const int row = static_cast<int>(blockIdx.x * lanes + threadIdx.x);
  const int col = static_cast<int>(blockIdx.y * warps + threadIdx.y);
  compute_number(s, a, b, row, col, c);
}

void uncoalesced(const Gemm& s, const float* a, const float* b, float* c) {
  launch<gemm_uncoalesced>({dim3(ceil_div(s.m, lanes), ceil_div(s.n, warps)), dim3(lanes, warps)}, s, a, b, c);
}

}  // namespace
}  // namespace forger::ladder
