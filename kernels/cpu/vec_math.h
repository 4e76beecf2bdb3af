// exp, expm1, log, softplus, sigmoid, tanh, sin and cos of a whole vector, and the small vocabulary (select,
// NaN-keeping maximum, partial loads) that the elementwise kernels share. float has its own polynomials; double calls
// std:: lane by lane.
//
// The method is the classical one of Cody and Waite ("Software Manual for the Elementary Functions", 1980) and of
// Cephes: bring the argument into a short interval around 0 by a subtraction whose leading part is exact, evaluate a
// polynomial there, undo the reduction through the exponent bits. No tables, no branches, so every lane costs the same.
//
//   exp     x = n ln2 + r, |r| <= ln2/2        e^r - 1 = r + r^2 P(r), degree 5       * 2^n in two steps (reaches
//   denormals) expm1   2^n (e^r - 1) + (2^n - 1)          exact where n = 0, so no digits are lost near 0 log     x =
//   2^e m, sqrt(1/2) <= m < sqrt 2  f = m - 1:  f - f^2/2 + f^3 Q(f), degree 7       + e ln2 sin/cos x = q pi/2 + r,
//   |r| <= pi/4        r + r^3 S(r^2) and 1 - r^2/2 + r^4 C(r^2), chosen by q mod 4; the
//                                              reduction in double, past 2^20 by std::
//   tanh    e = e^(-2|x|):  (1 - e)/(1 + e) near 0, with expm1 for 1 - e;  1 - 2e/(1 + e) past 3/4
//   sigmoid 1/(1 + t) or t/(1 + t), t = e^-|x|
//   softplus  max(x, 0) + log1p(t), t = e^-|x|; log1p(t) = log(u) + (t - (u - 1))/u with u = 1 + t rounded
//
// The coefficients are minimax fits of this project (Lawson iteration on the relative error of the whole function, then
// rounded to float); each leaves under 0.2 half-ulps. tests/kernels/elementwise_test.cpp holds every function to its
// ulps.
//
// All of it is a template on the vector type V, down to one lane, so that a leftover element takes the same operations
// as its neighbours and results do not depend on where an element lies.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/simd.h"

namespace forger::kernels::vec {

template <class V>
using Element = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;
template <class V>
using Mask = decltype(V{} < V{});  // signed integers of the element's width: -1 where true
template <class V>
using Words = Vec<uint32_t, sizeof(V)>;  // the same of float, unsigned: shifts and sums may wrap
template <class V>
constexpr int lanes = sizeof(V) / sizeof(Element<V>);

// The vector type of the loops, and its one-lane form for leftovers.
template <class T>
using Native = Vec<T, native_bytes>;
template <class T>
using One = Vec<T, sizeof(T)>;

template <class V>
inline V splat(Element<V> value) {
  return value - V{};  // minus, not plus: keeps a -0
}
template <class V>
inline Mask<V> bits(V x) {
  return (Mask<V>)x;
}
template <class V>
inline V from_bits(Mask<V> x) {
  return (V)x;
}

// The first n < lanes elements; the other lanes read as 0 and are not written.
template <class V>
inline V load_part(const Element<V>* p, int64_t n) {
  V v{};
  std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(Element<V>));
  return v;
}
template <class V>
inline void store_part(Element<V>* p, V v, int64_t n) {
  std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(Element<V>));
}

template <class V, class F>
inline V each(V x, const F& f) {
  V y{};
  for (int i = 0; i < lanes<V>; i++) y[i] = f(x[i]);
  return y;
}

template <class V>
inline bool any(Mask<V> mask) {
  constexpr size_t words = (sizeof mask + 7) / 8;
  uint64_t w[words] = {}, all = 0;
  std::memcpy(w, &mask, sizeof mask);
  for (size_t i = 0; i < words; i++) all |= w[i];
  return all != 0;
}

