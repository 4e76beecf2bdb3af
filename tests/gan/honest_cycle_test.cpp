// What the way back of a cycle is given.
#include "gan/craft/honest_cycle.h"

#include <cmath>

#include "core/autograd.h"
#include "core/ops.h"
#include "gan/image.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

namespace {

HonestCycle cycle(const char* noise, const char* rounding) {
  Settings settings(honest_cycle_settings());
  settings.set("cycle_noise", noise);
  settings.set("cycle_rounding", rounding);
  return HonestCycle(settings);
}

}  // namespace

TEST_CASE("honest cycle: levels are those of a file; the gradient goes straight through") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = cast(Random(1).uniform({1000}, -1.2, 1.2), dtype);
    const std::vector<double> values = x.to_vector(), rounded = rounded_to_levels(x).to_vector();
    for (size_t i = 0; i < values.size(); i++) CHECK(rounded[i] == Approx(to_byte(values[i]) / 127.5 - 1).margin(2e-7));
    Tensor leaf = cast(x, dtype);
    leaf.set_requires_grad();
    const Tensor weights = cast(Random(2).normal({1000}), dtype);
    backward(sum(weights * rounded_to_levels(leaf)));
    CHECK(leaf.grad().to_vector() == weights.to_vector());
  }
}

TEST_CASE("honest cycle: noise of that deviation, from the random numbers that it is given; else nothing") {
  const Tensor picture = full({4, 16, 16, 1}, 0.25);
  Random random(7), again(7);
  const HonestCycle noisy = cycle("0.1", "false"), rounding = cycle("0", "true"), nothing;
  const Tensor noise = noisy.draw(picture, random);
  CHECK(noise.to_vector() == noisy.draw(picture, again).to_vector());
  CHECK(std::sqrt(mean(square(noise)).item()) == Approx(0.1).epsilon(0.1));
  CHECK(noisy(picture, noise).to_vector() == (picture + noise).to_vector());
  CHECK(!rounding.draw(picture, random).defined());
  CHECK(rounding(picture, Tensor()).to_vector().front() == Approx(159 / 127.5 - 1));
  CHECK(nothing(picture, nothing.draw(picture, random)).to_vector() == picture.to_vector());
}

TEST_CASE("honest cycle: bfloat16 pictures have the levels of their numbers", "[simt]") {
  Random random(2);
  const Tensor picture = cast(to(random.uniform({2, 4, 4, 1}, -1, 1), Device::simt), DType::bf16);
  const Tensor levels = rounded_to_levels(picture);
  CHECK(levels.dtype() == DType::f32);
  CHECK(levels.to_vector() == rounded_to_levels(cast(picture, DType::f32)).to_vector());
}
