// GEMM, step 8: where C has few tiles, the depth is shared out among several blocks.
//
// A product of 256 x 256 numbers, 16,384 deep, has 4 tiles: 4 of a GPU's hundred multiprocessors would work, each for a
// thousand steps. So the grid gets a third axis, and block (x, y, z) sums its share z of the depth only:
//
//   parts (splits, m, n)      part z = A[:, share z] B[share z, :]       the ring of step 6, from one step to another
//   C (m, n)                  = part 0 + part 1 + ...                    a second launch, a thread a number
//
// The parts are added in a fixed order, so the result has the same bits every time; atomics would save the launch and
// lose that. It costs `splits` times the stores and as many reads again, which a deep product does not feel. Where the
// tiles fill the GPU by themselves there is one share, and this is step 7.
#pragma once
#include <algorithm>

#include "bench/ladder/gemm7_tensor_cores.h"

namespace forger::ladder {
namespace {

constexpr int least_steps = 4;  // of a share: fewer are not worth their stores

template <class Tile, int Width>
__global__ void __launch_bounds__(threads) gemm_split(Gemm s, Matrix a, Matrix b, int share, float* parts) {
  const int begin = static_cast<int>(blockIdx.z) * share, end = min(begin + share, ceil_div(s.k, depth));
  multiply_ring<Tile, Width>(s, a, b, begin, end, parts + int64_t{blockIdx.z} * s.m * s.n);
}

__global__ void add_parts(int64_t size, int splits, const float* parts, float* c) {
  const int64_t i = global_thread();
  if (i >= size) return;
  float sum = 0;
  for (int z = 0; z < splits; z++) sum += parts[z * size + i];
  c[i] = sum;
}

// As many shares as fill the GPU twice, none of them empty.
void split(const Gemm& s, const float* a, const float* b, float* c) {
  Grid grid = tiles_of(s);
  const int steps = ceil_div(s.k, depth), tiles = static_cast<int>(grid.blocks.x * grid.blocks.y);
  const int wanted = std::clamp(2 * multiprocessors() / tiles, 1, std::max(1, steps / least_steps));
  const int share = ceil_div(steps, wanted), splits = ceil_div(steps, share);
  if (splits == 1) return tensor_cores(s, a, b, c);

  using Tile = TensorTile<ByDepth>;
  const Matrix on_a{a, s.m, s.k}, on_b{b, s.k, s.n};
  const int64_t size = s.sizes().c;
  auto* const parts = static_cast<float*>(scratch(static_cast<size_t>(splits * size) * sizeof(float)));
  grid.blocks.z = static_cast<unsigned>(splits);
  grid.shared_bytes = ring_bytes<Tile>;
  if (on_a.packed() && on_b.packed()) {
    launch<gemm_split<Tile, pack>>(grid, s, on_a, on_b, share, parts);
  } else {
    launch<gemm_split<Tile, 1>>(grid, s, on_a, on_b, share, parts);
  }
  launch<add_parts>(over(size), size, splits, static_cast<const float*>(parts), c);
}

}  // namespace
}  // namespace forger::ladder
