// Layers without parameters.
#include "nn/functions.h"

#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

constexpr double tolerance = 1e-12;  // of sums of a few hundred terms in float64

using Values = std::vector<double>;

}  // namespace

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

TEST_CASE("upsample repeats pixels, average_pool undoes it, pixel_shuffle makes places of channels") {
  const Tensor x = from_values({1, 1, 2, 1}, Values{1, 5}, DType::f64);
  const Tensor doubled = nn::upsample()->forward(x);
  CHECK(doubled.shape() == Shape{1, 2, 4, 1});
  CHECK(doubled.to_vector() == Values{1, 1, 5, 5, 1, 1, 5, 5});
  CHECK(average_pool()->forward(doubled).to_vector() == x.to_vector());
  CHECK(average_pool()->forward(from_values({1, 2, 2, 1}, Values{1, 2, 3, 6}, DType::f64)).to_vector() == Values{3});
  const Tensor shuffled = nn::pixel_shuffle()->forward(from_values({1, 1, 1, 4}, Values{1, 2, 3, 4}, DType::f64));
  CHECK(shuffled.shape() == Shape{1, 2, 2, 1});
  CHECK(shuffled.to_vector() == Values{1, 2, 3, 4});
  CHECK(nn::pixel_shuffle(3)->forward(random_tensor({2, 2, 3, 18}, 1)).shape() == Shape{2, 6, 9, 2});
}

TEST_CASE("reflect mirrors what is within an edge beyond it") {
  const Tensor x = from_values({1, 3, 2, 1}, Values{1, 2, 3, 4, 5, 6}, DType::f64);
  const Tensor y = reflect(1)->forward(x);
  CHECK(y.shape() == Shape{1, 5, 4, 1});
  CHECK(y.to_vector() == Values{4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3, 6, 5, 6, 5, 4, 3, 4, 3});
  const Tensor wide = random_tensor({2, 4, 5, 3}, 2);
  const Values xs = wide.to_vector(), ys = reflect(3)->forward(wide).to_vector();
  const auto mirrored = [](int64_t i, int64_t size) { return std::abs(size - 1 - std::abs(size - 1 - i)); };
  for (int64_t n = 0; n < 2; n++)
    for (int64_t i = 0; i < 10; i++)
      for (int64_t j = 0; j < 11; j++)
        for (int64_t c = 0; c < 3; c++)
          CHECK(ys[((n * 10 + i) * 11 + j) * 3 + c] ==
                xs[((n * 4 + mirrored(i - 3, 4)) * 5 + mirrored(j - 3, 5)) * 3 + c]);
  CHECK(contains(message_of<ShapeError>([&] { reflect(2)->forward(x); }),
                 "[reflect] 2 pixels beyond the edge of a map of 2"));
  check_gradients({}, random_tensor({2, 3, 3, 1}, 3), [](const Tensor& t) { return reflect(2)->forward(t); });
}
