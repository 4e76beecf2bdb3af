// Each layer's forward against its formula written out in loops, both modes, and gradients through whole networks.
#include "nn/layers.h"

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

struct Statistics {
  Values mean, variance;  // biased
};

// Of x (rows, channels) per channel.
Statistics statistics(const Values& x, size_t channels) {
  const auto rows = static_cast<double>(x.size() / channels);
  Statistics s{Values(channels, 0), Values(channels, 0)};
  for (size_t i = 0; i < x.size(); i++) s.mean[i % channels] += x[i] / rows;
  for (size_t i = 0; i < x.size(); i++) s.variance[i % channels] += std::pow(x[i] - s.mean[i % channels], 2) / rows;
  return s;
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

TEST_CASE("batch norm normalises by the batch while training, and keeps running statistics") {
  constexpr double momentum = 0.25, eps = 1e-3;
  BatchNorm layer(3, {eps}, momentum, DType::f64);
  copy_into(layer.weight, from_values({3}, Values{0.5, 1, -2}, DType::f64), "test");
  copy_into(layer.bias, from_values({3}, Values{0, 1, 3}, DType::f64), "test");
  Values mean(3, 0), variance(3, 1);
  for (const unsigned seed : {5, 6}) {
    const Tensor x = random_tensor({2, 3, 3, 3}, seed);
    const Values xs = x.to_vector();
    const Statistics s = statistics(xs, 3);
    Values expected(xs.size());
    const Values gamma = layer.weight.to_vector(), beta = layer.bias.to_vector();
    for (size_t i = 0; i < xs.size(); i++) {
      const size_t c = i % 3;
      expected[i] = (xs[i] - s.mean[c]) / std::sqrt(s.variance[c] + eps) * gamma[c] + beta[c];
    }
    CHECK(largest_difference(layer(x).to_vector(), expected) < tolerance);
    constexpr double unbiased = 18.0 / 17;
    for (size_t c = 0; c < 3; c++) {
      mean[c] += momentum * (s.mean[c] - mean[c]);
      variance[c] += momentum * (unbiased * s.variance[c] - variance[c]);
    }
    CHECK(largest_difference(layer.running_mean.to_vector(), mean) < tolerance);
    CHECK(largest_difference(layer.running_var.to_vector(), variance) < tolerance);
  }
}

TEST_CASE("batch norm by hand: 1, 2, 3, 6") {
  BatchNorm layer(1, {0.0}, 0.1, DType::f64);
  const Tensor y = layer(from_values({4, 1}, Values{1, 2, 3, 6}, DType::f64));  // mean 3, variance 3.5, unbiased 14/3
  const double s = std::sqrt(3.5);
  CHECK(largest_difference(y.to_vector(), {-2 / s, -1 / s, 0, 3 / s}) < tolerance);
  CHECK(layer.running_mean.item() == Approx(0.3).epsilon(1e-14));
  CHECK(layer.running_var.item() == Approx(0.9 + 0.1 * 14 / 3).epsilon(1e-14));
}

TEST_CASE("batch norm in evaluation uses the running statistics and writes nothing") {
  BatchNorm layer(2, {1e-5, kernels::Activation::leaky_relu, 0.1}, 0.1, DType::f64);
  copy_into(layer.running_mean, from_values({2}, Values{1, -1}, DType::f64), "test");
  copy_into(layer.running_var, from_values({2}, Values{4, 0.25}, DType::f64), "test");
  layer.eval();
  const NamedTensors before = copy_of(layer.state());
  const Tensor y = layer(from_values({2, 2}, Values{5, -1.25, -3, 0}, DType::f64));
  const double a = std::sqrt(4 + 1e-5), b = std::sqrt(0.25 + 1e-5);
  CHECK(largest_difference(y.to_vector(), {4 / a, 0.1 * -0.25 / b, 0.1 * -4 / a, 1 / b}) < tolerance);
  CHECK(identical(layer.state(), before));
}

TEST_CASE("instance norm takes statistics of each sample and channel") {
  InstanceNorm layer(2, {1e-4}, DType::f64);
  copy_into(layer.weight, from_values({2}, Values{2, 3}, DType::f64), "test");
  copy_into(layer.bias, from_values({2}, Values{-1, 1}, DType::f64), "test");
  const Tensor x = random_tensor({3, 2, 4, 2}, 7);
  const Values xs = x.to_vector();
  Values expected(xs.size());
  for (size_t n = 0; n < 3; n++) {
    const Statistics s = statistics(Values(xs.begin() + n * 16, xs.begin() + (n + 1) * 16), 2);
    for (size_t i = 0; i < 16; i++) {
      const size_t c = i % 2;
      const double normed = (xs[n * 16 + i] - s.mean[c]) / std::sqrt(s.variance[c] + 1e-4);
      expected[n * 16 + i] = c ? 3 * normed + 1 : 2 * normed - 1;
    }
  }
  CHECK(largest_difference(layer(x).to_vector(), expected) < tolerance);
  layer.eval();  // the same in both modes
  CHECK(largest_difference(layer(x).to_vector(), expected) < tolerance);
  CHECK(layer.buffers().empty());
}

TEST_CASE("layer norm takes statistics of each sample") {
  LayerNorm layer({2, 2, 3}, 1e-4, DType::f64);
  copy_into(layer.weight, random_tensor({2, 2, 3}, 8), "test");
  copy_into(layer.bias, random_tensor({2, 2, 3}, 9), "test");
  const Tensor x = random_tensor({4, 2, 2, 3}, 10);
  const Values xs = x.to_vector(), gamma = layer.weight.to_vector(), beta = layer.bias.to_vector();
  Values expected(xs.size());
  for (size_t n = 0; n < 4; n++) {
    const Statistics s = statistics(Values(xs.begin() + n * 12, xs.begin() + (n + 1) * 12), 1);
    for (size_t i = 0; i < 12; i++)
      expected[n * 12 + i] = (xs[n * 12 + i] - s.mean[0]) / std::sqrt(s.variance[0] + 1e-4) * gamma[i] + beta[i];
  }
  CHECK(largest_difference(layer(x).to_vector(), expected) < tolerance);
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

TEST_CASE("dropout drops while training and does nothing in evaluation") {
  Random random(1);
  Dropout layer(0.25, random);
  const Tensor x = ones({10000});
  const Values y = layer(x).to_vector();
  const auto kept = static_cast<double>(std::count(y.begin(), y.end(), static_cast<double>(1.0f / 0.75f)));
  const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0));
  CHECK(kept + dropped == 10000);
  CHECK(dropped == Approx(2500).margin(200));
  CHECK(layer(x).to_vector() != y);  // another mask each time
  layer.eval();
  const uint64_t block = random.block;
  CHECK(layer(x).to_vector() == x.to_vector());
  CHECK(random.block == block);
  CHECK_THROWS_AS(Dropout(1, random), UsageError);
  CHECK_THROWS_AS(Dropout(-0.1, random), UsageError);
}

