// What the tests of this floor share: messages of errors, comparisons, numerical gradients, a folder that cleans up.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/file.h"
#include "nn/module.h"
#include "tests/message_of.h"
#include "tests/worst.h"

namespace forger::test {

inline bool contains(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

// Values that do not depend on the code under test.
inline std::vector<double> random_values(size_t n, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(n);
  for (double& v : values) v = normal(engine);
  return values;
}

inline Tensor random_tensor(const Shape& shape, unsigned seed, DType dtype = DType::f64) {
  return from_values(shape, random_values(static_cast<size_t>(shape.numel()), seed), dtype);
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return std::numeric_limits<double>::infinity();
  return largest_difference(a.to_vector(), b.to_vector());
}

// ||got - wanted|| / ||wanted||; infinite where that says nothing.
inline double relative_error(const Tensor& got, const Tensor& wanted) {
  const auto a = got.to_vector(), b = wanted.to_vector();
  double difference = 0, scale = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); i++) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    scale += b[i] * b[i];
  }
  const bool comparable = got.shape() == wanted.shape() && scale > 0;
  return comparable ? std::sqrt(difference / scale) : std::numeric_limits<double>::infinity();
}

inline bool identical(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const nn::Named& x, const nn::Named& y) {
    return x.name == y.name && x.tensor.shape() == y.tensor.shape() && x.tensor.dtype() == y.tensor.dtype() &&
           x.tensor.to_vector() == y.tensor.to_vector();
  });
}

inline nn::NamedTensors copy_of(const nn::NamedTensors& list) {
  nn::NamedTensors out;
  for (const auto& [name, tensor] : list) out.push_back({name, clone(tensor)});
  return out;
}

// df/dp by five-point central differences, p float64 and moved in place.
inline std::vector<double> numeric_gradient(const std::function<double()>& f, const Tensor& p) {
  constexpr double h = 1e-4;
  std::vector<double> gradient;
  for (int64_t i = 0; i < p.numel(); i++) {
    const double centre = p.data<double>()[i];
    const auto at = [&](double offset) {
      p.write<double>("test")[i] = centre + offset;
      return f();
    };
    gradient.push_back((at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h));
    at(0);
  }
  return gradient;
}

inline size_t entries_of(const TemporaryFolder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

}  // namespace forger::test
