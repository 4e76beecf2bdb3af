// The convolution triangle against plain loops over many geometries, and its three sides against each other.
#include <cmath>
#include <random>
#include <vector>

#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"
#include "tests/catch.h"
#include "tests/kernels/conv_reference.h"
#include "tests/kernels/setting.h"

using namespace forger::kernels;

namespace {

template <class T>
struct Triangle {
  std::vector<T> image, map, weight;
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

// Largest error relative to the root of the number of summands.
template <class T>
double error(const std::vector<T>& got, const std::vector<double>& expected, double summands) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); i++) {
    const double e = std::abs(double(got[i]) - expected[i]);
    if (!(e <= worst)) worst = e;  // a NaN sticks
  }
  return worst / std::sqrt(summands + 1);
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 2e-6 : 4e-15;

template <class T>
void check_triangle(const ConvShape& s, std::mt19937& generator) {
  CAPTURE(s.n, s.h, s.w, s.c, s.oh, s.ow, s.oc, s.kh, s.kw, s.stride_h, s.stride_w, s.pad_h, s.pad_w);
  const Triangle<T> t = random_triangle<T>(s, generator);
  std::vector<double> image(t.image.size()), map(t.map.size()), weight(t.weight.size());
  for_each_product(s, [&](size_t i, size_t m, size_t w) {
    image[i] += double(t.map[m]) * double(t.weight[w]);
    map[m] += double(t.image[i]) * double(t.weight[w]);
    weight[w] += double(t.image[i]) * double(t.map[m]);
  });
  Triangle<T> got{std::vector<T>(t.image.size(), T(NAN)), std::vector<T>(t.map.size(), T(NAN)),
                  std::vector<T>(t.weight.size(), T(NAN))};
  Cpu<T>::conv2d(s, t.image.data(), t.weight.data(), got.map.data());
  Cpu<T>::conv_transpose2d(s, t.map.data(), t.weight.data(), got.image.data());
  Cpu<T>::conv_weight_grad(s, t.image.data(), t.map.data(), got.weight.data());
  CHECK(error(got.map, map, double(s.kh * s.kw * s.c)) < tolerance<T>);
  CHECK(error(got.image, image, double(s.kh * s.kw * s.oc)) < tolerance<T>);
  CHECK(error(got.weight, weight, double(s.n * s.oh * s.ow)) < tolerance<T>);
}

}  // namespace

TEMPLATE_TEST_CASE("convolutions agree with plain loops on random geometries", "[conv]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2);
  const Setting setting(count, bytes);
  CAPTURE(bytes, count);
  std::mt19937 generator(static_cast<unsigned>(bytes + count));
  const auto pick = [&](auto... choices) {
    const int64_t values[] = {choices...};
    return values[generator() % (sizeof values / sizeof *values)];
  };
  for (int trial = 0; trial < 60; trial++) {
    const int64_t kh = pick(1, 2, 3, 4, 5), kw = pick(1, 2, 3, 4, 5);
    check_triangle<TestType>(
        conv_shape(pick(1, 2, 3), kh + pick(0, 1, 2, 5), kw + pick(0, 1, 3, 6), pick(1, 2, 3, 17, 33),
                   pick(1, 3, 5, 16, 31), kh, kw, pick(1, 2, 3), pick(1, 2, 3), pick(0, 1, 2), pick(0, 1, 2)),
        generator);
  }
}

