// Winograd's convolution: its matrices in exact arithmetic, its results against plain loops on every kind of geometry,
// and its choice.
#include <random>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_matrices.h"
#include "tests/kernels/setting.h"
#include "tests/kernels/triangle.h"

using namespace forger::kernels;
using namespace forger::kernels::winograd;

namespace {

// y_i = sum_k g_k d_(i+k): the coefficient of g_k d_l in y_i, by the three matrices, is 1 where l = i + k and else 0.
template <int M, int R>
void check_identity() {
  const MinimalFilter<M, R> f;
  for (int i = 0; i < M; i++)
    for (int k = 0; k < R; k++)
      for (int l = 0; l < f.n; l++) {
        Fraction sum = 0;
        for (int j = 0; j < f.n; j++) sum = sum + f.a.at[j][i] * f.g.at[j][k] * f.b.at[l][j];
        CHECK(sum == Fraction(l == i + k ? 1 : 0));
      }
}

// Winograd adds what cancels: its errors are larger than those of a plain sum.
template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 2e-5 : 4e-14;

const ConvShape shapes[] = {
    square(2, 8, 16, 32, 4, 2, 1),                    // a layer of DCGAN
    square(3, 14, 32, 16, 4, 2, 1),                   // tiles that stick out of the map
    square(1, 64, 16, 16, 4, 2, 1),                   // more tiles than a block
    square(40, 8, 16, 48, 4, 2, 1),                   // and a last panel half full
    square(2, 9, 16, 32, 4, 2, 1),                    // a leftover pixel
    square(2, 12, 16, 16, 4, 2, 0),                   // no padding
    square(2, 13, 16, 16, 4, 2, 0),                   // a row and a column of the image under no window
    square(1, 21, 16, 16, 7, 3, 0),                   // and two
    square(2, 11, 16, 16, 4, 2, 3),                   // much padding
    square(2, 13, 16, 32, 3, 2, 1),                   // phases with fewer taps
    square(2, 10, 16, 16, 2, 1, 0),                   // 2x2
    square(2, 12, 16, 32, 3, 1, 1),                   // 3x3
    square(3, 7, 32, 16, 3, 1, 0),                    //
    square(2, 16, 16, 16, 5, 2, 2),                   // 5x5 stride 2: a phase of three taps and one of two
    square(1, 20, 16, 16, 7, 3, 1),                   // stride 3
    square(1, 5, 16, 16, 3, 1, 2),                    // the window looks beyond the image
    square(2, 8, 80, 288, 4, 2, 1),                   // more than a slice of depth and of columns
    square(1, 4, 304, 16, 4, 2, 1),                   // few tiles: threads share the columns
    conv_shape(2, 10, 23, 16, 16, 4, 3, 2, 2, 1, 0),  // nothing square
    conv_shape(2, 9, 6, 16, 32, 3, 3, 1, 1, 0, 2),    //
    conv_shape(2, 8, 9, 16, 32, 1, 3, 1, 1, 0, 1),    // one row
    conv_shape(2, 9, 8, 32, 16, 3, 1, 1, 1, 1, 0),    // one column
    conv_shape(2, 6, 17, 16, 32, 1, 7, 1, 1, 0, 3),   // one row of two groups of taps
    conv_shape(3, 17, 5, 32, 16, 7, 1, 1, 1, 3, 0),   // one column
    conv_shape(1, 9, 30, 16, 16, 1, 10, 2, 2, 0, 4),  // one row, five taps a phase, every other column
    square(2, 11, 16, 32, 5, 1, 2),                   // 5x5: two groups along both axes
    square(2, 16, 16, 16, 9, 2, 4),                   // and with a stride
    square(1, 9, 16, 16, 7, 1, 0),                    // three groups
};

}  // namespace

TEST_CASE("the matrices of minimal filtering are exact", "[conv]") {
  check_identity<4, 2>();
  check_identity<4, 3>();
  check_identity<2, 3>();
  check_identity<5, 4>();
  check_identity<1, 1>();
}

