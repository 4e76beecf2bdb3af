// Initialisers: moments of what they draw, which parameters init_dcgan touches.
#include "nn/init.h"

#include "nn/layers.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

struct Moments {
  double mean = 0, stddev = 0, low = 0, high = 0;
};

Moments moments_of(const Tensor& t) {
  const std::vector<double> values = t.to_vector();
  Moments m;
  for (const double v : values) m.mean += v / static_cast<double>(values.size());
  for (const double v : values) m.stddev += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.stddev = std::sqrt(m.stddev);
  m.low = *std::min_element(values.begin(), values.end());
  m.high = *std::max_element(values.begin(), values.end());
  return m;
}

// Uniform on +-bound: it fills the range, and the spread is the range over sqrt(12).
void check_uniform(const Tensor& t, double bound) {
  const Moments m = moments_of(t);
  CHECK(m.low >= -bound * (1 + 1e-6));
  CHECK(m.high <= bound * (1 + 1e-6));
  CHECK(m.low < -0.98 * bound);
  CHECK(m.high > 0.98 * bound);
  CHECK(m.stddev == Approx(bound / std::sqrt(3.0)).epsilon(0.05));
}

void check_normal(const Tensor& t, double mean, double stddev) {
  const Moments m = moments_of(t);
  CHECK(m.mean == Approx(mean).margin(0.05 * stddev));
  CHECK(m.stddev == Approx(stddev).epsilon(0.05));
  CHECK(m.high > mean + 2.5 * stddev);  // beyond what a uniform one of that spread has
}

}  // namespace

TEST_CASE("fans of a convolution weight give the published variances") {
  Random random(1);
  const Tensor weight = zeros({16, 3, 5, 12});  // fan_in 180, fan_out 240
  xavier_uniform(weight, random, 2);
  check_uniform(weight, 2 * std::sqrt(6.0 / (180 + 240)));
  xavier_normal(weight, random);
  check_normal(weight, 0, std::sqrt(2.0 / (180 + 240)));
  kaiming_uniform(weight, random, 0.2);
  check_uniform(weight, std::sqrt(6.0 / ((1 + 0.04) * 180)));
  kaiming_normal(weight, random);
  check_normal(weight, 0, std::sqrt(2.0 / 180));
  CHECK_THROWS_AS(kaiming_normal(zeros({5}), random), ShapeError);
  CHECK_THROWS_AS(xavier_uniform(zeros({5}), random), ShapeError);
}

TEST_CASE("plain initialisers write in place, in both types") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Random random(2);
    const Tensor t = zeros({4000}, dtype);
    init_normal(t, 3, 0.5, random);
    check_normal(t, 3, 0.5);
    init_uniform(t, -1, 1, random);
    check_uniform(t, 1);
    init_constant(t, 0.25);
    CHECK(moments_of(t).low == 0.25);
    CHECK(moments_of(t).high == 0.25);
  }
}

TEST_CASE("layers start as in PyTorch: everything uniform in +-1/sqrt(fan_in)") {
  Random random(3);
  const Linear linear(100, 40, random);
  check_uniform(linear.weight, 0.1);
  check_uniform(Linear(25, 2000, random).bias, 0.2);
  const Conv2d conv(16, 32, 5, {}, random);
  check_uniform(conv.weight, 1 / 20.0);
  // PyTorch takes out * K * K for the transposed convolution, from its weight (in, out, K, K).
  const ConvTranspose2d transposed(8, 64, 4, {}, random);
  check_uniform(transposed.weight, 1 / 32.0);
  CHECK(transposed.bias.shape() == Shape{64});
  check_normal(Embedding(50, 60, random).weight, 0, 1);
}

TEST_CASE("the same seed makes the same network, another seed another one") {
  const auto values = [](uint64_t seed) {
    Random random(seed);
    return Conv2d(3, 8, 3, {}, random).weight.to_vector();
  };
  CHECK(values(7) == values(7));
  CHECK(values(7) != values(8));
}

TEST_CASE("init_dcgan draws weights N(0, 0.02), norms N(1, 0.02), biases 0, and leaves the rest") {
  Random random(4);
  const auto conv = std::make_shared<Conv2d>(20, 20, 4, Conv2dOptions{2, 1, 0}, random);
  const auto transposed = std::make_shared<ConvTranspose2d>(20, 20, 4, Conv2dOptions{2, 1, 0}, random, false);
  const auto batch_norm = std::make_shared<BatchNorm>(4000);
  const auto layer_norm = std::make_shared<LayerNorm>(Shape{10, 20, 20});  // rank 3, a norm all the same
  const auto linear = std::make_shared<Linear>(80, 50, random);
  const auto embedding = std::make_shared<Embedding>(50, 80, random);
  const auto normed = std::make_shared<SpectralNorm>(std::make_shared<Linear>(80, 50, random), random);
  const Sequential net{
      conv,       std::make_shared<Sequential>(std::initializer_list<LayerPtr>{transposed, batch_norm}),
      layer_norm, linear,
      embedding,  normed};
  init_constant(batch_norm->running_mean, 5);
  init_dcgan(net, random);
  for (const Tensor& weight : {conv->weight, transposed->weight, linear->weight, normed->parameters()[0].tensor})
    check_normal(weight, 0, 0.02);
  check_normal(batch_norm->weight, 1, 0.02);
  check_normal(layer_norm->weight, 1, 0.02);
  for (const Tensor& bias : {conv->bias, batch_norm->bias, layer_norm->bias, linear->bias})
    CHECK(bias.to_vector() == std::vector<double>(static_cast<size_t>(bias.numel()), 0.0));
  check_normal(embedding->weight, 0, 1);
  CHECK(moments_of(batch_norm->running_mean).low == 5);
}