template <class V>
inline V abs(V x) {
  const V minus_zero = -V{};
  return from_bits<V>(bits(x) & ~bits(minus_zero));
}
template <class V>
inline V copysign(V magnitude, V sign) {
  const V minus_zero = -V{};
  return from_bits<V>((bits(magnitude) & ~bits(minus_zero)) | (bits(sign) & bits(minus_zero)));
}
// A NaN on either side is the result: the processor's own max and min drop one of them.
template <class V>
inline V maximum(V a, V b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class V>
inline V minimum(V a, V b) {
  return ((a < b) | (a != a)) ? a : b;
}

// A loop, so that the compiler finds its square-root instruction.
template <class V>
inline V sqrt(V x) {
  constexpr int n = lanes<V>;
  Element<V> y[n];
  store(y, x);
  for (int i = 0; i < n; i++) y[i] = std::sqrt(y[i]);
  return load<V>(y);
}

// Horner's rule, coefficients from the highest power down.
template <class V, class... Rest>
inline V horner(V x, V y, Element<V> c, Rest... rest) {
  const V next = y * x + c;
  if constexpr (sizeof...(rest) == 0)
    return next;
  else
    return horner(x, next, rest...);
}
template <class V, class... Rest>
inline V polynomial(V x, Element<V> highest, Rest... rest) {
  return horner(x, splat<V>(highest), rest...);
}

// ---- float: the reduced pieces --------------------------------------------------------------------------------------

template <class V>
struct Reduced {
  V p;        // e^r - 1
  Mask<V> n;  // x = n ln2 + r
};

// x in [-150, 128] ln2. Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
template <class V>
inline Reduced<V> reduce_exp(V x) {
  constexpr float magic = 12582912.0f, log2e = 1.44269504f;
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // 10 bits: n * ln2_high is exact
  const V shifted = x * log2e + magic, n = shifted - magic;
  const V r = (x - n * ln2_high) - n * ln2_low;
  const V p = polynomial(r, 1.9845895e-4f, 1.3940831e-3f, 8.333390e-3f, 4.1666359e-2f, 1.66666657e-1f, 0.5f);
  return {r * r * p + r, bits(shifted) - 0x4b400000};  // the bits of magic
}
// 2^n for -126 <= n <= 127
template <class V>
inline V power_of_two(Mask<V> n) {
  return (V)(((Words<V>)n + 127u) << 23);
}
// log of a positive, normal, finite x
template <class V>
inline V log_normal(V x, V exponent_shift) {
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  const Words<V> ix = (Words<V>)x;
  const Mask<V> e = (Mask<V>)(ix - 0x3f3504f3u) >> 23;  // the bits of sqrt(1/2)
  const V f = (V)(ix - ((Words<V>)e << 23)) - 1.0f, z = f * f;
  const V k = __builtin_convertvector(e, V) + exponent_shift;
  const V q = polynomial(f, -7.6344974e-2f, 1.2761578e-1f, -1.3160183e-1f, 1.42017573e-1f, -1.66233569e-1f,
                         2.0001227e-1f, -2.50008196e-1f, 3.33333313e-1f);
  return (f + ((f * z * q + k * ln2_low) - 0.5f * z)) + k * ln2_high;
}

// ---- the functions --------------------------------------------------------------------------------------------------

template <class V>
inline V exp(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::exp(v); });
  } else {
    x = x > 89.0f ? splat<V>(89.0f) : x;  // beyond: inf and 0, by overflow and underflow of the scaling
    x = x < -104.0f ? splat<V>(-104.0f) : x;
    const auto [p, n] = reduce_exp(x);
    const Mask<V> half = n >> 1;
    return (p + 1.0f) * power_of_two<V>(half) * power_of_two<V>(n - half);
  }
}

// e^x - 1 for x <= 0; lanes with x > 0 hold no meaning.
template <class V>
inline V expm1_nonpositive(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::expm1(v); });
  } else {
    x = x > 0.0f ? V{} : x;
    x = x < -40.0f ? splat<V>(-40.0f) : x;
    const auto [p, n] = reduce_exp(x);
    const V scale = power_of_two<V>(n);
    return p * scale + (scale - 1.0f);
  }
}

