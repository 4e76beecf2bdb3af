// Elementwise kernels: y[i] = f(x[i]) and y[i] = f(a[i], b[i]) with broadcasting. In place works: every element is
// loaded before the same place is stored, by the same thread.
//
//   unary    bytes: n read, n written        operations: f, a few per element
//   binary   bytes: 2n read, n written; n read when one operand repeats and stays in the cache
//
// Threads. One per pack of 16 bytes, 256 to a block, in a grid-stride loop; the elements behind the last whole pack, or
// all of them when a pointer is not aligned, are done one by one by the same threads:
//
//   y  [ pack 0 | pack 1 | ...                        | pack k-1 ] e e e
//        t0       t1       ...  t(N-1) then t0, t1, ...            t0 t1 t2
//
// Broadcasting. Nearly every operand is a contiguous array whose elements each repeat `repeat` times, the whole again
// and again: element i of the result takes p[i / repeat % period].
//
//   same shape     repeat 1, period n     pack      one 16-byte load
//   scalar         repeat n, period 1     splat     one load for the pack
//   per channel    repeat 1, period C     pack      when C is a multiple of the pack, else lane by lane
//   per sample     repeat M, period N     splat     when M is a multiple of the pack, else lane by lane
//
// Any other pattern of strides, and more than 2^31 elements, walk over the axes element by element.
//
// NaN passes through relu, leaky_relu, elu, clamp, maximum, minimum and sign: the comparisons are written so that a NaN
// takes the branch that returns it. The 0-or-1 masks (positive, inside, greater, equal) are 0 for it.
#include <cmath>
#include <utility>

#include "kernels/cuda/index.h"
#include "kernels/cuda/packs.h"

namespace forger::kernels {
namespace {

// ---- the functions --------------------------------------------------------------------------------------------------

template <class T>
__device__ T power(T x, T exponent) {  // the branch is the same for all threads
  if (exponent == T(2)) return x * x;
  if (exponent == T(3)) return x * x * x;
  if (exponent == T(0.5)) return std::sqrt(x);
  if (exponent == T(-0.5)) return 1 / std::sqrt(x);
  if (exponent == T(-1)) return 1 / x;
  if (exponent == T(-2)) return 1 / (x * x);
  return std::pow(x, exponent);
}

template <Unary op, class T>
__device__ __forceinline__ T apply(T x, [[maybe_unused]] T p, [[maybe_unused]] T q) {
  constexpr T zero = 0, one = 1;
  if constexpr (op == Unary::affine) return x * p + q;
  if constexpr (op == Unary::exp) return std::exp(x);
  if constexpr (op == Unary::log) return std::log(x);
  if constexpr (op == Unary::sqrt) return std::sqrt(x);
  if constexpr (op == Unary::reciprocal) return one / x;
  if constexpr (op == Unary::abs) return std::abs(x);
  if constexpr (op == Unary::sign) return x > zero ? one : x < zero ? -one : x;
  if constexpr (op == Unary::pow) return power(x, p);
  if constexpr (op == Unary::clamp) {
    x = x < p ? p : x;
    return x > q ? q : x;
  }
  if constexpr (op == Unary::tanh) return std::tanh(x);
  if constexpr (op == Unary::sigmoid) {
    const T t = std::exp(-std::abs(x));
    return (x < zero ? t : one) / (one + t);
  }
  if constexpr (op == Unary::softplus) return (x > zero ? x : zero) + std::log1p(std::exp(-std::abs(x)));
  if constexpr (op == Unary::relu) return x <= zero ? zero : x;
  if constexpr (op == Unary::leaky_relu) return x > zero ? x : p * x;
  if constexpr (op == Unary::elu) return x > zero ? x : p * std::expm1(x);
  if constexpr (op == Unary::sin) return std::sin(x);
  if constexpr (op == Unary::cos) return std::cos(x);
  if constexpr (op == Unary::positive) return x > zero ? one : zero;
  if constexpr (op == Unary::inside) return p <= x && x <= q ? one : zero;
}

template <Binary op, class T>
__device__ __forceinline__ T apply(T a, T b, [[maybe_unused]] T p) {
  constexpr T zero = 0, one = 1;
  if constexpr (op == Binary::add) return a + b;
  if constexpr (op == Binary::sub) return a - b;
  if constexpr (op == Binary::mul) return a * b;
  if constexpr (op == Binary::div) return a / b;
  if constexpr (op == Binary::maximum) return a > b || a != a ? a : b;
  if constexpr (op == Binary::minimum) return a < b || a != a ? a : b;
  if constexpr (op == Binary::greater) return a > b ? one : zero;
  if constexpr (op == Binary::equal) return a == b ? one : zero;
  if constexpr (op == Binary::tanh_grad) return a * (one - b * b);
  if constexpr (op == Binary::sigmoid_grad) return a * b * (one - b);
  if constexpr (op == Binary::leaky_relu_grad) return b > zero ? a : p * a;
  if constexpr (op == Binary::elu_grad) return b > zero ? a : a * p * std::exp(b);
}

constexpr int unary_ops = static_cast<int>(Unary::inside) + 1;
constexpr int binary_ops = static_cast<int>(Binary::elu_grad) + 1;

// body(std::integral_constant<Op, op>{}): the step from a value to a compile-time constant.
template <class Op, class F, int... ops>
void with_constant(Op op, const F& body, std::integer_sequence<int, ops...>) {
  ((op == static_cast<Op>(ops) ? body(std::integral_constant<Op, static_cast<Op>(ops)>{}) : void()), ...);
}

// ---- unary ----------------------------------------------------------------------------------------------------------

template <class T, Unary op>
__global__ void unary_kernel(int64_t n, int64_t packs, const T* x, T* y, Wide<T> p, Wide<T> q) {
  constexpr int size = Pack<T>::size;
  for (int64_t i = global_thread(); i < packs; i += thread_count()) {
    Pack<T> v = load_pack(x + i * size);
#pragma unroll
    for (int j = 0; j < size; j++) v.v[j] = T(apply<op>(Wide<T>{v.v[j]}, p, q));
    store_pack(y + i * size, v);
  }
  for (int64_t i = packs * size + global_thread(); i < n; i += thread_count()) y[i] = T(apply<op>(Wide<T>{x[i]}, p, q));
}

// ---- binary ---------------------------------------------------------------------------------------------------------

enum class Access : uint8_t { pack, splat, lanes };

// An operand of n results: p[i / repeat % period].
template <class T>
struct Operand {
  const T* p;
  Divider<uint32_t> repeat, period;
  Access access;  // how a pack of results gets its elements

