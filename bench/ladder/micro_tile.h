// GEMM, step 5, how panels lie and how a thread reads them: the micro-tile of step 4 in packs of 16 bytes.
//
// For four steps of the depth a thread loads 8 packs of A and 8 of B, and does 256 multiply-adds. Which of the tile's
// rows and columns it has follows from the banks. A warp is 4 x 8 threads, and a request for 16 bytes a lane is served
// 8 lanes at a time:
//
//   banks           0    4    8    12   16   20   24   28
//   A, by rows      one pack, which 8 lanes share
//   B, by depth     p0   p1   p2   p3   p4   p5   p6   p7       8 packs of columns that are neighbours
//   B, by rows      r0   r5   r2   r7   r4   r1   r6   r3       8 rows that are neighbours, 20 words apart
//
// So every 8 lanes take one turn. Without the 4 numbers of padding rows would be 16 words apart, and those eight packs
// would lie in two places, four in each.
#pragma once
#include "bench/ladder/gemm4_registers.h"

namespace forger::ladder {
namespace {

constexpr int pack = Pack<float>::size;

struct ByRows {
  static constexpr bool by_rows = true;
  static constexpr int lines = side, columns = depth, step = depth + 4, size = lines * step;
  __device__ static constexpr int at(int row, int k) { return row * step + k; }
};
struct ByDepth {
  static constexpr bool by_rows = false;
  static constexpr int lines = depth, columns = side, step = side + 8, size = lines * step;
  __device__ static constexpr int at(int row, int k) { return k * step + row; }
};

// The 8 x 8 numbers of a thread. BPanel: how B lies.
template <class BPanel>
class MicroTile {
 public:
  using B = BPanel;

  __device__ __forceinline__ void multiply(const float* a, const float* b) {
#pragma unroll 1
    for (int k = 0; k < depth; k += pack) {
      float a_part[micro][pack], b_part[micro][pack];
      load<ByRows>(a, vertical(), k, a_part);
      load<BPanel>(b, horizontal(), k, b_part);
#pragma unroll
      for (int p = 0; p < pack; p++) {
#pragma unroll
        for (int i = 0; i < micro; i++) {
#pragma unroll
          for (int j = 0; j < micro; j++) sums_[i][j] += a_part[i][p] * b_part[j][p];
        }
      }
    }
  }

  // Into the tile of C that begins at (row, col).
  __device__ __forceinline__ void store(const Gemm& s, int row, int col, float* c) const {
#pragma unroll
    for (int i = 0; i < micro; i++) {
#pragma unroll
      for (int j = 0; j < micro; j++) {
        const int y = row + place<ByRows>(vertical(), i), x = col + place<BPanel>(horizontal(), j);
        if (y < s.m && x < s.n) c[int64_t{y} * s.n + x] = sums_[i][j];
      }
    }
  }

 private:
  static constexpr int across = side / micro;  // threads, either way

  __device__ static int vertical() {
    return static_cast<int>(threadIdx.x) / 64 * 4 + static_cast<int>(threadIdx.x) % 32 / 8;
  }
  __device__ static int horizontal() {
    return static_cast<int>(threadIdx.x) / 32 % 2 * 8 + static_cast<int>(threadIdx.x) % 8;
  }

  // The row (or column) of the tile that is a thread's i-th: every 16th, or every 16th pack.
  template <class Panel>
  __device__ static constexpr int place(int thread, int i) {
    return Panel::by_rows ? i * across + thread : (i / pack * across + thread) * pack + i % pack;
  }

  // part[i][p] = the panel at this thread's place i, step k + p
  template <class Panel>
  __device__ __forceinline__ static void load(const float* panel, int thread, int k, float (&part)[micro][pack]) {
#pragma unroll
    for (int i = 0; i < micro; i++) {
      const int first = i / pack * pack, q = i % pack;  // by depth the i-th pack has the places first ... at step k + q
      const int at =
          Panel::by_rows ? Panel::at(place<Panel>(thread, i), k) : Panel::at(place<Panel>(thread, first), k + q);
      const Pack<float> words = load_pack(panel + at);
#pragma unroll
      for (int p = 0; p < pack; p++) (Panel::by_rows ? part[i][p] : part[first + p][q]) = words.v[p];
    }
  }

  float sums_[micro][micro] = {};
};

}  // namespace
}  // namespace forger::ladder