TEST_CASE("functions as layers") {
  const Tensor x = from_values({1, 4}, Values{-2, -0.5, 0, 3}, DType::f64);
  const auto of = [&](const LayerPtr& module) { return module->forward(x).to_vector(); };
  CHECK(of(relu()) == Values{0, 0, 0, 3});
  CHECK(largest_difference(of(leaky_relu()), {-0.4, -0.1, 0, 3}) < tolerance);
  CHECK(largest_difference(of(leaky_relu(0.5)), {-1, -0.25, 0, 3}) < tolerance);
  CHECK(largest_difference(of(nn::tanh()), {std::tanh(-2), std::tanh(-0.5), 0, std::tanh(3)}) < tolerance);
  CHECK(largest_difference(of(nn::sigmoid()),
                           {1 / (1 + std::exp(2)), 1 / (1 + std::exp(0.5)), 0.5, 1 / (1 + std::exp(-3))}) < tolerance);
  CHECK(of(fn([](const Tensor& t) { return t * 2.0; })) == Values{-4, -1, 0, 6});
  CHECK(relu()->state().empty());
}

TEST_CASE("flatten and reshape_to keep the batch") {
  const Tensor x = random_tensor({5, 2, 3, 2}, 1);
  CHECK(nn::flatten()->forward(x).shape() == Shape{5, 12});
  const LayerPtr reshape_layer = reshape_to({3, 4, 1});
  CHECK(reshape_layer->forward(x).shape() == Shape{5, 3, 4, 1});
  CHECK(reshape_layer->forward(random_tensor({2, 12}, 1)).shape() == Shape{2, 3, 4, 1});  // another batch size
  CHECK(reshape_layer->forward(x).to_vector() == x.to_vector());
  CHECK_THROWS_AS(reshape_layer->forward(random_tensor({2, 13}, 1)), ShapeError);
}

TEST_CASE("sequential runs its modules in turn") {
  Sequential net;
  CHECK(net(ones({2})).to_vector() == Values{1, 1});
  net.append(fn([](const Tensor& x) { return x + 1.0; }));
  net.append(fn([](const Tensor& x) { return x * 3.0; }));
  CHECK(net(ones({2})).to_vector() == Values{6, 6});
}

TEST_CASE("gradients of a whole network agree with central differences, of first and second order") {
  Random random(5);
  Sequential net{std::make_shared<Conv2d>(2, 3, 3, Conv2dOptions{2, 1, 0}, random, true, DType::f64),
                 std::make_shared<BatchNorm>(3, NormOptions{}, 0.1, DType::f64),
                 nn::tanh(),
                 std::make_shared<ConvTranspose2d>(3, 2, 4, Conv2dOptions{2, 1, 0}, random, true, DType::f64),
                 std::make_shared<InstanceNorm>(2, NormOptions{}, DType::f64),
                 nn::tanh(),
                 nn::flatten(),
                 std::make_shared<Linear>(32, 2, random, true, DType::f64),
                 std::make_shared<LayerNorm>(Shape{2}, 0.1, DType::f64)};
  Tensor x = random_tensor({3, 4, 4, 2}, 11);
  x.set_requires_grad();
  const Tensor weights = random_tensor({3, 2}, 12);
  const auto loss = [&] { return sum(square(net(x)) * weights); };
  const auto penalty = [&] { return sum(square(grad(loss(), x, {true}))); };
  const std::vector<Tensor> parameters = tensors_of(net.parameters());
  const auto compare = [&](const std::function<Tensor()>& f) {
    const Tensor value = f();
    const std::vector<Tensor> gradients = grad(std::span(&value, 1), parameters);
    for (size_t i = 0; i < parameters.size(); i++) {
      INFO(net.parameters()[i].name);
      const Values expected = numeric_gradient([&] { return f().item(); }, parameters[i]);
      double scale = 1;
      for (const double e : expected) scale = std::max(scale, std::abs(e));
      CHECK(largest_difference(gradients[i].to_vector(), expected) < 1e-7 * scale);
    }
  };
  compare(loss);
  compare(penalty);
}
