// Uniform and normal numbers and dropout from cuRAND's Philox 4x32-10, the same numbers as those of the CPU.
//
//   element i = word i % 4 of counter block + offset + i/4 of the stream:
//   uniform   u = word * 2^-32 + 2^-33, in (0, 1]
//   normal    Box and Muller 1958 on the word pairs (0, 1) and (2, 3); in double on the u that they give
//   dropout   y = x/(1 - p) where u > p, else 0
//
// A counter needs no history: curand_init(seed, stream, 4*(block + i/4)) goes straight to it, and what it prepares for
// a sequence of draws is dead code here. `offset` lies in device memory, so that a recorded step draws new numbers at
// each replay. Blocks below 2^62: the last of them is as far as cuRAND's offset, counted in numbers, reaches.
//
// Threads: one per block of four numbers, in a grid-stride loop.
//   bytes: n written (dropout: n read too), by packs where arrays are aligned
//   operations: ten rounds of two 32x32-bit products per block
//
// The sine and cosine of curand_normal4 are the GPU's fast ones, so normal numbers agree with the CPU's to 1e-5; in
// double, where they are not, to the last digits.
#ifdef __CUDACC__
#include <curand_kernel.h>
#else
#include "kernels/simt/curand.h"
#endif
#include "kernels/cuda/packs.h"

namespace forger::kernels {
namespace {

struct Stream {
  uint64_t seed, stream, block;
  const uint64_t* offset;

  __device__ curandStatePhilox4_32_10_t at(int64_t i) const {  // at block i of the draw
    curandStatePhilox4_32_10_t state;
    curand_init(seed, stream, 4 * (block + *offset + static_cast<uint64_t>(i)), &state);
    return state;
  }
};

template <class T>
struct Four {
  T v[4];
};

// The four elements from p[i] on, or those of them that an array of n has; by packs where it is aligned to them.
template <class T>
__device__ __forceinline__ Four<T> load_four(const T* p, int64_t i, int64_t n, bool packed) {
  Four<T> four{};
  if (packed && i + 4 <= n) {
    for (int k = 0; k < 4; k += Pack<T>::size) {
      const Pack<T> pack = load_pack(p + i + k);
      for (int lane = 0; lane < Pack<T>::size; lane++) four.v[k + lane] = pack.v[lane];
    }
  } else {
    for (int k = 0; k < 4 && i + k < n; k++) four.v[k] = p[i + k];
  }
  return four;
}
template <class T>
__device__ __forceinline__ void store_four(T* p, int64_t i, int64_t n, bool packed, const Four<T>& four) {
  if (packed && i + 4 <= n) {
    for (int k = 0; k < 4; k += Pack<T>::size) {
      Pack<T> pack;
      for (int lane = 0; lane < Pack<T>::size; lane++) pack.v[lane] = four.v[k + lane];
      store_pack(p + i + k, pack);
    }
  } else {
    for (int k = 0; k < 4 && i + k < n; k++) p[i + k] = four.v[k];
  }
}

struct Uniform {
  template <class T>
  static __device__ Four<T> draw(curandStatePhilox4_32_10_t* state) {
    const float4 u = curand_uniform4(state);
    return {{T(u.x), T(u.y), T(u.z), T(u.w)}};
  }
};
struct Normal {
  template <class T>
  static __device__ Four<T> draw(curandStatePhilox4_32_10_t* state) {
    if constexpr (std::is_same_v<T, float>) {
      const float4 z = curand_normal4(state);
      return {{z.x, z.y, z.z, z.w}};
    } else {
      constexpr double two_pi = 6.283185307179586;
      const float4 u = curand_uniform4(state);
      const double first = sqrt(-2 * log(double(u.x))), second = sqrt(-2 * log(double(u.z)));
      const double a = two_pi * double(u.y), b = two_pi * double(u.w);
      return {{sin(a) * first, cos(a) * first, sin(b) * second, cos(b) * second}};
    }
  }
};

// visit(i, z) for every fourth element i, with the numbers z from it on.
template <class T, class Distribution, class F>
__device__ __forceinline__ void for_numbers(const Stream& stream, int64_t n, const F& visit) {
  for (int64_t i = global_thread(); 4 * i < n; i += thread_count()) {
    auto state = stream.at(i);
    visit(4 * i, Distribution::template draw<T>(&state));
  }
}

template <class T, class Distribution>
__global__ void draw_kernel(Stream stream, int64_t n, bool packed, T scale, T shift, T* y) {
  for_numbers<T, Distribution>(stream, n, [=](int64_t i, Four<T> z) {
    for (T& number : z.v) number = shift + scale * number;
    store_four(y, i, n, packed, z);
  });
}

template <class T>
__global__ void dropout_kernel(Stream stream, int64_t n, bool packed, T p, T scale, const T* x, T* y) {
  for_numbers<T, Uniform>(stream, n, [=](int64_t i, const Four<T>& u) {
    Four<T> kept = load_four(x, i, n, packed);
    for (int k = 0; k < 4; k++) kept.v[k] = u.v[k] > p ? kept.v[k] * scale : T(0);
    store_four(y, i, n, packed, kept);
  });
}

Grid grid_of(int64_t n) { return striding(ceil_div<int64_t>(n, 4)); }

}  // namespace

template <class T>
void Gpu<T>::random_uniform(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T low, T high, T* y) {
  const Stream numbers{seed, stream, block, random_offset()};
  launch<draw_kernel<T, Uniform>>(grid_of(n), numbers, n, packable(0, y), high - low, low, y);
}

template <class T>
void Gpu<T>::random_normal(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, T mean, T stddev, T* y) {
  const Stream numbers{seed, stream, block, random_offset()};
  launch<draw_kernel<T, Normal>>(grid_of(n), numbers, n, packable(0, y), stddev, mean, y);
}

template <class T>
void Gpu<T>::dropout(uint64_t seed, uint64_t stream, uint64_t block, int64_t n, double p, const T* x, T* y) {
  const Stream numbers{seed, stream, block, random_offset()};
  launch<dropout_kernel<T>>(grid_of(n), numbers, n, packable(0, x, y), static_cast<T>(p), static_cast<T>(1 / (1 - p)),
                            x, y);
}

FORGER_KERNEL(Gpu, random_uniform);
FORGER_KERNEL(Gpu, random_normal);
FORGER_KERNEL(Gpu, dropout);

}  // namespace forger::kernels
