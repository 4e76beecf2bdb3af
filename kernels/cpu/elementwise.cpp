// Elementwise kernels: y[i] = f(x[i]) and y[i] = f(a[i], b[i]) with broadcasting.
//
// Memory traffic. Everything here but the transcendental functions waits for memory: a unary op moves 2 elements per
// result, a binary op 3 (2 when an operand repeats and stays in the cache). So the loops only have to be plain vector
// loops; exp and its kin (vec_math.h) are evaluated on whole vectors so that they come near that bound too.
//
// Vectorisation. The body is written on vectors of the native width; the last, shorter vector of a range is loaded and
// stored in part, through the same operations. Every element is computed alike wherever it lies and however many
// threads run, hence the results do not depend on the thread count. Loads come before the store of the same place: in
// place works.
//
// Broadcasting. Axes are merged first (strides.h). What is left is nearly always one of
//
//   same shape            {n}        strides (1) (1)        one run
//   scalar operand        {n}        strides (1) (0)        one run, the scalar splat
//   per-channel operand   {rows, C}  strides (C, 1) (0, 1)  "periodic", below
//   per-row operand       {N, M}     strides (M, 1) (1, 0)  a run per row, the row's value splat
//
// and any other pattern is a walk over runs, with lane-by-lane loads if the innermost stride is neither 0 nor 1.
//
// Periodic: a short channel vector (C = 3 for RGB) would make runs shorter than a vector. It is repeated into a small
// buffer of about 1000 elements first, and the other operand is then walked in runs of that length.
//
// NaN passes through relu, leaky_relu, elu, clamp, maximum, minimum and sign: the comparisons are written so that a NaN
// takes the branch that returns it. The 0-or-1 masks (positive, inside, greater, equal) are 0 for it.
#include <array>
#include <atomic>
#include <cmath>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/strides.h"
#include "kernels/cpu/vec_math.h"

namespace forger::kernels {
namespace {

using vec::lanes;
using vec::Native;
using vec::splat;

// Elements per thread below which waking another one costs more than it saves.
constexpr int64_t light = 32768, heavy = 4096;

template <class T, class F>
void map(int64_t n, int64_t grain, const T* x, T* y, const F& f) {
  using V = Native<T>;
  constexpr int64_t L = lanes<V>;
  parallel_for(
      n, grain,
      [&](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + L <= end; i += L) store<V>(y + i, f(load<V>(x + i)));
        if (i < end) vec::store_part<V>(y + i, f(vec::load_part<V>(x + i, end - i)), end - i);
      },
      L);
}

template <class T>
void power(int64_t n, const T* x, T* y, T exponent) {
  using V = Native<T>;
  const V one = splat<V>(1);
  if (exponent == T(2)) return map(n, light, x, y, [](V v) { return v * v; });
  if (exponent == T(3)) return map(n, light, x, y, [](V v) { return v * v * v; });
  if (exponent == T(0.5)) return map(n, light, x, y, [](V v) { return vec::sqrt(v); });
  if (exponent == T(-0.5)) return map(n, light, x, y, [=](V v) { return one / vec::sqrt(v); });
  if (exponent == T(-1)) return map(n, light, x, y, [=](V v) { return one / v; });
  if (exponent == T(-2)) return map(n, light, x, y, [=](V v) { return one / (v * v); });
  map(n, heavy, x, y, [=](V v) { return vec::each(v, [=](T lane) { return std::pow(lane, exponent); }); });
}

// ---- runs of a binary op: a and b advance by 1, by 0 (one value for the whole run) or by any stride
// ------------------

template <class T, class LoadA, class LoadB, class F>
void run_of(int64_t n, const LoadA& a, const LoadB& b, T* y, const F& f) {
  using V = Native<T>;
  constexpr int64_t L = lanes<V>;
  int64_t i = 0;
  for (; i + L <= n; i += L) store<V>(y + i, f(a(i, L), b(i, L)));
  if (i < n) vec::store_part<V>(y + i, f(a(i, n - i), b(i, n - i)), n - i);
}

template <class T>
struct Contiguous {
  using V = Native<T>;
  const T* p;
  V operator()(int64_t i, int64_t count) const {
    return count == lanes<V> ? load<V>(p + i) : vec::load_part<V>(p + i, count);
  }
};
template <class T>
struct Repeated {
  Native<T> value;
  Native<T> operator()(int64_t, int64_t) const { return value; }
};
template <class T>
struct Strided {
  const T* p;
  int64_t stride;
  Native<T> operator()(int64_t i, int64_t count) const {
    Native<T> v{};
    for (int64_t j = 0; j < count; j++) v[j] = p[(i + j) * stride];
    return v;
  }
};

template <class T, class F>
void run(int64_t n, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, const F& f) {
  using V = Native<T>;
  if (a_stride == 1 && b_stride == 1) {
    run_of(n, Contiguous<T>{a}, Contiguous<T>{b}, y, f);
  } else if (a_stride == 1 && b_stride == 0) {
    run_of(n, Contiguous<T>{a}, Repeated<T>{splat<V>(*b)}, y, f);
  } else if (a_stride == 0 && b_stride == 1) {
    run_of(n, Repeated<T>{splat<V>(*a)}, Contiguous<T>{b}, y, f);
  } else {
    run_of(n, Strided<T>{a, a_stride}, Strided<T>{b, b_stride}, y, f);
  }
}

// ---- periodic broadcasts --------------------------------------------------------------------------------------------

constexpr int64_t period_target = 1024;  // elements

// {rows, C}, one operand contiguous, the other one repeating with every row.
bool is_periodic(const Walk& w, const int64_t* full, const int64_t* repeating) {
  return w.rank == 2 && full[0] == w.sizes[1] && full[1] == 1 && repeating[0] == 0 && repeating[1] == 1 &&
         w.sizes[1] < period_target;
}

// run(begin, length, channels) over the contiguous operand, where channels[i] belongs to element begin + i.
template <class T, class F>
void for_periods(const Walk& w, int64_t grain, const T* channels, const F& run_period) {
  const int64_t n = w.numel(), c = w.sizes[1], copies = std::min(w.sizes[0], (period_target + c - 1) / c);
  std::array<T, 2 * period_target> repeated;
  for (int64_t i = 0; i < copies; i++) std::copy_n(channels, c, repeated.data() + i * c);
  const int64_t period = copies * c;
  parallel_for(
      n, grain,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i += period) run_period(i, std::min(period, end - i), repeated.data());
      },
      period);
}

