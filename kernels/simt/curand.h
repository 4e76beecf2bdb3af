// cuRAND's device API for the host compiler, as far as kernels/cuda/random.cu uses it: the Philox 4x32-10 generator
// with the meaning and the constants of curand_kernel.h, curand_uniform.h and curand_normal.h. The state is that of a
// fresh curand_init: positions are multiples of four numbers.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/cpu/philox.h"
#include "kernels/simt/cuda.h"

struct curandStatePhilox4_32_10_t {
  uint64_t counter, subsequence, seed;
};

inline void curand_init(uint64_t seed, uint64_t subsequence, uint64_t offset, curandStatePhilox4_32_10_t* state) {
  *state = {offset / 4, subsequence, seed};
}

inline uint4 curand4(curandStatePhilox4_32_10_t* state) {
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  uint32_t c0 = low(state->counter), c1 = high(state->counter);
  uint32_t c2 = low(state->subsequence), c3 = high(state->subsequence);
  uint32_t k0 = low(state->seed), k1 = high(state->seed);
  for (int round = 0; round < forger::kernels::philox_rounds; round++) {
    forger::kernels::philox_round(c0, c1, c2, c3, k0, k1);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  state->counter++;
  return {c0, c1, c2, c3};
}

inline float4 curand_uniform4(curandStatePhilox4_32_10_t* state) {
  constexpr float to_unit = 2.3283064e-10f;  // 2^-32
  const auto uniform = [](uint32_t word) { return static_cast<float>(word) * to_unit + to_unit / 2; };
  const uint4 words = curand4(state);
  return {uniform(words.x), uniform(words.y), uniform(words.z), uniform(words.w)};
}

inline float4 curand_normal4(curandStatePhilox4_32_10_t* state) {
  constexpr float to_unit = 2.3283064e-10f, to_angle = 2.3283064e-10f * 6.2831855f;
  const auto box_muller = [](uint32_t x, uint32_t y) {
    const float u = static_cast<float>(x) * to_unit + to_unit / 2;
    const float v = std::fma(static_cast<float>(y), to_angle, to_angle / 2);  // as nvcc contracts it
    const float s = std::sqrt(-2.0f * std::log(u));
    return float2{std::sin(v) * s, std::cos(v) * s};
  };
  const uint4 words = curand4(state);
  const float2 a = box_muller(words.x, words.y), b = box_muller(words.z, words.w);
  return {a.x, a.y, b.x, b.y};
}