TEMPLATE_TEST_CASE("convolutions agree with plain loops on the layers of GANs", "[conv]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2);
  const Setting setting(count, bytes);
  CAPTURE(bytes, count);
  std::mt19937 generator(7);
  check_triangle<TestType>(square(3, 16, 3, 8, 4, 2, 1), generator);    // first layer of a discriminator
  check_triangle<TestType>(square(2, 15, 1, 64, 4, 2, 1), generator);   // one channel, a leftover pixel
  check_triangle<TestType>(square(2, 8, 40, 70, 4, 2, 1), generator);   // deeper than one block
  check_triangle<TestType>(square(5, 4, 33, 1, 4, 1, 0), generator);    // last layer: the window is the image
  check_triangle<TestType>(square(3, 4, 33, 100, 4, 1, 0), generator);  // first layer of a generator
  check_triangle<TestType>(square(2, 9, 33, 31, 3, 1, 1), generator);   // residual block
  check_triangle<TestType>(square(1, 6, 64, 3, 3, 1, 1), generator);    // to RGB
  check_triangle<TestType>(square(2, 5, 19, 21, 1, 1, 0), generator);   // 1x1
  check_triangle<TestType>(square(2, 7, 20, 9, 2, 3, 0), generator);    // pixels under no window, phases without taps
  check_triangle<TestType>(square(2, 3, 4, 4, 5, 1, 2), generator);     // window larger than the image
}

TEST_CASE("convolutions of more than one block of columns, depth and rows", "[conv]") {
  const Setting setting(2, 64);
  std::mt19937 generator(8);
  check_triangle<float>(square(1, 6, 150, 530, 2, 2, 0), generator);
  check_triangle<float>(square(6, 30, 5, 20, 4, 2, 1), generator);
}

TEMPLATE_TEST_CASE("the sides of the triangle are adjoint", "[conv]", float, double) {
  // <map, conv2d(image, weight)> = <image, conv_transpose2d(map, weight)> = <weight, conv_weight_grad(image, map)>
  const Setting setting(2, 64);
  std::mt19937 generator(9);
  for (const ConvShape& s :
       {square(4, 13, 37, 45, 4, 2, 1), square(3, 11, 3, 20, 5, 3, 2), square(2, 8, 64, 2, 3, 1, 1)}) {
    const Triangle<TestType> t = random_triangle<TestType>(s, generator);
    Triangle<TestType> r = t;
    Cpu<TestType>::conv2d(s, t.image.data(), t.weight.data(), r.map.data());
    Cpu<TestType>::conv_transpose2d(s, t.map.data(), t.weight.data(), r.image.data());
    Cpu<TestType>::conv_weight_grad(s, t.image.data(), t.map.data(), r.weight.data());
    const auto dot = [](const std::vector<TestType>& a, const std::vector<TestType>& b) {
      double sum = 0;
      for (size_t i = 0; i < a.size(); i++) sum += double(a[i]) * double(b[i]);
      return sum;
    };
    const double scale = std::sqrt(dot(t.map, t.map) * dot(r.map, r.map));
    const double by_map = dot(t.map, r.map), by_image = dot(t.image, r.image), by_weight = dot(t.weight, r.weight);
    CHECK(std::abs(by_map - by_image) / scale < 10 * tolerance<TestType>);
    CHECK(std::abs(by_map - by_weight) / scale < 10 * tolerance<TestType>);
  }
}

TEST_CASE("convolutions repeat bit for bit", "[conv]") {
  const int count = GENERATE(1, 2, 3);
  const Setting setting(count, 64);
  std::mt19937 generator(10);
  for (const ConvShape& s :
       {square(8, 16, 3, 64, 4, 2, 1), square(8, 8, 32, 64, 4, 2, 1), square(16, 4, 64, 1, 4, 1, 0)}) {
    const Triangle<float> t = random_triangle<float>(s, generator);
    Triangle<float> first = t, again = t;
    for (Triangle<float>* r : {&first, &again}) {
      Cpu<float>::conv2d(s, t.image.data(), t.weight.data(), r->map.data());
      Cpu<float>::conv_transpose2d(s, t.map.data(), t.weight.data(), r->image.data());
      Cpu<float>::conv_weight_grad(s, t.image.data(), t.map.data(), r->weight.data());
    }
    CHECK(first.map == again.map);
    CHECK(first.image == again.image);
    CHECK(first.weight == again.weight);
  }
}
