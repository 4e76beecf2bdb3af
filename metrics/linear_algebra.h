// What scores need of dense matrices beyond products. By Eigen, whose headers stay in linear_algebra.cpp. It works on
// one thread, so results do not depend on how many there are.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace forger::metrics {

struct Factor {
  int64_t rank = 0;
  std::vector<double> values;  // F (n, rank), row-major
};
// F with s = F F^T for a symmetric s (n, n) of ones on the diagonal (or zeros, where the whole row is 0). What lies
// below n * 2^-52 is taken for 0. Nothing when s has negative eigenvalues beyond rounding.
std::optional<Factor> factor_of(std::vector<double> s, int64_t n);

// X with a X = b: a (n, n) symmetric and positive definite, b (n, m).
std::vector<double> solve(const std::vector<double>& a, const std::vector<double>& b, int64_t n, int64_t m);

// The sum of the singular values of a (m, n).
double nuclear_norm(const std::vector<double>& a, int64_t m, int64_t n);
// The largest one.
double spectral_norm(const std::vector<double>& a, int64_t m, int64_t n);

// The eigenvectors of a symmetric s (n, n) with its `count` largest eigenvalues, largest first: (count, n), row-major.
// The largest component of each is positive.
std::vector<double> principal_axes(const std::vector<double>& s, int64_t n, int64_t count);

}  // namespace forger::metrics