  Operand(const T* memory, int64_t n, int64_t repeat_, int64_t period_) : p(memory), repeat(repeat_), period(period_) {
    const bool whole_packs = period_ % Pack<T>::size == 0 || period_ == n;
    access = period_ == 1 || repeat_ % Pack<T>::size == 0    ? Access::splat
             : repeat_ == 1 && whole_packs && packable(0, p) ? Access::pack
                                                             : Access::lanes;
  }
  __device__ T at(uint32_t i) const { return p[period.remainder(repeat.quotient(i))]; }
  __device__ Pack<T> pack_at(uint32_t i) const {  // the branches are the same for all threads
    if (access == Access::pack) return load_pack(p + period.remainder(i));
    Pack<T> pack;
    pack.v[0] = at(i);
#pragma unroll
    for (uint32_t j = 1; j < Pack<T>::size; j++) pack.v[j] = access == Access::splat ? pack.v[0] : at(i + j);
    return pack;
  }
};

template <class T, Binary op>
__global__ void binary_kernel(uint32_t n, uint32_t packs, Operand<T> a, Operand<T> b, T* y, Wide<T> p) {
  constexpr uint32_t size = Pack<T>::size;
  const uint32_t first = static_cast<uint32_t>(global_thread()), step = static_cast<uint32_t>(thread_count());
  for (uint32_t i = first; i < packs; i += step) {
    Pack<T> u = a.pack_at(i * size);
    const Pack<T> v = b.pack_at(i * size);
#pragma unroll
    for (uint32_t j = 0; j < size; j++) u.v[j] = T(apply<op>(Wide<T>{u.v[j]}, Wide<T>{v.v[j]}, p));
    store_pack(y + i * size, u);
  }
  for (uint32_t i = packs * size + first; i < n; i += step) y[i] = T(apply<op>(Wide<T>{a.at(i)}, Wide<T>{b.at(i)}, p));
}

template <class T, Binary op, class I>
__global__ void strided_binary_kernel(I n, Strided<I> s, const T* a, const T* b, T* y, Wide<T> p) {
  const I step = static_cast<I>(thread_count());
  for (I i = static_cast<I>(global_thread()); i < n; i += step) {
    const auto at = s.at(i);
    y[i] = T(apply<op>(Wide<T>{a[at.a]}, Wide<T>{b[at.b]}, p));
  }
}

// Whether strides over merged axes are {0.., contiguous, 0..}, as an Operand has them.
struct Repetition {
  bool found = true;
  int64_t repeat = 1, period = 1;

