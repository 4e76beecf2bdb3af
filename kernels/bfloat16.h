// bfloat16: the upper half of a float, so 8 exponent bits and 7 fraction bits. Memory only: a number becomes a float
// where it is read (exactly) and is rounded where it is stored (to nearest, ties to even). Nothing is computed in it.
#pragma once
#include <bit>
#include <cstdint>
#include <type_traits>

#ifdef __CUDACC__
#define FORGER_EVERYWHERE __host__ __device__
#else
#define FORGER_EVERYWHERE
#endif

namespace forger {

struct bfloat16 {
  uint16_t bits;

  bfloat16() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number> FORGER_EVERYWHERE explicit bfloat16(Number x)
      : bits(rounded(static_cast<float>(x))) {}
  FORGER_EVERYWHERE operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }

  static FORGER_EVERYWHERE uint16_t rounded(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint16_t half;
    asm("cvt.rn.bf16.f32 %0, %1;\n" : "=h"(half) : "f"(x));
    return half;
#else
    const uint32_t all = std::bit_cast<uint32_t>(x);
    if ((all & 0x7fffffffu) > 0x7f800000u) return 0x7fff;  // a NaN, as GPUs write it
    return static_cast<uint16_t>((all + 0x7fffu + (all >> 16 & 1)) >> 16);
#endif
  }
};

// What a kernel computes in, and what statistics, weights and sums are kept in, where activations are kept as T.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, bfloat16>, float, T>;

}  // namespace forger
