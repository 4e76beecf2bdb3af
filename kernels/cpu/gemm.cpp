// The micro-kernels of gemm.h, and the plain matrix product.
#include "kernels/cpu/gemm.h"

#include <array>
#include <utility>

namespace forger::kernels {
namespace gemm {
namespace {

// Steps of B that are fetched ahead from the L2.
constexpr int b_ahead = 8;

// NV vectors wide (1 or 2). The loops over i and j unroll fully: every accumulator is a register.
template <class T, int Bytes, int MR, int NV, bool ByRows>
void kernel(int64_t kc, const T* a, [[maybe_unused]] int64_t a_step, const T* b, T* const* c, int64_t col,
            bool accumulate, const void* const* wanted) {
  using V = Vec<T, Bytes>;
  constexpr int lanes = Tile<T, Bytes>::lanes, nr = Tile<T, Bytes>::nr;
  V acc[MR][NV] = {};
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++) {  // the tile of C arrives while the products are summed
    __builtin_prefetch(c[i] + col, 1);
    if (NV > 1) __builtin_prefetch(c[i] + col + lanes, 1);
  }
  for (int64_t k = 0; k < kc; k++) {
    __builtin_prefetch(wanted[k], 0, 2);
    V bv[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) {
      bv[j] = load<V>(b + j * lanes);
      __builtin_prefetch(b + b_ahead * nr + j * lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      const T x = a[ByRows ? i * row_step<T> : i];
#pragma GCC unroll 2
      for (int j = 0; j < NV; j++) acc[i][j] += x * bv[j];
    }
    a += ByRows ? 1 : a_step;
    b += nr;
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++) {
    T* const row = c[i] + col;
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) {
      T* const p = row + j * lanes;
      store(p, accumulate ? load<V>(p) + acc[i][j] : acc[i][j]);
    }
  }
}

template <class T, int Bytes, int NV, bool ByRows, int... I>
constexpr std::array<Kernel<T>, sizeof...(I)> kernels_of(std::integer_sequence<int, I...>) {
  return {kernel<T, Bytes, I + 1, NV, ByRows>...};
}

}  // namespace

const void* const* Wanted::nothing() {
  static const auto addresses = [] {
    std::array<const void*, max_steps> same;
    same.fill(&b_ahead);
    return same;
  }();
  return addresses.data();
}

template <class T, int Bytes>
Kernel<T> find_kernel(int mr, bool by_rows, bool narrow) {
  using Counts = std::make_integer_sequence<int, Tile<T, Bytes>::mr>;
  static constexpr std::array<Kernel<T>, Tile<T, Bytes>::mr> table[2][2] = {
      {kernels_of<T, Bytes, 2, false>(Counts{}), kernels_of<T, Bytes, 1, false>(Counts{})},
      {kernels_of<T, Bytes, 2, true>(Counts{}), kernels_of<T, Bytes, 1, true>(Counts{})}};
  return table[by_rows][narrow][static_cast<size_t>(mr - 1)];
}

#define FORGER_FIND_KERNEL(Bytes)                                    \
  template Kernel<float> find_kernel<float, Bytes>(int, bool, bool); \
  template Kernel<double> find_kernel<double, Bytes>(int, bool, bool)
FORGER_FIND_KERNEL(16);
#if defined(__AVX2__) && defined(__FMA__)
FORGER_FIND_KERNEL(32);
#endif
#if defined(__AVX512F__)
FORGER_FIND_KERNEL(64);
#endif

}  // namespace gemm

template <class T>
void Cpu<T>::matmul(const MatmulShape& s, const T* a, const T* b, T* c) {
  using namespace gemm;
  const int64_t a_step = s.trans_a ? s.m : s.k, b_step = s.trans_b ? s.k : s.n;
  const auto operands = [&](int64_t i, auto&& f) {
    f(Operand<Matrix<const T>>{{a + i * s.a_batch_stride, a_step}, s.trans_a},
      Operand<Matrix<const T>>{{b + i * s.b_batch_stride, b_step}, s.trans_b}, MatrixOut<T>{c + i * s.m * s.n, s.n});
  };
  with_simd([&](auto bytes) {
    if (s.batch == 1) {
      return operands(0, [&](auto x, auto y, auto z) { multiply<T, bytes>(s.m, s.n, s.k, x, y, z); });
    }
    const double work = double(s.m) * double(s.n) * double(s.k);
    parallel_for(s.batch, std::max<int64_t>(1, static_cast<int64_t>(min_work_per_thread / std::max(work, 1.0))),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i++) {
                     operands(i, [&](auto x, auto y, auto z) {
                       if (s.m > 0 && s.n > 0) multiply_serial<T, bytes>(s.m, s.n, {0, s.k}, x, y, z);
                     });
                   }
                 });
  });
}
FORGER_KERNEL(Cpu, matmul);

}  // namespace forger::kernels
