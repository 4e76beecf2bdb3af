// Norms against their formulas written out in loops, in both modes.
#include "nn/norms.h"

#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

constexpr double tolerance = 1e-12;  // of sums of a few hundred terms in float64

using Values = std::vector<double>;

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

namespace {

// A row a class.
Tensor one_hot(const std::vector<size_t>& classes, size_t count) {
  Values rows(classes.size() * count, 0);
  for (size_t i = 0; i < classes.size(); i++) rows[i * count + classes[i]] = 1;
  return from_values({std::ssize(classes), static_cast<int64_t>(count)}, rows, DType::f64);
}

// Three classes, two channels, with a scale and a shift of each.
std::shared_ptr<ConditionalBatchNorm> make_conditional() {
  auto layer = std::make_shared<ConditionalBatchNorm>(2, 3, 0.25, DType::f64);
  copy_into(layer->gamma, random_tensor({3, 2}, 21), "test");
  copy_into(layer->beta, random_tensor({3, 2}, 22), "test");
  return layer;
}

}  // namespace

TEST_CASE("conditional batch norm begins as the plain one") {
  ConditionalBatchNorm conditional(2, 3);
  BatchNorm plain(2);
  const Tensor x = random_tensor({3, 2, 2, 2}, 23, DType::f32);
  CHECK(largest_difference(conditional(x, cast(one_hot({2, 0, 1}, 3), DType::f32)), plain(x)) < 1e-6);
}

TEST_CASE("conditional batch norm takes statistics of the batch, scale and shift of each sample's class") {
  const auto layer = make_conditional();
  const Tensor x = random_tensor({4, 3, 1, 2}, 24);
  const std::vector<size_t> classes{2, 0, 2, 1};
  const Values xs = x.to_vector(), gamma = layer->gamma.to_vector(), beta = layer->beta.to_vector();
  const Statistics s = statistics(xs, 2);
  const auto expected = [&](const Values& mean, const Values& variance) {
    Values y(xs.size());
    for (size_t i = 0; i < xs.size(); i++) {
      const size_t c = i % 2, row = 2 * classes[i / 6] + c;
      y[i] = (xs[i] - mean[c]) / std::sqrt(variance[c] + 1e-5) * (1 + gamma[row]) + beta[row];
    }
    return y;
  };
  const Tensor c = one_hot(classes, 3);
  CHECK(largest_difference((*layer)(x, c).to_vector(), expected(s.mean, s.variance)) < tolerance);
  const Values mean{0.25 * s.mean[0], 0.25 * s.mean[1]};
  CHECK(largest_difference(layer->running_mean.to_vector(), mean) < tolerance);

  layer->eval();
  const NamedTensors before = copy_of(layer->state());
  CHECK(largest_difference((*layer)(x, c).to_vector(), expected(mean, layer->running_var.to_vector())) < tolerance);
  CHECK(identical(layer->state(), before));
}

TEST_CASE("conditional batch norm between two classes lies between them") {
  const auto layer = make_conditional();
  const Tensor x = random_tensor({2, 2}, 25);
  const Tensor a = (*layer)(x, one_hot({0, 0}, 3)), b = (*layer)(x, one_hot({1, 1}, 3));
  const Tensor half = (*layer)(x, (one_hot({0, 0}, 3) + one_hot({1, 1}, 3)) / 2);
  CHECK(largest_difference(half, (a + b) / 2) < tolerance);
}

TEST_CASE("conditional batch norm says what it expected, and its gradients agree with differences") {
  const auto layer = make_conditional();
  CHECK(contains(message_of<ShapeError>([&] {
                   (*layer)(random_tensor({4, 2}, 1), one_hot({0, 1}, 3));
                 }),
                 "[conditional_batch_norm] expects x (N, ..., 2) and c (N, 3), got 4x2 and 2x3"));
  CHECK_THROWS_AS((*layer)(random_tensor({2, 3}, 1), one_hot({0, 1}, 3)), ShapeError);
  check_gradients(layer->parameters(), random_tensor({3, 2, 2, 2}, 26), [&](const Tensor& x) {
    return (*layer)(x, one_hot({1, 0, 1}, 3));
  });
}
