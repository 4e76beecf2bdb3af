// GEMM, step 6: the next panels are on their way while these are multiplied.
//
// Until now a block waits for its panels, multiplies them and only then asks for the next ones. Other blocks of the
// multiprocessor fill the wait, but with 128 registers a thread there is room for two. cp.async copies from global to
// shared memory without a register between, and without waiting:
//
//              step 0    step 1    step 2    step 3          a ring of three pairs of panels
//   copy     [ A0 B0 ] [ A1 B1 ] [ A2 B2 ] [ A3 B3 ]  ...    two steps ahead
//   multiply                     [ A0 B0 ] [ A1 B1 ]  ...    one barrier a step
//
// One barrier is enough, since what precedes it and what follows it touch different panels: after it this step's panels
// have come for all, and all are done with those of the step before, which are the next to be copied into.
//
// Nothing that is counted is less: the same bytes, the same reads of shared memory. The wait for the copies is gone.
#pragma once
#include "bench/ladder/gemm5_packs.h"

namespace forger::ladder {
namespace {

constexpr int stages = 3;

struct AsyncCopy {
  template <int Width>
  __device__ static void copy(float* to, const float* from) {
    cp_async<Width* int{sizeof(float)}>(to, from, from != nullptr);
  }
};

template <class Tile>
constexpr int stage_size = ByRows::size + Tile::B::size;
template <class Tile>
constexpr size_t ring_bytes = stages* stage_size<Tile> * sizeof(float);

// C, or a part of its sums: over steps [begin, end) of the depth.
template <class Tile, int Width, class A>
__device__ __forceinline__ void multiply_ring(const Gemm& s, const A& a, const Matrix& b, int begin, int end,
                                              float* c) {
  float* const panels = dynamic_shared<float>();
  const int row = static_cast<int>(blockIdx.y) * side, col = static_cast<int>(blockIdx.x) * side;
  const auto panel_of = [&](int step) { return panels + (step - begin) % stages * stage_size<Tile>; };
  const auto copy = [&](int step) {
    if (step < end) {
      copy_panel<ByRows, AsyncCopy, Width>(a, row, step * depth, panel_of(step));
      copy_panel<typename Tile::B, AsyncCopy, Width>(b, col, step * depth, panel_of(step) + ByRows::size);
    }
    cp_async_commit();  // empty groups, too: waiting counts groups
  };
  Tile tile;
#pragma unroll 1
  for (int ahead = 0; ahead < stages - 1; ahead++) copy(begin + ahead);
#pragma unroll 1
  for (int step = begin; step < end; step++) {
    cp_async_wait<stages - 2>();
    __syncthreads();
    copy(step + stages - 1);
    tile.multiply(panel_of(step), panel_of(step) + ByRows::size);
  }
  tile.store(s, row, col, c);
}

template <class Tile, int Width, class A>
__global__ void __launch_bounds__(threads) gemm_ring(Gemm s, A a, Matrix b, float* c) {
  multiply_ring<Tile, Width>(s, a, b, 0, ceil_div(s.k, depth), c);
}

template <class Tile, class A>
void launch_ring(const Gemm& s, const A& a, const Matrix& b, float* c) {
  Grid grid = tiles_of(s);
  grid.shared_bytes = ring_bytes<Tile>;
  if (a.packed() && b.packed()) {
    launch<gemm_ring<Tile, pack, A>>(grid, s, a, b, c);
  } else {
    launch<gemm_ring<Tile, 1, A>>(grid, s, a, b, c);
  }
}

void ring(const Gemm& s, const float* a, const float* b, float* c) {
  launch_ring<MicroTile<ByDepth>>(s, Matrix{a, s.m, s.k}, Matrix{b, s.k, s.n}, c);
}

}  // namespace
}  // namespace forger::ladder
