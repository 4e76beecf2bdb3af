#include "tests/kernels/counted.h"

#include "kernels/cuda/device.h"
#include "tests/kernels/on_device.h"

namespace forger::kernels {
namespace {

constexpr int threads = 64;  // two warps

template <auto Kernel>
void run() {
  const OnDevice<float> x(std::vector<float>(2048, 1.0f)), y(size_t{2048});
  launch<Kernel>(Grid{dim3(1), dim3(threads)}, x.data(), y.data());
  y.host();
}

// Global memory. 32 neighbouring floats are 4 sectors.
__global__ void in_order(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }
__global__ void one_element_late(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
__global__ void every_eighth(const float* x, float* y) { y[threadIdx.x] = x[8 * threadIdx.x]; }
__global__ void backwards(const float* x, float* y) { y[threadIdx.x] = x[threads - 1 - threadIdx.x]; }
__global__ void the_same(const float* x, float* y) { y[threadIdx.x] = *x; }
__global__ void in_packs(const float* x, float* y) { store_pack(y + 4 * threadIdx.x, load_pack(x + 4 * threadIdx.x)); }
__global__ void two_rounds_for_odd(const float* x, float* y) {
  for (unsigned i = 0; i <= threadIdx.x % 2; i++) y[threadIdx.x + threads * i] = x[threadIdx.x + threads * i];
}

// Shared memory: a tile of 32 x Step, written by rows and read by columns.
template <int Step>
__global__ void transposed(const float*, float* y) {
  __shared__ float tile[32 * Step];
  const unsigned lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (unsigned i = 0; i < 32; i++) tile[i * Step + lane] = 1;
  }
  __syncthreads();
  y[threadIdx.x] = tile[lane * Step + 7];
}

// Packs of a panel: 4 to a line of Step floats.
template <int Step>
__global__ void packs_of_lines(const float*, float* y) {
  __shared__ __align__(16) float panel[16 * Step];
  const unsigned line = threadIdx.x / 4, column = threadIdx.x % 4 * 4;
  store_pack(panel + line * Step + column, Pack<float>{});
  __syncthreads();
  y[threadIdx.x] = panel[0];
}

}  // namespace

const std::vector<Counted>& counted() {
  using simt::Requests;
  const Requests none, four_sectors_each{4, 16, 16};
  static const std::vector<Counted> list{
      {"neighbours", four_sectors_each, none, 0, 16, run<in_order>},
      {"neighbours, not from a sector's beginning", {4, 18, 16}, none, 0, 17, run<one_element_late>},
      {"every eighth", {4, 64 + 8, 16}, none, 0, 72, run<every_eighth>},
      {"neighbours in another order", four_sectors_each, none, 0, 16, run<backwards>},
      {"one for all", {4, 2 + 8, 2 + 8}, none, 0, 9, run<the_same>},
      {"16 bytes each", {4, 64, 64}, none, 0, 64, run<in_packs>},
      {"a round more for every other lane", {8, 32, 16 + 8}, none, 0, 32, run<two_rounds_for_odd>},
      {"columns of a tile in one bank", {2, 8, 8}, {34, 32 + 64, 34}, 1, 8, run<transposed<32>>},
      {"columns of a padded tile", {2, 8, 8}, {34, 34, 34}, 1, 8, run<transposed<33>>},
      {"packs, lines a whole number of turns apart", {2, 8, 8}, {4, 16 + 2, 10}, 1, 8, run<packs_of_lines<32>>},
      {"packs, lines half a turn apart", {2, 8, 8}, {4, 10, 10}, 1, 8, run<packs_of_lines<16>>},
  };
  return list;
}

}  // namespace forger::kernels
