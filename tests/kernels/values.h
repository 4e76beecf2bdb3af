// What the kernel tests share: test data, thread counts, and comparison of a kernel's output with a plain loop in
// double.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "tests/catch.h"

namespace forger::kernels {

template <class T>
std::vector<T> values(int64_t n, double low = -2, double high = 2, unsigned seed = 1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> out(static_cast<size_t>(n));
  for (T& v : out) v = static_cast<T>(uniform(engine));
  return out;
}

// Where a kernel is to write: what it leaves out stays NaN.
template <class T>
std::vector<T> unwritten(size_t n) {
  return std::vector<T>(n, std::numeric_limits<T>::quiet_NaN());
}

// Runs body() with one, two and seven threads, and restores the count.
template <class F>
void with_threads(const F& body) {
  const int before = threads();
  for (int count : {1, 2, 7}) {
    set_threads(count);
    INFO("threads " << count);
    body();
  }
  set_threads(before);
}

// body(T{}) for both scalar types.
template <class F>
void for_types(const F& body) {
  with_threads([&] { body(float{}); });
  with_threads([&] { body(double{}); });
}

template <class T>
constexpr double epsilon = std::numeric_limits<T>::epsilon();

// |actual - expected| <= tolerance * (scale + |expected|) for every element; the worst one is reported.
template <class T>
void require_close(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                   double scale = 1) {
  REQUIRE(actual.size() == expected.size());
  size_t worst = 0;
  double worst_error = 0;
  for (size_t i = 0; i < actual.size(); i++) {
    const double a = static_cast<double>(actual[i]), e = expected[i];
    const bool same = a == e || (std::isnan(a) && std::isnan(e));
    const double error = same ? 0 : std::isfinite(a - e) ? std::abs(a - e) / (scale + std::abs(e)) : INFINITY;
    if (error > worst_error) {
      worst = i;
      worst_error = error;
    }
  }
  if (worst_error > 0) {
    INFO("element " << worst << " of " << actual.size() << ": " << actual[worst] << ", expected " << expected[worst]);
    REQUIRE(worst_error <= tolerance);
  }
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
std::vector<double> widened(const std::vector<T>& x) {
  return std::vector<double>(x.begin(), x.end());
}

}  // namespace forger::kernels
