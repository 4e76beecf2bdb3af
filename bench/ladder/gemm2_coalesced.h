// GEMM, step 2: x and y change places, so that neighbouring threads have neighbouring columns.
//
//   blocks of 32 x 8 threads      threadIdx.x -> col      so a warp is one row, 32 columns
//                                 threadIdx.y -> row
//
// The lanes of a warp now want B[i][col] of 32 neighbours, 128 bytes in a row: 4 sectors, all of them used. A[row][i]
// is one number for all, 1 sector. That is 5 sectors where there were 33, for the same 32 multiply-adds and the same
// 8 bytes that each of them asks for. Nothing else is different: which thread has which number is the cheapest thing to
// get right, and the dearest to get wrong.
#pragma once
#include "bench/ladder/gemm1_uncoalesced.h"

namespace forger::ladder {
namespace {

__global__ void gemm_coalesced(Gemm s, const float* a, const float* b, float* c) {
  const int row = static_cast<int>(blockIdx.y * warps + threadIdx.y);
  const int col = static_cast<int>(blockIdx.x * lanes + threadIdx.x);
  compute_number(s, a, b, row, col, c);
}

void coalesced(const Gemm& s, const float* a, const float* b, float* c) {
  launch<gemm_coalesced>({dim3(ceil_div(s.n, lanes), ceil_div(s.m, warps)), dim3(lanes, warps)}, s, a, b, c);
}

}  // namespace
}  // namespace forger::ladder
