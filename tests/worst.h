// How far results are from what is right, for all tests: an error that is no number is the worst there can be, wherever
// it stands among the others, and results of another size are as wrong.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace forger::test {

class Worst {
 public:
  // True when it is the worst so far.
  bool add(double error) {
    const double size = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    return size > value_ && (value_ = size, true);
  }
  operator double() const { return value_; }  // 0 for none

 private:
  double value_ = 0;
};

// The largest |got - expected|; infinite for lists of different lengths. Infinities are equal to themselves, NaN to
// nothing.
template <class A, class B>
double largest_difference(const std::vector<A>& got, const std::vector<B>& expected) {
  Worst worst;
  if (got.size() != expected.size()) worst.add(std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < std::min(got.size(), expected.size()); i++) {
    const auto a = static_cast<double>(got[i]), b = static_cast<double>(expected[i]);
    worst.add(a == b ? 0 : std::abs(a - b));
  }
  return worst;
}
inline double largest_difference(const std::vector<double>& got, const std::vector<double>& expected) {
  return largest_difference<double, double>(got, expected);  // for {...}
}

}  // namespace forger::test