template <class T, class F>
void broadcast(const Broadcast& s, int64_t grain, const T* a, const T* b, T* y, const F& f) {
  const Walk w(s.rank, s.sizes, s.a_strides, s.b_strides);
  if (w.numel() == 0) return;
  if (is_periodic(w, w.a, w.b)) {
    for_periods(w, grain, b, [&](int64_t i, int64_t n, const T* channels) { run(n, a + i, 1, channels, 1, y + i, f); });
  } else if (is_periodic(w, w.b, w.a)) {
    for_periods(w, grain, a, [&](int64_t i, int64_t n, const T* channels) { run(n, channels, 1, b + i, 1, y + i, f); });
  } else {
    const int64_t a_inner = w.a[w.rank - 1], b_inner = w.b[w.rank - 1];
    parallel_for(
        w.numel(), grain,
        [&](int64_t begin, int64_t end) {
          w.runs(begin, end, [&](int64_t a_at, int64_t b_at, int64_t flat, int64_t n) {
            run(n, a + a_at, a_inner, b + b_at, b_inner, y + flat, f);
          });
        },
        lanes<Native<T>>);
  }
}

}  // namespace

template <class T>
void Cpu<T>::unary(Unary op, int64_t n, const T* x, T* y, Wide p, Wide q) {
  using V = Native<T>;
  const V zero{}, one = splat<V>(1), vp = splat<V>(p), vq = splat<V>(q);
  switch (op) {
    case Unary::affine:
      return map(n, light, x, y, [=](V v) { return v * vp + vq; });
    case Unary::exp:
      return map(n, heavy, x, y, [](V v) { return vec::exp(v); });
    case Unary::log:
      return map(n, heavy, x, y, [](V v) { return vec::log(v); });
    case Unary::sqrt:
      return map(n, light, x, y, [](V v) { return vec::sqrt(v); });
    case Unary::reciprocal:
      return map(n, light, x, y, [=](V v) { return one / v; });
    case Unary::abs:
      return map(n, light, x, y, [](V v) { return vec::abs(v); });
    case Unary::sign:
      return map(n, light, x, y, [=](V v) { return v > zero ? one : v < zero ? -one : v; });
    case Unary::pow:
      return power(n, x, y, p);
    case Unary::clamp:
      return map(n, light, x, y, [=](V v) {
        v = v < vp ? vp : v;
        return v > vq ? vq : v;
      });
    case Unary::tanh:
      return map(n, heavy, x, y, [](V v) { return vec::tanh(v); });
    case Unary::sigmoid:
      return map(n, heavy, x, y, [](V v) { return vec::sigmoid(v); });
    case Unary::softplus:
      return map(n, heavy, x, y, [](V v) { return vec::softplus(v); });
    case Unary::relu:
      return map(n, light, x, y, [=](V v) { return v <= zero ? zero : v; });
    case Unary::leaky_relu:
      return map(n, light, x, y, [=](V v) { return v > zero ? v : vp * v; });
    case Unary::elu:
      return map(n, heavy, x, y, [=](V v) { return v > zero ? v : vp * vec::expm1_nonpositive(v); });
    case Unary::sin:
      return map(n, heavy, x, y, [](V v) { return vec::sin(v); });
    case Unary::cos:
      return map(n, heavy, x, y, [](V v) { return vec::cos(v); });
    case Unary::positive:
      return map(n, light, x, y, [=](V v) { return v > zero ? one : zero; });
    case Unary::inside:
      return map(n, light, x, y, [=](V v) { return ((vp <= v) & (v <= vq)) ? one : zero; });
  }
}

