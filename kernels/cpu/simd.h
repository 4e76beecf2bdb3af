// Vectors of a chosen width through the compiler's vector extension: one source for AVX-512 (64 bytes), AVX2 (32) and the
// portable 16-byte path. Arithmetic operators work lane by lane; loads and stores go through memcpy, which compiles to one
// unaligned move.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

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

// The width in use: the build's, unless FORGER_SIMD or set_simd_bytes lowered it. The setter exists for tests, which run
// every width of one build; it never raises the width above the build's.
int simd_bytes();
void set_simd_bytes(int bytes);

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
