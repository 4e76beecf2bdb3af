// The three arrays of a convolution triangle, and what its three sides make of them.
#pragma once
#include <cmath>
#include <random>
#include <vector>

#include "tests/catch.h"
#include "tests/kernels/conv_reference.h"
#include "tests/worst.h"

namespace forger::kernels {

template <class T>
struct Triangle {
  std::vector<T> image, map, weight;

  // Each array as the other two give it.
  Triangle products(const ConvShape& s) const {
    Triangle r{std::vector<T>(image.size(), T(NAN)), std::vector<T>(map.size(), T(NAN)),
               std::vector<T>(weight.size(), T(NAN))};
    Cpu<T>::conv2d(s, image.data(), weight.data(), r.map.data());
    Cpu<T>::conv_transpose2d(s, map.data(), weight.data(), r.image.data());
    Cpu<T>::conv_weight_grad(s, image.data(), map.data(), r.weight.data());
    return r;
  }
  bool operator==(const Triangle&) const = default;
};

template <class T>
Triangle<T> random_triangle(const ConvShape& s, std::mt19937& generator) {
  const auto values = [&](int64_t n) {
    std::uniform_real_distribution<T> uniform(-1, 1);
    std::vector<T> v(static_cast<size_t>(n));
    for (T& x : v) x = uniform(generator);
    return v;
  };
  return {values(s.n * s.h * s.w * s.c), values(s.n * s.oh * s.ow * s.oc), values(s.oc * s.kh * s.kw * s.c)};
}

// The same by plain loops in double.
template <class T>
Triangle<double> plain_products(const ConvShape& s, const Triangle<T>& t) {
  Triangle<double> r{std::vector<double>(t.image.size()), std::vector<double>(t.map.size()),
                     std::vector<double>(t.weight.size())};
  for_each_product(s, [&](size_t i, size_t m, size_t w) {
    r.image[i] += double(t.map[m]) * double(t.weight[w]);
    r.map[m] += double(t.image[i]) * double(t.weight[w]);
    r.weight[w] += double(t.image[i]) * double(t.map[m]);
  });
  return r;
}

// Largest error relative to the root of the number of summands.
template <class T>
double error(const std::vector<T>& got, const std::vector<double>& expected, double summands) {
  return test::largest_difference(got, expected) / std::sqrt(summands + 1);
}

// conv2d_bias is conv2d, bias and activation; a NaN comes through.
template <class T>
void check_epilogue(const ConvShape& s, const Triangle<T>& t, const std::vector<double>& map, double tolerance) {
  std::vector<T> bias(t.weight.begin(), t.weight.begin() + s.oc), got(map.size());
  const T slope = T(0.25);
  const auto worst = [&](bool with_bias, Activation act, auto activate) {
    Cpu<T>::conv2d_bias(s, t.image.data(), t.weight.data(), with_bias ? bias.data() : nullptr, act, slope, got.data());
    std::vector<double> expected = map;
    for (size_t i = 0; i < map.size(); i++)
      expected[i] = activate(with_bias ? map[i] + double(bias[i % bias.size()]) : map[i]);
    return error(got, expected, double(s.kh * s.kw * s.c));
  };
  CHECK(worst(true, Activation::none, [](double x) { return x; }) < tolerance);
  CHECK(worst(true, Activation::relu, [](double x) { return std::max(x, 0.0); }) < tolerance);
  CHECK(worst(false, Activation::leaky_relu, [](double x) { return x > 0 ? x : x / 4; }) < tolerance);
  bias.back() = T(NAN);
  Cpu<T>::conv2d_bias(s, t.image.data(), t.weight.data(), bias.data(), Activation::relu, slope, got.data());
  CHECK(std::isnan(got.back()));
}

template <class T>
void check_triangle(const ConvShape& s, std::mt19937& generator, double tolerance) {
  CAPTURE(s.n, s.h, s.w, s.c, s.oh, s.ow, s.oc, s.kh, s.kw, s.stride_h, s.stride_w, s.pad_h, s.pad_w);
  const Triangle<T> t = random_triangle<T>(s, generator), got = t.products(s);
  const Triangle<double> expected = plain_products(s, t);
  CHECK(error(got.map, expected.map, double(s.kh * s.kw * s.c)) < tolerance);
  CHECK(error(got.image, expected.image, double(s.kh * s.kw * s.oc)) < tolerance);
  CHECK(error(got.weight, expected.weight, double(s.n * s.oh * s.ow)) < tolerance);
  if (!got.map.empty()) check_epilogue(s, t, expected.map, tolerance);
}

}  // namespace forger::kernels