TEMPLATE_TEST_CASE("Winograd's convolutions agree with plain loops", "[conv]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2, 3);
  const Setting setting(count, bytes);
  const WithConvMethod method(ConvMethod::winograd);
  CAPTURE(bytes, count);
  std::mt19937 generator(static_cast<unsigned>(bytes + count));
  for (const ConvShape& s : shapes) check_triangle<TestType>(s, generator, tolerance<TestType>);
}

TEST_CASE("Winograd gives the same bits for every thread count", "[conv]") {
  const WithConvMethod method(ConvMethod::winograd);
  std::mt19937 generator(3);
  for (const ConvShape& s : shapes) {
    const Triangle<float> t = random_triangle<float>(s, generator);
    const auto run = [&](int count) {
      const Setting setting(count, 64);
      return t.products(s);
    };
    const Triangle<float> one = run(1);
    for (int count : {1, 2, 3}) CHECK(run(count) == one);
  }
}

// Too large for plain loops: the weight passes by while several blocks of tiles stay, and stays while they pass.
TEST_CASE("Winograd's convolutions agree with direct ones on layers of many blocks", "[conv]") {
  std::mt19937 generator(6);
  for (const ConvShape& s : {square(10, 32, 144, 160, 4, 2, 1), square(6, 32, 32, 48, 4, 2, 1)}) {
    const Triangle<float> t = random_triangle<float>(s, generator);
    const auto products = [&](ConvMethod way) {
      const Setting setting(1, 64);
      const WithConvMethod method(way);
      return t.products(s);
    };
    const Triangle<float> by_winograd = products(ConvMethod::winograd), direct = products(ConvMethod::direct);
    const auto wide = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
    CHECK(error(by_winograd.map, wide(direct.map), double(s.kh * s.kw * s.c)) < tolerance<float>);
    CHECK(error(by_winograd.image, wide(direct.image), double(s.kh * s.kw * s.oc)) < tolerance<float>);
    CHECK(error(by_winograd.weight, wide(direct.weight), double(s.n * s.oh * s.ow)) < tolerance<float>);
  }
}

TEST_CASE("transposed convolutions of many taps go the direct way", "[conv]") {
  const Setting setting(2, 64);
  std::mt19937 generator(7);
  for (const ConvShape& s : {square(2, 11, 16, 32, 5, 1, 2), conv_shape(2, 6, 17, 16, 32, 1, 7, 1, 1, 0, 3)}) {
    const Triangle<float> t = random_triangle<float>(s, generator);
    const auto products = [&](ConvMethod way) {
      const WithConvMethod method(way);
      return t.products(s);
    };
    const Triangle<float> by_winograd = products(ConvMethod::winograd), direct = products(ConvMethod::direct);
    CHECK(by_winograd.image == direct.image);
    CHECK(by_winograd.map != direct.map);
    CHECK(by_winograd.weight != direct.weight);
    CHECK(Cpu<float>::conv_multiply_adds(s, /*transposed=*/true) == s.flops() / 2);
  }
}

TEST_CASE("what Winograd cannot do goes the direct way", "[conv]") {
  const Setting setting(2, 64);
  std::mt19937 generator(5);
  for (const ConvShape& s :
       {square(0, 8, 16, 16, 4, 2, 1), square(2, 8, 0, 16, 4, 2, 1), square(2, 8, 3, 16, 4, 2, 1),
        square(2, 8, 16, 17, 4, 2, 1), square(2, 9, 16, 16, 1, 1, 0), conv_shape(2, 9, 9, 16, 16, 4, 4, 2, 1, 1, 1)}) {
    const Triangle<float> t = random_triangle<float>(s, generator);
    const auto products = [&](ConvMethod way) {
      const WithConvMethod method(way);
      return t.products(s);
    };
    CHECK(products(ConvMethod::winograd) == products(ConvMethod::direct));
  }
}
