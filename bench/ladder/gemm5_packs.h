// GEMM, step 5: loads of 16 bytes, from panels that lie so that no lane which reads waits for another one's bank.
//
// A panel lies in shared memory as its source does in global memory, so that whole packs of four numbers are copied;
// its lines are padded:
//
//   A, by rows    panel[row][k]    16 + 4 numbers a line      a pack is four steps of the depth of one row
//   B, by depth   panel[k][col]   128 + 8 numbers a line      a pack is four columns of one step
//
// How a thread reads them, a load for 16 multiply-adds after one for 4, is on the page micro_tile.h. The bytes asked
// for are those of step 4, in a quarter of the requests.
//
// A need not lie in memory: all that is asked of it is at(row, k). The convolution comes back to this page with an A
// that does not, and with a B that lies by rows, as weights do. (What pads B by 8 is seen in step 7.)
#pragma once
#include "bench/ladder/micro_tile.h"

namespace forger::ladder {
namespace {

// Width numbers from global to shared memory, or zeros from null.
struct PlainCopy {
  template <int Width>
  __device__ static void copy(float* to, const float* from) {
    if constexpr (Width == pack) {
      store_pack(to, from ? load_pack(from) : Pack<float>{});
    } else {
      *to = from ? *from : 0.0f;
    }
  }
};

// The panel of a source that begins at this row (of A; a column of B) and step of the depth.
template <class Panel, class Copy, int Width, class Source>
__device__ __forceinline__ void copy_panel(const Source& source, int row, int k, float* panel) {
  constexpr int per_line = Panel::columns / Width;
#pragma unroll(Width == 1 ? 1 : 2)
  for (int i = static_cast<int>(threadIdx.x); i < Panel::lines * per_line; i += threads) {
    const int line = i / per_line, column = i % per_line * Width;
    const float* const from = source.at((Panel::by_rows ? row : k) + line, (Panel::by_rows ? k : row) + column);
    Copy::template copy<Width>(panel + line * Panel::step + column, from);
  }
}

template <class Tile, int Width, class A>
__global__ void __launch_bounds__(threads) gemm_packs(Gemm s, A a, Matrix b, float* c) {
  __shared__ __align__(16) float a_panel[ByRows::size], b_panel[Tile::B::size];
  const int row = static_cast<int>(blockIdx.y) * side, col = static_cast<int>(blockIdx.x) * side;
  Tile tile;
  for (int k = 0; k < s.k; k += depth) {
    copy_panel<ByRows, PlainCopy, Width>(a, row, k, a_panel);
    copy_panel<typename Tile::B, PlainCopy, Width>(b, col, k, b_panel);
    __syncthreads();
    tile.multiply(a_panel, b_panel);
    __syncthreads();
  }
  tile.store(s, row, col, c);
}

// Numbers one by one where the operands are not made of whole packs.
template <class Tile, class A>
void launch_packs(const Gemm& s, const A& a, const Matrix& b, float* c) {
  if (a.packed() && b.packed()) {
    launch<gemm_packs<Tile, pack, A>>(tiles_of(s), s, a, b, c);
  } else {
    launch<gemm_packs<Tile, 1, A>>(tiles_of(s), s, a, b, c);
  }
}

void packs(const Gemm& s, const float* a, const float* b, float* c) {
  launch_packs<MicroTile<ByDepth>>(s, Matrix{a, s.m, s.k}, Matrix{b, s.k, s.n}, c);
}

}  // namespace
}  // namespace forger::ladder
