// The convolution triangle against plain loops over many geometries, and its three sides against each other.
#include <random>

#include "kernels/cpu/simd.h"
#include "tests/kernels/setting.h"
#include "tests/kernels/triangle.h"

using namespace forger::kernels;

namespace {

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 2e-6 : 4e-15;

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
        generator, tolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("convolutions agree with plain loops on the layers of GANs", "[conv]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2);
  const Setting setting(count, bytes);
  CAPTURE(bytes, count);
  std::mt19937 generator(7);
  check_triangle<TestType>(square(3, 16, 3, 8, 4, 2, 1), generator,
                           tolerance<TestType>);  // first layer of a discriminator
  check_triangle<TestType>(square(2, 15, 1, 64, 4, 2, 1), generator,
                           tolerance<TestType>);  // one channel, a leftover pixel
  check_triangle<TestType>(square(2, 8, 40, 70, 4, 2, 1), generator, tolerance<TestType>);  // deeper than one block
  check_triangle<TestType>(square(5, 4, 33, 1, 4, 1, 0), generator,
                           tolerance<TestType>);  // last layer: the window is the image
  check_triangle<TestType>(square(3, 4, 33, 100, 4, 1, 0), generator,
                           tolerance<TestType>);  // first layer of a generator
  check_triangle<TestType>(square(2, 9, 33, 31, 3, 1, 1), generator, tolerance<TestType>);  // residual block
  check_triangle<TestType>(square(1, 6, 64, 3, 3, 1, 1), generator, tolerance<TestType>);   // to RGB
  check_triangle<TestType>(square(2, 5, 19, 21, 1, 1, 0), generator, tolerance<TestType>);  // 1x1
  check_triangle<TestType>(square(2, 7, 20, 9, 2, 3, 0), generator,
                           tolerance<TestType>);  // pixels under no window, phases without taps
  check_triangle<TestType>(square(2, 3, 4, 4, 5, 1, 2), generator,
                           tolerance<TestType>);  // window larger than the image
}

TEMPLATE_TEST_CASE("convolutions that many threads share agree with plain loops", "[conv]", float, double) {
  const int count = GENERATE(3, 5, 8);
  const ConvMethod method = GENERATE(ConvMethod::direct, ConvMethod::winograd);
  const Setting setting(count, simd_bytes());
  const WithConvMethod convolving(method);
  CAPTURE(count, static_cast<int>(method));
  std::mt19937 generator(5);
  for (const ConvShape& s : {square(4, 12, 32, 32, 3, 1, 1), square(3, 17, 16, 48, 4, 2, 1),
                             square(8, 12, 3, 64, 4, 2, 1), square(40, 4, 64, 16, 4, 1, 0)})
    check_triangle<TestType>(s, generator, (method == ConvMethod::winograd ? 10 : 1) * tolerance<TestType>);
}

TEMPLATE_TEST_CASE("convolutions of images of few channels agree with plain loops", "[conv]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2, 3);
  const Setting setting(count, bytes);
  CAPTURE(bytes, count);
  std::mt19937 generator(11);
  const ConvShape layers[] = {
      square(3, 16, 3, 32, 4, 2, 1),                    // first layer of a discriminator
      square(1, 15, 1, 64, 4, 2, 1),                    // one image, a leftover pixel, seven windows a line
      square(2, 64, 3, 16, 4, 2, 1),                    // lines of several bands
      square(1, 40, 3, 48, 3, 1, 1),                    // windows of a line beyond whole vectors
      square(2, 7, 4, 16, 9, 1, 4),                     // more taps a row than broadcasts, padding wider than windows
      square(2, 23, 2, 16, 2, 3, 0),                    // pixels under no window
      square(2, 49, 2, 16, 2, 3, 0),                    // a last pixel beyond all windows of whole vectors
      square(2, 17, 3, 16, 5, 3, 2),                    // phases of unequal length
      conv_shape(2, 9, 14, 4, 16, 3, 5, 2, 1, 0, 2),    // unequal sides
      conv_shape(3, 1, 21, 1, 32, 1, 7, 1, 4, 0, 3),    // a single line
      conv_shape(1, 33, 130, 1, 16, 4, 4, 1, 2, 3, 1),  // long lines, a band each
  };
  for (const ConvShape& s : layers) check_triangle<TestType>(s, generator, tolerance<TestType>);
  for (int trial = 0; trial < 30; trial++) {
    const auto pick = [&](int64_t low, int64_t high) { return low + int64_t(generator() % uint64_t(high - low + 1)); };
    const int64_t kh = pick(1, 5), kw = pick(1, 6);
    check_triangle<TestType>(conv_shape(pick(1, 3), kh + pick(0, 9), kw + pick(3, 20), pick(1, 4), 16 * pick(1, 3), kh,
                                        kw, pick(1, 3), pick(1, 3), pick(0, 3), pick(0, 3)),
                             generator, tolerance<TestType>);
  }
}

TEST_CASE("convolutions of more than one block of columns, depth and rows", "[conv]") {
  const Setting setting(2, 64);
  std::mt19937 generator(8);
  check_triangle<float>(square(1, 6, 150, 530, 2, 2, 0), generator, tolerance<float>);
  check_triangle<float>(square(6, 30, 5, 20, 4, 2, 1), generator, tolerance<float>);
}

TEMPLATE_TEST_CASE("the sides of the triangle are adjoint", "[conv]", float, double) {
  // <map, conv2d(image, weight)> = <image, conv_transpose2d(map, weight)> = <weight, conv_weight_grad(image, map)>
  const Setting setting(2, 64);
  std::mt19937 generator(9);
  for (const ConvShape& s :
       {square(4, 13, 37, 45, 4, 2, 1), square(3, 11, 3, 20, 5, 3, 2), square(2, 8, 64, 2, 3, 1, 1)}) {
    const Triangle<TestType> t = random_triangle<TestType>(s, generator);
    const Triangle<TestType> r = t.products(s);
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
    CHECK(t.products(s) == t.products(s));
  }
}
