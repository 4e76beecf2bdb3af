// Vectors of a chosen width through the compiler's vector extension: one source for AVX-512 (64 bytes), AVX2 (32) and
// the portable 16-byte path. Arithmetic operators work lane by lane; loads and stores go through memcpy, which compiles
// to one unaligned move.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace forger::kernels {

template <class T, int Bytes>
struct VecOf {
  typedef T type __attribute__((vector_size(Bytes)));
};
template <class T, int Bytes>
using Vec = typename VecOf<T, Bytes>::type;

// Widest vector of the instruction set this build targets.
#if defined(__AVX512F__)
constexpr int native_bytes = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int native_bytes = 32;
#else
constexpr int native_bytes = 16;
#endif

// The width in use: the build's, unless FORGER_SIMD or set_simd_bytes lowered it. The setter exists for tests, which
// run every width of one build; it never raises the width above the build's.
int simd_bytes();
void set_simd_bytes(int bytes);

// The machine's speed limit, for benchmarks: `rounds` rounds of independent float multiply-adds on registers alone, on
// every thread. Returns how many were done.
double register_multiply_adds(int64_t rounds);

template <class V, class T>
inline V load(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class T>
inline void store(T* p, V v) {
  std::memcpy(p, &v, sizeof v);
}

// The first n lanes, 0 <= n <= lanes: the others are loaded as zeros and not stored, and their memory is not touched.
template <class V, class T>
inline V load_first(const T* p, int64_t n) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(V) == 64) {
    return reinterpret_cast<V>(
        _mm512_maskz_loadu_epi8(_bzhi_u64(~uint64_t{0}, static_cast<uint32_t>(n * sizeof(T))), p));
  }
#endif
  V v = {};
  std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(T));
  return v;
}
template <class V, class T>
inline void store_first(T* p, V v, int64_t n) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(V) == 64) {
    _mm512_mask_storeu_epi8(p, _bzhi_u64(~uint64_t{0}, static_cast<uint32_t>(n * sizeof(T))),
                            reinterpret_cast<__m512i>(v));
    return;
  }
#endif
  std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(T));
}

// From the lane First on, the lanes of a and b alternately: a[First], b[First], a[First + 1], ...
template <class V, int Lanes, int First, size_t... I>
inline V interleave_lanes(V a, V b, std::index_sequence<I...>) {
  return __builtin_shufflevector(a, b, (First + static_cast<int>(I / 2) + (I % 2 ? Lanes : 0))...);
}
template <class V, int Lanes, int First>
inline V interleave(V a, V b) {
  return interleave_lanes<V, Lanes, First>(a, b, std::make_index_sequence<Lanes>{});
}

// Calls f with the width in use as a compile-time constant.
template <class F>
void with_simd(const F& f) {
  const int bytes = simd_bytes();
  if constexpr (native_bytes >= 64) {
    if (bytes == 64) return f(std::integral_constant<int, 64>{});
  }
  if constexpr (native_bytes >= 32) {
    if (bytes == 32) return f(std::integral_constant<int, 32>{});
  }
  f(std::integral_constant<int, 16>{});
}

}  // namespace forger::kernels
