// Residual blocks against their formula in ops.
#include "nn/residual.h"

#include "nn/layers.h"
#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

// Smooth activations, so that differences say something everywhere.
ResidualParts parts(Random& random) {
  return {.activation = [](int64_t) { return nn::tanh(); },
          .conv = [&](int64_t in, int64_t out, int64_t window) -> LayerPtr {
            return std::make_shared<Conv2d>(in, out, window, Conv2dOptions{.stride = 1, .padding = window / 2}, random,
                                            true, DType::f64);
          }};
}

Tensor resampled(const Tensor& x, Resample resample, Resample which) {
  if (resample != which) return x;
  return which == Resample::up ? upsample_nearest(x, 2) : avg_pool2d(x);
}

// The shortcut resamples after its convolution: the same.
Tensor formula(const Module& block, const Tensor& x, Resample resample, bool image) {
  const NamedTensors p = block.parameters();
  const auto conv = [&](const Tensor& t, size_t i) {
    return conv2d(t, p[2 * i].tensor, p[2 * i + 1].tensor, {.padding = p[2 * i].tensor.size(1) / 2});
  };
  Tensor y = conv(resampled(image ? x : forger::tanh(x), resample, Resample::up), 0);
  y = resampled(conv(forger::tanh(y), 1), resample, Resample::down);
  if (p.size() == 4) return y + x;
  return y + resampled(resampled(conv(x, 2), resample, Resample::up), resample, Resample::down);
}

}  // namespace

TEST_CASE("residual: the body on top of its shortcut, or of x") {
  const LayerPtr twice = fn([](const Tensor& x) { return x * 2.0; });
  const Tensor x = random_tensor({3}, 1);
  CHECK(largest_difference(Residual(twice)(x), x * 3.0) < 1e-14);
  CHECK(largest_difference(Residual(twice, twice)(x), x * 4.0) < 1e-14);
}

TEST_CASE("a residual block is its formula, whatever it does to sides and channels") {
  Random random(1);
  for (const Resample resample : {Resample::none, Resample::up, Resample::down})
    for (const int64_t out : {2, 3})
      for (const bool image : {false, true}) {
        INFO(static_cast<int>(resample) << ' ' << out << ' ' << image);
        const LayerPtr block = residual_block(2, out, resample, parts(random), image);
        const bool learned = out != 2 || resample != Resample::none;
        CHECK(block->parameters().size() == (learned ? 6 : 4));
        if (learned) CHECK(block->parameters()[4].tensor.shape() == Shape{out, 1, 1, 2});
        const Tensor x = random_tensor({2, 4, 6, 2}, 2), y = block->forward(x);
        const int64_t h = resample == Resample::up ? 8 : resample == Resample::down ? 2 : 4;
        CHECK(y.shape() == Shape{2, h, h * 6 / 4, out});
        CHECK(largest_difference(y, formula(*block, x, resample, image)) < 1e-12);
      }
}

TEST_CASE("gradients of residual blocks agree with differences") {
  Random random(2);
  for (const Resample resample : {Resample::none, Resample::up, Resample::down}) {
    const LayerPtr block = residual_block(1, 2, resample, parts(random));
    check_gradients(block->parameters(), random_tensor({1, 2, 4, 1}, 3),
                    [&](const Tensor& x) { return block->forward(x); });
  }
}