template <class V>
inline V log(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::log(v); });
  } else {
    constexpr float smallest_normal = 1.17549435e-38f;
    const V infinity = splat<V>(INFINITY), nan = splat<V>(NAN);
    const Mask<V> tiny = x < smallest_normal;
    V y = log_normal<V>(tiny ? x * 8388608.0f : x, tiny ? splat<V>(-23.0f) : V{});
    y = x == 0.0f ? -infinity : y;
    y = x == infinity ? infinity : y;
    y = x < 0.0f ? nan : y;
    return x != x ? x : y;
  }
}

template <class V>
inline V tanh(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::tanh(v); });
  } else {
    const V size = abs(x);
    const auto [p, n] = reduce_exp<V>(size > 20.0f ? splat<V>(-40.0f) : -2.0f * size);
    const V scale = power_of_two<V>(n), e = p * scale + scale, em1 = p * scale + (scale - 1.0f);
    const Mask<V> near_one = size > 0.75f;
    const V quotient = (near_one ? 2.0f * e : -em1) / (e + 1.0f);
    return copysign<V>(near_one ? 1.0f - quotient : quotient, x);
  }
}

template <class V>
inline V sigmoid(V x) {
  const V one = splat<V>(1), t = exp<V>(-abs(x));
  return (x < V{} ? t : one) / (one + t);
}

template <class V>
inline V softplus(V x) {
  const V t = exp<V>(-abs(x)), positive = x > V{} ? x : V{};
  if constexpr (std::is_same_v<Element<V>, double>) {
    return positive + each(t, [](double v) { return std::log1p(v); });
  } else {
    const V u = t + 1.0f, rounding = t - (u - 1.0f);
    return positive + (log_normal<V>(u, V{}) + rounding / u) + (t - t);  // t - t: a NaN has no exponent for log to find
  }
}

// Both at once, |x| <= 2^20.
template <class V>
inline void sincos_small(V x, V& sine, V& cosine) {
  typedef double Wide __attribute__((vector_size(2 * sizeof(V))));
  constexpr double pi_2_high = 0x1.921fb50000000p+0,
                   pi_2_low = 0x1.110b4611a6263p-26;  // 25 bits: q * pi_2_high is exact
  constexpr double magic = 6755399441055744.0;        // 1.5 * 2^52
  const Wide wide = __builtin_convertvector(x, Wide);
  const Wide q = (wide * 0.63661977236758134308 + magic) - magic;
  const V r = __builtin_convertvector((wide - q * pi_2_high) - q * pi_2_low, V);
  const Mask<V> quadrant = __builtin_convertvector(__builtin_convertvector(q, V), Mask<V>);
  const V z = r * r;
  const V s = r + r * z * polynomial(z, -1.9514632e-4f, 8.3321556e-3f, -1.66666552e-1f);
  const V c = (z * z * polynomial(z, 2.4432413e-5f, -1.38873095e-3f, 4.16666456e-2f) - 0.5f * z) + 1.0f;
  const Mask<V> swap = (quadrant & 1) != 0;
  sine = swap ? c : s;
  cosine = swap ? s : c;
  sine = (quadrant & 2) != 0 ? -sine : sine;
  cosine = ((quadrant + 1) & 2) != 0 ? -cosine : cosine;
}

template <class V, class F>
inline V trigonometric(V x, const F& of_small, double (*exact)(double)) {
  const Mask<V> large = ~(abs(x) <= 1048576.0f);  // NaN and inf too
  const V y = of_small(V(large ? V{} : x));
  if (!any<V>(large)) return y;
  V out = y;
  for (int i = 0; i < lanes<V>; i++)
    if (large[i]) out[i] = static_cast<float>(exact(x[i]));
  return out;
}

template <class V>
inline V sin(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::sin(v); });
  } else {
    const auto of_small = [](V v) {
      V s, c;
      sincos_small(v, s, c);
      return v == 0.0f ? v : s;  // keeps -0
    };
    return trigonometric(x, of_small, std::sin);
  }
}

template <class V>
inline V cos(V x) {
  if constexpr (std::is_same_v<Element<V>, double>) {
    return each(x, [](double v) { return std::cos(v); });
  } else {
    const auto of_small = [](V v) {
      V s, c;
      sincos_small(v, s, c);
      return c;
    };
    return trigonometric(x, of_small, std::cos);
  }
}

}  // namespace forger::kernels::vec
