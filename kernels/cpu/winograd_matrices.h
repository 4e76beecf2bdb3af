// The matrices of Winograd's minimal filtering F(m, r), generated from their points in exact arithmetic.
//
// m outputs of a filter of r taps, y_i = sum_k g_k d_(i+k), from n = m + r - 1 multiplications instead of m*r:
//
//   y = A^T [ (G g) . (B^T d) ]              A (n, m), B (n, n), G (n, r)
//
// The product of two polynomials is known by its values at enough points (Toom and Cook); filtering is the transpose of
// that product. Value j is taken at the point p_j, the last one "at infinity", where only the leading coefficient
// counts. With f_j = prod_(l != j) (p_j - p_l) over the finite points:
//
//   A_(j,i) = p_j^i       G_(j,k) = p_j^k / f_j       sum_l B_(l,j) x^l = prod_(l != j) (x - p_l)
//   infinity:  A_(n-1,m-1) = 1,  G_(n-1,r-1) = 1,  B: prod_l (x - p_l)
//
// Source: S. Winograd, "Arithmetic complexity of computations" (1980); A. Lavin and S. Gray, "Fast algorithms for
// convolutional neural networks" (2016).
//
// Points in pairs of either sign and of reciprocals keep powers and differences moderate, and with them the rounding
// errors (B. Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution", 2020). Those taken
// here were the best of a dozen tried on layers of DCGAN: half the error of 0, 1, -1, 2.
#pragma once
#include <array>
#include <cstdint>
#include <numeric>

namespace forger::kernels::winograd {

struct Fraction {
  int64_t num = 0, den = 1;  // in lowest terms, den > 0

  constexpr Fraction() = default;
  constexpr Fraction(int64_t n, int64_t d = 1) : num(n), den(d) {
    const int64_t common = std::gcd(num, den) * (den < 0 ? -1 : 1);
    num /= common;
    den /= common;
  }
  friend constexpr Fraction operator+(Fraction a, Fraction b) { return {a.num * b.den + b.num * a.den, a.den * b.den}; }
  friend constexpr Fraction operator-(Fraction a, Fraction b) { return a + Fraction(-b.num, b.den); }
  friend constexpr Fraction operator*(Fraction a, Fraction b) { return {a.num * b.num, a.den * b.den}; }
  friend constexpr Fraction operator/(Fraction a, Fraction b) { return {a.num * b.den, a.den * b.num}; }
  friend constexpr bool operator==(const Fraction&, const Fraction&) = default;
  template <class T>
  constexpr T as() const {
    return static_cast<T>(num) / static_cast<T>(den);
  }
};

template <class T, int Rows, int Cols>
struct SmallMatrix {
  static constexpr int rows = Rows, cols = Cols;
  std::array<std::array<T, Cols>, Rows> at{};

  constexpr SmallMatrix<T, Cols, Rows> transposed() const {
    SmallMatrix<T, Cols, Rows> t;
    for (int i = 0; i < Rows; i++)
      for (int j = 0; j < Cols; j++) t.at[j][i] = at[i][j];
    return t;
  }
  template <class U>
  constexpr SmallMatrix<U, Rows, Cols> as() const {
    SmallMatrix<U, Rows, Cols> other;
    for (int i = 0; i < Rows; i++)
      for (int j = 0; j < Cols; j++) other.at[i][j] = at[i][j].template as<U>();
    return other;
  }
};

template <int M, int R>
struct MinimalFilter {
  static constexpr int m = M, r = R, n = M + R - 1;
  static_assert(n <= 8, "a point for each product but the last");
  static constexpr Fraction points[7] = {0, {2, 3}, {-2, 3}, {3, 2}, {-3, 2}, 1, -1};

  SmallMatrix<Fraction, n, M> a;
  SmallMatrix<Fraction, n, n> b;  // y = a^T [ (g f) . (b^T d) ]
  SmallMatrix<Fraction, n, R> g;

  constexpr MinimalFilter() {
    for (int j = 0; j < n; j++) {
      const bool infinity = j == n - 1;
      std::array<Fraction, n + 1> product{1};  // of (x - p_l): coefficients, lowest first
      Fraction factor = 1;
      for (int l = 0, degree = 0; l < n - 1; l++) {
        if (l == j) continue;
        if (!infinity) factor = factor * (points[j] - points[l]);
        for (int k = ++degree; k >= 0; k--)
          product[k] = (k > 0 ? product[k - 1] : Fraction(0)) - points[l] * product[k];
      }
      for (int l = 0; l < n; l++) b.at[l][j] = product[l];
      Fraction power = 1;
      for (int i = 0; i < M || i < R; i++, power = power * (infinity ? Fraction(1) : points[j])) {
        if (i < M) a.at[j][i] = !infinity ? power : i == M - 1 ? 1 : 0;
        if (i < R) g.at[j][i] = !infinity ? power / factor : i == R - 1 ? 1 : 0;
      }
    }
  }
};

}  // namespace forger::kernels::winograd
