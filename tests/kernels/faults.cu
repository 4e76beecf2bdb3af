#include "tests/kernels/faults.h"

#include "kernels/cuda/device.h"
#include "tests/kernels/on_device.h"

namespace forger::kernels {
namespace {

constexpr int threads = 64;
using Floats = OnDevice<float>;

std::vector<float> counting(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; i++) values[i] = static_cast<float>(i);
  return values;
}

void expect(const std::vector<float>& actual, const std::vector<float>& right) {
  if (actual != right) throw std::logic_error("wrong result");
}

Grid one_block(size_t shared_bytes = 0) { return {dim3(1), dim3(threads), shared_bytes}; }

// Each thread passes its number to the thread opposite through shared memory.
__global__ void reverse_kernel(bool faulty, float* y) {
  __shared__ float tile[threads];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (!faulty) __syncthreads();
  y[threadIdx.x] = tile[threads - 1 - threadIdx.x];
}

void missing_barrier(bool faulty) {
  const Floats y(size_t{threads});
  launch<reverse_kernel>(one_block(), faulty, y.data());
  std::vector<float> right = counting(threads);
  std::reverse(right.begin(), right.end());
  expect(y.host(), right);
}

__global__ void divergent_kernel(bool faulty, float* y) {
  if (faulty && threadIdx.x >= 32) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}

void divergent_barrier(bool faulty) {
  const Floats y(size_t{threads});
  launch<divergent_kernel>(one_block(), faulty, y.data());
}

__global__ void two_barriers_kernel(bool faulty, float* y) {
  if (faulty && threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}

void two_barriers(bool faulty) {
  const Floats y(size_t{threads});
  launch<two_barriers_kernel>(one_block(), faulty, y.data());
}

__global__ void off_by_one_kernel(bool faulty, int n, float* y) {
  const int i = static_cast<int>(threadIdx.x);
  if (faulty ? i <= n : i < n) y[i] = 1;
}

void off_by_one_store(bool faulty) {
  const Floats y(size_t{33});
  launch<off_by_one_kernel>(one_block(), faulty, 33, y.data());
}

__global__ void stencil_kernel(bool faulty, int n, const float* x, float* y) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) y[i] = (faulty || i + 1 < n) ? x[i + 1] : 0;
}

void read_past_the_guard(bool faulty) {
  const Floats x(counting(threads)), y(size_t{threads});
  launch<stencil_kernel>(one_block(), faulty, threads, static_cast<const float*>(x.data()), y.data());
}

__global__ void staged_kernel(bool faulty, const float* x, float* y) {
  __shared__ __align__(16) float tile[2][threads];
  for (int stage = 0; stage < 2; stage++) {
    cp_async<4>(&tile[stage][threadIdx.x], x + stage * threads + threadIdx.x);
    cp_async_commit();
  }
  if (faulty) {
    cp_async_wait<1>();  // the second stage may still be on its way
  } else {
    cp_async_wait<0>();
  }
  __syncthreads();
  y[threadIdx.x] = tile[1][threads - 1 - threadIdx.x];
}

void unwaited_copy(bool faulty) {
  const Floats x(counting(2 * threads)), y(size_t{threads});
  launch<staged_kernel>(one_block(), faulty, static_cast<const float*>(x.data()), y.data());
}

// d = a b on the tensor cores' shapes, fragments filled from row-major matrices in global memory.
__global__ void fragment_kernel(bool faulty, const float* a, const float* b, float* d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const uint32_t fa[4] = {to_tf32(a[g * 8 + t]), to_tf32(a[(g + 8) * 8 + t]), to_tf32(a[g * 8 + t + 4]),
                          to_tf32(a[(g + 8) * 8 + t + 4])};
  const uint32_t fb[2] = {to_tf32(b[t * 8 + g]), to_tf32(b[(faulty ? t : t + 4) * 8 + g])};
  float fd[4] = {};
  mma_tf32(fd, fa, fb);
  for (int i = 0; i < 4; i++) d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = fd[i];
}

void wrong_fragment_index(bool faulty) {
  const std::vector<float> a = counting(16 * 8), b = counting(8 * 8);
  const Floats on_a(a), on_b(b), d(size_t{16 * 8});
  launch<fragment_kernel>({dim3(1), dim3(32)}, faulty, static_cast<const float*>(on_a.data()),
                          static_cast<const float*>(on_b.data()), d.data());
  std::vector<float> right(16 * 8, 0.0f);
  for (size_t i = 0; i < 16; i++)
    for (size_t j = 0; j < 8; j++)
      for (size_t k = 0; k < 8; k++) right[i * 8 + j] += a[i * 8 + k] * b[k * 8 + j];  // whole numbers: exact
  expect(d.host(), right);
}

