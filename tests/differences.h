// Numerical derivatives: five-point central differences in float64,
//   f'(x) = (f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12h + O(h^4),
// along each element of a small tensor and along random directions of a large one.
#pragma once
#include <algorithm>
#include <limits>

#include "tests/op_cases.h"
#include "tests/worst.h"

namespace forger::test {

constexpr double difference_step =
    3e-4;  // far below the kink margin; rounding costs about 1e-16/h, the stencil about h^4
constexpr int64_t every_element_up_to = 40;
constexpr int random_directions = 6;

using Values = std::vector<double>;
using Scalar = std::function<double(const Tensors&)>;

inline double inner(const Values& a, const Values& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }
inline double inner(const Tensors& a, const Tensors& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += inner(a[i].to_vector(), b[i].to_vector());
  return total;
}

// ||got - expected|| / (||expected|| + floor): a gradient that should vanish is held to an absolute error.
inline double relative_error(const Values& got, const Values& expected) {
  constexpr double floor = 1e-3;
  if (got.size() != expected.size()) return std::numeric_limits<double>::infinity();
  Values difference(got.size());
  std::transform(got.begin(), got.end(), expected.begin(), difference.begin(), std::minus<>());
  Worst error;
  error.add(std::sqrt(inner(difference, difference)) / (std::sqrt(inner(expected, expected)) + floor));
  return error;
}
inline double relative_error(const Tensors& got, const Tensors& expected) {
  if (got.size() != expected.size()) return std::numeric_limits<double>::infinity();
  Worst worst;
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i].shape() != expected[i].shape()) return std::numeric_limits<double>::infinity();
    worst.add(relative_error(got[i].to_vector(), expected[i].to_vector()));
  }
  return worst;
}

// The derivative of f when points[k] moves along `direction`.
inline double slope(const Scalar& f, const Tensors& points, size_t k, const Values& direction) {
  constexpr double h = difference_step;
  Values centre = points[k].to_vector();
  auto at = [&](double t) {
    Values moved = centre;
    for (size_t i = 0; i < moved.size(); ++i) moved[i] += t * direction[i];
    Tensors shifted = points;
    shifted[k] = to(from_values(points[k].shape(), moved, DType::f64), points[k].device());
    shifted[k].set_requires_grad();
    return f(shifted);
  };
  return (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
}

// The worst relative error, over all points, of gradients[k] = df/dpoints[k].
inline double gradient_error(const Scalar& f, const Tensors& points, const Tensors& gradients, Draw draw) {
  Worst worst;
  for (size_t k = 0; k < points.size(); ++k) {
    if (gradients[k].shape() != points[k].shape()) return std::numeric_limits<double>::infinity();
    const int64_t n = points[k].numel();
    const Values gradient = gradients[k].to_vector();
    const bool each = n <= every_element_up_to;
    Values got, expected;
    for (int64_t i = 0; i < (each ? n : random_directions); ++i) {
      Values direction(n, 0.0);
      if (each) direction[i] = 1;
      if (!each) std::generate(direction.begin(), direction.end(), [&] { return draw.uniform(-1, 1); });
      got.push_back(inner(gradient, direction));
      expected.push_back(slope(f, points, k, direction));
    }
    worst.add(relative_error(got, expected));
  }
  return worst;
}

}  // namespace forger::test
