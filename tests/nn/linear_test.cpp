// Linear maps against their formulas written out in loops.
#include "nn/linear.h"

#include "core/autograd.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

constexpr double tolerance = 1e-12;  // of sums of a few hundred terms in float64

using Values = std::vector<double>;

// y[n, p, q, o] += x[n, p*s - pad + i, q*s - pad + j, c] * w[o, i, j, c] over every pixel that exists: what both
// convolutions are made of. `visit` gets the flat indices of x (n, h, h, c), w (o, k, k, c) and y (n, oh, oh, o).
template <class F>
void for_taps(int64_t n, int64_t h, int64_t c, int64_t oh, int64_t o, int64_t k, int64_t s, int64_t pad, F visit) {
  for (int64_t in = 0; in < n; in++)
    for (int64_t p = 0; p < oh; p++)
      for (int64_t q = 0; q < oh; q++)
        for (int64_t i = 0; i < k; i++)
          for (int64_t j = 0; j < k; j++) {
            const int64_t row = p * s - pad + i, column = q * s - pad + j;
            if (row < 0 || row >= h || column < 0 || column >= h) continue;
            for (int64_t io = 0; io < o; io++)
              for (int64_t ic = 0; ic < c; ic++)
                visit(((in * h + row) * h + column) * c + ic, ((io * k + i) * k + j) * c + ic,
                      ((in * oh + p) * oh + q) * o + io);
          }
}

void add_bias(Values& y, const Values& bias) {
  for (size_t i = 0; i < y.size(); i++) y[i] += bias[i % bias.size()];
}

}  // namespace

TEST_CASE("linear computes x W^T + b") {
  Random random(1);
  for (const bool with_bias : {true, false}) {
    Linear layer(5, 3, random, with_bias, DType::f64);
    CHECK(layer.bias.defined() == with_bias);
    CHECK(layer.parameters().size() == (with_bias ? 2 : 1));
    const Tensor x = random_tensor({4, 5}, 2);
    const Values xs = x.to_vector(), w = layer.weight.to_vector();
    Values expected(12, 0);
    for (size_t n = 0; n < 4; n++)
      for (size_t o = 0; o < 3; o++)
        for (size_t i = 0; i < 5; i++) expected[n * 3 + o] += xs[n * 5 + i] * w[o * 5 + i];
    if (with_bias) add_bias(expected, layer.bias.to_vector());
    const Tensor y = layer(x);
    CHECK(y.shape() == Shape{4, 3});
    CHECK(largest_difference(y.to_vector(), expected) < tolerance);
  }
}

TEST_CASE("linear says what it expected") {
  Random random(1);
  Linear layer(5, 3, random);
  const std::string message = message_of<ShapeError>([&] { layer(zeros({4, 6})); });
  CHECK(contains(message, "[linear] weight expects x of (N, 5), x is 4x6"));
  CHECK_THROWS_AS(layer(zeros({4, 1, 5})), ShapeError);
}

TEST_CASE("conv2d slides its weight over the image") {
  Random random(2);
  for (const auto& [with_bias, leaky] : {std::pair{true, false}, {false, false}, {true, true}, {false, true}}) {
    Conv2dOptions options{.stride = 2, .padding = 1};
    if (leaky) options.activation = kernels::Activation::leaky_relu, options.slope = 0.5;
    Conv2d layer(3, 4, 3, options, random, with_bias, DType::f64);
    const Tensor x = random_tensor({2, 6, 6, 3}, 3);
    const Values xs = x.to_vector(), w = layer.weight.to_vector();
    Values expected(2 * 3 * 3 * 4, 0);
    for_taps(2, 6, 3, 3, 4, 3, 2, 1, [&](int64_t ix, int64_t iw, int64_t iy) { expected[iy] += xs[ix] * w[iw]; });
    if (with_bias) add_bias(expected, layer.bias.to_vector());
    if (leaky) {
      for (double& value : expected) value = value > 0 ? value : value / 2;
    }
    const Tensor y = layer(x);
    CHECK(y.shape() == Shape{2, 3, 3, 4});
    CHECK(largest_difference(y.to_vector(), expected) < tolerance);
  }
}

TEST_CASE("conv_transpose2d spreads each pixel by its weight") {
  Random random(3);
  for (const int64_t output_padding : {0, 1}) {
    ConvTranspose2d layer(3, 4, 3, {2, 1, output_padding}, random, true, DType::f64);
    const int64_t side = 7 + output_padding;
    const Tensor x = random_tensor({2, 4, 4, 3}, 4);
    const Values xs = x.to_vector(), w = layer.weight.to_vector();
    Values expected(2 * side * side * 4, 0);
    // The transpose of a convolution from (side, side, 4) to (4, 4, 3).
    for_taps(2, side, 4, 4, 3, 3, 2, 1,
             [&](int64_t image, int64_t iw, int64_t map) { expected[image] += xs[map] * w[iw]; });
    add_bias(expected, layer.bias.to_vector());
    const Tensor y = layer(x);
    CHECK(y.shape() == Shape{2, side, side, 4});
    CHECK(largest_difference(y.to_vector(), expected) < tolerance);
  }
}

TEST_CASE("embedding picks rows, and gradients reach only those") {
  Random random(1);
  Embedding layer(4, 3, random, DType::f64);
  const Tensor y = layer(from_indices(std::vector<int64_t>{2, 0, 2}));
  const Values table = layer.weight.to_vector(), rows = y.to_vector();
  CHECK(y.shape() == Shape{3, 3});
  for (size_t i = 0; i < 3; i++) {
    CHECK(rows[i] == table[6 + i]);
    CHECK(rows[3 + i] == table[i]);
    CHECK(rows[6 + i] == table[6 + i]);
  }
  backward(sum(y));
  CHECK(layer.weight.grad().to_vector() == Values{1, 1, 1, 0, 0, 0, 2, 2, 2, 0, 0, 0});
}
