// GEMM, step 7: warps multiply, on tensor cores.
//
// mma_tf32 is one instruction of a warp: d (16, 8) += a (16, 8) b (8, 8), 1024 multiply-adds where a plain one does 32.
// A warp has 64 x 32 of the tile's 128 x 128 numbers, 4 x 4 such products. Every lane holds a few numbers of each
// fragment, g = lane / 4 and t = lane % 4 saying which (device.h has the table):
//
//   a: rows g, g + 8, steps t, t + 4        b: columns g, steps t, t + 4        d: rows g, g + 8, columns 2t, 2t + 1
//
// Here the padding of both panels pays. The lanes of a warp read A at 20 g + t, B at 136 t + g:
//
//   20 g mod 32 = 0, 20, 8, 28, 16, 4, 24, 12, four words from each     136 t mod 32 = 0, 8, 16, 24, eight from each
//
// both of which are all 32 banks, once. For 8 steps of the depth a lane loads 16 + 8 numbers, one by one, and its warp
// does 16 mma: a load for 21 multiply-adds. The bytes of global memory are the same. The price: inputs are rounded to
// the 10 fraction bits of TF32, and a sum is right to three digits where it was to six.
#pragma once
#include "bench/ladder/gemm6_ring.h"

namespace forger::ladder {
namespace {

template <class BPanel>
class TensorTile {
 public:
  using B = BPanel;

  __device__ __forceinline__ void multiply(const float* a, const float* b) {
#pragma unroll
    for (int k = 0; k < depth; k += 8) {
      uint32_t a_part[down][4], b_part[along][2];
#pragma unroll
      for (int i = 0; i < down; i++) {
#pragma unroll
        for (int f = 0; f < 4; f++) {
          a_part[i][f] = to_tf32(a[ByRows::at(first_row() + 16 * i + f % 2 * 8 + group(), k + f / 2 * 4 + lane())]);
        }
      }
#pragma unroll
      for (int j = 0; j < along; j++) {
#pragma unroll
        for (int f = 0; f < 2; f++) {
          b_part[j][f] = to_tf32(b[BPanel::at(first_col() + 8 * j + group(), k + 4 * f + lane())]);
        }
      }
#pragma unroll
      for (int i = 0; i < down; i++) {
#pragma unroll
        for (int j = 0; j < along; j++) mma_tf32(sums_[i][j], a_part[i], b_part[j]);
      }
    }
  }

  __device__ __forceinline__ void store(const Gemm& s, int row, int col, float* c) const {
#pragma unroll
    for (int i = 0; i < down; i++) {
#pragma unroll
      for (int j = 0; j < along; j++) {
#pragma unroll
        for (int f = 0; f < 4; f++) {
          const int y = row + first_row() + 16 * i + f / 2 * 8 + group();
          const int x = col + first_col() + 8 * j + 2 * lane() + f % 2;
          if (y < s.m && x < s.n) c[int64_t{y} * s.n + x] = sums_[i][j][f];
        }
      }
    }
  }

 private:
  static constexpr int rows = 64, cols = 32, down = rows / 16, along = cols / 8;  // of a warp

  __device__ static int first_row() { return static_cast<int>(threadIdx.x) / 32 / (side / cols) * rows; }
  __device__ static int first_col() { return static_cast<int>(threadIdx.x) / 32 % (side / cols) * cols; }
  __device__ static int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 4; }  // of the group

  float sums_[down][along][4] = {};
};

void tensor_cores(const Gemm& s, const float* a, const float* b, float* c) {
  launch_ring<TensorTile<ByDepth>>(s, Matrix{a, s.m, s.k}, Matrix{b, s.k, s.n}, c);
}

}  // namespace
}  // namespace forger::ladder