template <class T>
void Cpu<T>::binary(Binary op, const Broadcast& s, const T* a, const T* b, T* y, Wide p) {
  using V = Native<T>;
  const V zero{}, one = splat<V>(1), vp = splat<V>(p);
  switch (op) {
    case Binary::add:
      return broadcast(s, light, a, b, y, [](V u, V v) { return u + v; });
    case Binary::sub:
      return broadcast(s, light, a, b, y, [](V u, V v) { return u - v; });
    case Binary::mul:
      return broadcast(s, light, a, b, y, [](V u, V v) { return u * v; });
    case Binary::div:
      return broadcast(s, light, a, b, y, [](V u, V v) { return u / v; });
    case Binary::maximum:
      return broadcast(s, light, a, b, y, [](V u, V v) { return vec::maximum(u, v); });
    case Binary::minimum:
      return broadcast(s, light, a, b, y, [](V u, V v) { return vec::minimum(u, v); });
    case Binary::greater:
      return broadcast(s, light, a, b, y, [=](V u, V v) { return u > v ? one : zero; });
    case Binary::equal:
      return broadcast(s, light, a, b, y, [=](V u, V v) { return u == v ? one : zero; });
    case Binary::tanh_grad:
      return broadcast(s, light, a, b, y, [=](V u, V v) { return u * (one - v * v); });
    case Binary::sigmoid_grad:
      return broadcast(s, light, a, b, y, [=](V u, V v) { return u * v * (one - v); });
    case Binary::leaky_relu_grad:
      return broadcast(s, light, a, b, y, [=](V u, V v) { return v > zero ? u : vp * u; });
    case Binary::elu_grad:
      return broadcast(s, heavy, a, b, y, [=](V u, V v) { return v > zero ? u : u * vp * vec::exp(v); });
  }
}

// v - v is 0 for every finite v and NaN for the others. Looked at once per block, so that a bad value ends the scan
// early.
template <class T>
bool Cpu<T>::all_finite(int64_t n, const T* x) {
  using V = Native<T>;
  constexpr int64_t L = lanes<V>, block = 64 * L;
  std::atomic<bool> finite{true};
  parallel_for(
      n, light,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end && finite.load(std::memory_order_relaxed);) {
          const int64_t stop = std::min(end, i + block);
          V difference{};
          for (; i + L <= stop; i += L) difference += load<V>(x + i) - load<V>(x + i);
          if (i < stop) {
            const V v = vec::load_part<V>(x + i, stop - i);
            difference += v - v;
            i = stop;
          }
          if (vec::any<V>(difference != difference)) finite.store(false, std::memory_order_relaxed);
        }
      },
      L);
  return finite.load();
}

FORGER_KERNEL(Cpu, unary);
FORGER_KERNEL(Cpu, binary);
FORGER_KERNEL(Cpu, all_finite);

}  // namespace forger::kernels
