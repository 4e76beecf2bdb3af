// Losses by their formulas, in double.
#pragma once
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

constexpr Loss every_loss[] = {{.curve = Curve::linear, .scale = -1},
                               {.curve = Curve::square, .shift = -1, .factor = 0.5},
                               {.curve = Curve::hinge, .scale = -1, .shift = 1},
                               {.curve = Curve::softplus, .scale = -1},
                               {.curve = Curve::softplus, .scale = 1.5, .shift = 0.25, .factor = -2}};

inline double curve(Curve curve, double u) {
  if (curve == Curve::square) return u * u;
  if (curve == Curve::hinge) return u > 0 ? u : 0;
  return curve == Curve::softplus ? std::log(1 + std::exp(u)) : u;
}
inline double slope(Curve curve, double u) {
  if (curve == Curve::square) return 2 * u;
  if (curve == Curve::hinge) return u > 0 ? 1 : 0;
  return curve == Curve::softplus ? 1 / (1 + std::exp(-u)) : 1;
}

template <class T>
double mean_of(const Loss& loss, const std::vector<T>& x) {
  long double sum = 0;
  for (const T value : x) sum += loss.factor * curve(loss.curve, loss.scale * static_cast<double>(value) + loss.shift);
  return static_cast<double>(sum / static_cast<long double>(x.size()));
}

template <class T>
std::vector<double> gradient_of(const Loss& loss, const std::vector<T>& x, double gy) {
  std::vector<double> gx;
  for (const T value : x)
    gx.push_back(gy * loss.factor * loss.scale / static_cast<double>(x.size()) *
                 slope(loss.curve, loss.scale * static_cast<double>(value) + loss.shift));
  return gx;
}

}  // namespace forger::kernels