__global__ void pack_kernel(const float* x, float* y) {
  store_pack(y + 4 * threadIdx.x, load_pack(x + 4 * threadIdx.x));
}

void misaligned_pack(bool faulty) {
  const Floats x(counting(4 * threads + 4)), y(size_t{4 * threads});
  launch<pack_kernel>(one_block(), static_cast<const float*>(x.data()) + (faulty ? 1 : 0), y.data());
}

// Sum of a block by halving; the fault is the classic one of trusting that warps run in step.
__global__ void halving_kernel(bool faulty, float* y) {
  __shared__ float sums[threads];
  sums[threadIdx.x] = 1;
  __syncthreads();
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    if (!faulty || half > 32) __syncthreads();
  }
  if (threadIdx.x == 0) *y = sums[0];
}

void shared_race(bool faulty) {
  const Floats y(size_t{1});
  launch<halving_kernel>(one_block(), faulty, y.data());
  expect(y.host(), {static_cast<float>(threads)});
}

__global__ void halo_kernel(bool faulty, float* y) {
  __shared__ float tile[threads + 1];
  tile[threadIdx.x] = 1;
  if (!faulty && threadIdx.x == 0) tile[threads] = 0;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x] + tile[threadIdx.x + 1];
}

void uninitialised_shared(bool faulty) {
  const Floats y(size_t{threads});
  launch<halo_kernel>(one_block(), faulty, y.data());
}

__global__ void half_warp_kernel(bool faulty, float* y) {
  float sum = 1;
  if (threadIdx.x < 16) {
    const unsigned mask = faulty ? 0xffff0000u : 0x0000ffffu;
    for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(mask, sum, offset);
  }
  if (threadIdx.x == 0) *y = sum;
}

void wrong_shuffle_mask(bool faulty) {
  const Floats y(size_t{1});
  launch<half_warp_kernel>(one_block(), faulty, y.data());
  expect(y.host(), {16});
}

__global__ void absent_lane_kernel(bool faulty, float* y) {
  if (threadIdx.x >= 16) return;
  const float x = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = __shfl_sync(0x0000ffffu, x, faulty ? 20 : 3);
}

void shuffle_from_absent_lane(bool faulty) {
  const Floats y(size_t{threads});
  launch<absent_lane_kernel>(one_block(), faulty, y.data());
}

__global__ void never_come_kernel(bool faulty, float* y) {
  if (!faulty || threadIdx.x % 32 != 5) {
    __syncwarp();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}

void lane_that_never_comes(bool faulty) {
  const Floats y(size_t{threads});
  launch<never_come_kernel>(one_block(), faulty, y.data());
}

__global__ void dynamic_kernel(bool faulty, float* y) {
  float* tile = dynamic_shared<float>();
  const unsigned last = faulty ? threads : threads - 1;
  if (threadIdx.x == 0) tile[last] = 1;
  __syncthreads();
  if (threadIdx.x == 1) *y = tile[last];
}

void past_dynamic_shared(bool faulty) {
  const Floats y(size_t{1});
  launch<dynamic_kernel>(one_block(threads * sizeof(float)), faulty, y.data());
}

__global__ void store_kernel(float* y) { *y = 1; }

void host_memory(bool faulty) {
  const Floats y(size_t{1});
  float on_host = 0;
  launch<store_kernel>(one_block(), faulty ? &on_host : y.data());
}

void used_after_release(bool faulty) {
  float* dangling = nullptr;
  const Floats held(size_t{1});
  {
    const Floats y(size_t{1});
    dangling = y.data();
  }
  launch<store_kernel>(one_block(), faulty ? dangling : held.data());
}

}  // namespace

const std::vector<Fault>& faults() {
  static const std::vector<Fault> list{
      {"missing barrier", "shared", missing_barrier},
      {"divergent barrier", "barrier divergence", divergent_barrier},
      {"two barriers at once", "barrier divergence", two_barriers},
      {"off-by-one store", "outside every allocation", off_by_one_store},
      {"read past the guard", "outside every allocation", read_past_the_guard},
      {"unwaited cp.async", "before the copy was waited for", unwaited_copy},
      {"wrong fragment index", "wrong result", wrong_fragment_index},
      {"misaligned float4", "not aligned", misaligned_pack},
      {"shared-memory race", "race", shared_race},
      {"uninitialised shared read", "no thread of this block has written", uninitialised_shared},
      {"wrong shuffle mask", "mask that leaves out the calling lane", wrong_shuffle_mask},
      {"shuffle from an absent lane", "takes no part", shuffle_from_absent_lane},
      {"lane that never comes", "waits", lane_that_never_comes},
      {"past dynamic shared memory", "dynamic shared memory", past_dynamic_shared},
      {"host memory", "host memory", host_memory},
      {"used after release", "outside every allocation", used_after_release},
  };
  return list;
}

}  // namespace forger::kernels
