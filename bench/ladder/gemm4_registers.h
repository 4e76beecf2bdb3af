// GEMM, step 4: a thread has 8 x 8 numbers of C in its registers, a micro-tile, and a block of 256 threads 128 x 128.
//
//   thread t:  rows    y = t / 16 * 8 ...     for each step of the depth:
//              columns x = t % 16 * 8 ...       8 numbers of A, 8 of B: 16 loads
//                                               64 multiply-adds, each number being used 8 times
//
// What step 3 did with global memory is done once more with shared memory: a quarter of a load for each multiply-add
// where there were two. The larger tile saves global memory as well, 4/128 + 4/128 = 0.0625 bytes for a multiply-add,
// four times fewer; so that its panels do not grow as much, they are 16 deep.
//
// There are fewer blocks, each with many registers: a small product cannot fill a GPU with them (step 8). And the loads
// collide. The threads of a warp have x = 0, 8, ... 120, so b_panel[k][x + j] are 16 words in 4 banks, which takes 4
// turns; their two values of y are 8 * 16 words apart in a_panel, in one bank, which takes 2. That is step 5.
#pragma once
#include "bench/ladder/gemm3_shared.h"

namespace forger::ladder {
namespace {

constexpr int side = 128, depth = 16;  // of a tile, and of the panels that it is made from
constexpr int micro = 8;               // the side of a micro-tile
constexpr int threads = (side / micro) * (side / micro);

Grid tiles_of(const Gemm& s) { return {dim3(ceil_div(s.n, side), ceil_div(s.m, side)), dim3(threads)}; }

__global__ void __launch_bounds__(threads) gemm_registers(Gemm s, Matrix a, Matrix b, float* c) {
  __shared__ float a_panel[side][depth], b_panel[depth][side];
  const int thread = static_cast<int>(threadIdx.x), y = thread / (side / micro) * micro,
            x = thread % (side / micro) * micro;
  const int row = static_cast<int>(blockIdx.y) * side, col = static_cast<int>(blockIdx.x) * side;
  float sums[micro][micro] = {};
  for (int k = 0; k < s.k; k += depth) {
    for (int i = thread; i < side * depth; i += threads) {
      a_panel[i / depth][i % depth] = a.number(row + i / depth, k + i % depth);
      b_panel[i / side][i % side] = b.number(k + i / side, col + i % side);
    }
    __syncthreads();
    for (int l = 0; l < depth; l++) {
      float a_part[micro], b_part[micro];
#pragma unroll
      for (int i = 0; i < micro; i++) a_part[i] = a_panel[y + i][l], b_part[i] = b_panel[l][x + i];
#pragma unroll
      for (int i = 0; i < micro; i++) {
#pragma unroll
        for (int j = 0; j < micro; j++) sums[i][j] += a_part[i] * b_part[j];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < micro; i++) {
#pragma unroll
    for (int j = 0; j < micro; j++) {
      if (row + y + i < s.m && col + x + j < s.n) c[int64_t{row + y + i} * s.n + col + x + j] = sums[i][j];
    }
  }
}

void register_tiles(const Gemm& s, const float* a, const float* b, float* c) {
  launch<gemm_registers>(tiles_of(s), s, Matrix{a, s.m, s.k}, Matrix{b, s.k, s.n}, c);
}

}  // namespace
}  // namespace forger::ladder