  Repetition(const Walk& w, const int64_t* strides) {
    int k = w.rank - 1;
    for (; k >= 0 && strides[k] == 0; k--) repeat *= w.sizes[k];
    for (; k >= 0 && strides[k] == period; k--) period *= w.sizes[k];
    for (; k >= 0; k--) found &= strides[k] == 0;
  }
};

template <class T, Binary op>
void broadcast(const Walk& w, const T* a, const T* b, T* y, Wide<T> p) {
  const int64_t n = w.numel();
  const Repetition of_a(w, w.a), of_b(w, w.b);
  if (n < int64_t{1} << 31 && of_a.found && of_b.found) {
    const int64_t packs = packs_of(n, y);
    launch<binary_kernel<T, op>>(striding(packs > 0 ? packs : n), static_cast<uint32_t>(n),
                                 static_cast<uint32_t>(packs), Operand<T>(a, n, of_a.repeat, of_a.period),
                                 Operand<T>(b, n, of_b.repeat, of_b.period), y, p);
  } else {
    with_index(n, [&]<class I>(I) {
      launch<strided_binary_kernel<T, op, I>>(striding(n), static_cast<I>(n), Strided<I>(w), a, b, y, p);
    });
  }
}

// ---- all_finite -----------------------------------------------------------------------------------------------------

template <class T>
__global__ void find_bad_kernel(int64_t n, const T* x, int* bad) {
  for (int64_t i = global_thread(); i < n; i += thread_count())
    if (!std::isfinite(Wide<T>{x[i]})) *bad = 1;  // whoever writes writes the same
}

}  // namespace

template <class T>
void Gpu<T>::unary(Unary op, int64_t n, const T* x, T* y, Wide p, Wide q) {
  const int64_t packs = packs_of(n, x, y);
  with_constant(
      op,
      [&](auto constant) {
        launch<unary_kernel<T, constant.value>>(striding(packs > 0 ? packs : n), n, packs, x, y, p, q);
      },
      std::make_integer_sequence<int, unary_ops>{});
}

template <class T>
void Gpu<T>::binary(Binary op, const Broadcast& s, const T* a, const T* b, T* y, Wide p) {
  const Walk w(s.rank, s.sizes, s.a_strides, s.b_strides);
  with_constant(
      op, [&](auto constant) { broadcast<T, constant.value>(w, a, b, y, p); },
      std::make_integer_sequence<int, binary_ops>{});
}

template <class T>
bool Gpu<T>::all_finite(int64_t n, const T* x) {
  int* const bad = static_cast<int*>(scratch(sizeof(int)));
  check_cuda(cudaMemsetAsync(bad, 0, sizeof(int), stream()), "all_finite");
  launch<find_bad_kernel<T>>(striding(n), n, x, bad);
  int found = 0;
  check_cuda(cudaMemcpyAsync(&found, bad, sizeof(int), cudaMemcpyDefault, stream()), "all_finite");
  check_cuda(cudaStreamSynchronize(stream()), "all_finite");
  return found == 0;
}

FORGER_KERNEL(Gpu, unary);
FORGER_KERNEL(Gpu, binary);
FORGER_KERNEL(Gpu, all_finite);
FORGER_KERNEL_BF16(Gpu, unary);
FORGER_KERNEL_BF16(Gpu, binary);
FORGER_KERNEL_BF16(Gpu, all_finite);

}  // namespace forger::kernels
