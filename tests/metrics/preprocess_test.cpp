// Images brought to Inception's size, against the programs whose conventions these are. The files come from
// tests/golden/make_inception_golden.py.
#include "metrics/preprocess.h"

#include <thread>

#include "nn/checkpoint.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/hashed.h"
#include "tests/worst.h"

using namespace forger;
using namespace forger::metrics;
using test::message_of;

namespace {

constexpr int64_t numbers = inception_side * inception_side * 3;

std::vector<float> input_of(const gan::Image& image, Convention convention) {
  std::vector<float> x(numbers, std::nanf(""));
  inception_input(image, convention, x.data());
  return x;
}

// Every 17th pixel along both axes.
double largest_difference(const std::vector<float>& x, const std::vector<double>& golden) {
  constexpr int64_t step = 17;
  forger::test::Worst worst;
  size_t i = 0;
  for (int64_t row = 0; row < inception_side; row += step)
    for (int64_t column = 0; column < inception_side; column += step)
      for (int64_t c = 0; c < 3; c++, i++) {
        worst.add(std::abs(x[static_cast<size_t>((row * inception_side + column) * 3 + c)] - golden.at(i)));
      }
  CHECK(i == golden.size());
  return worst;
}

// The mean, the mean of squares, and a mean with the signs of a hash, which tells one place from another.
std::vector<double> sums(const std::vector<float>& x) {
  std::vector<double> sums(3);
  for (int64_t i = 0; i < numbers; i++) {
    const double level = x[static_cast<size_t>(i)];
    sums[0] += level / numbers;
    sums[1] += level * level / numbers;
    sums[2] += (test::hashed(0, i) >> 63 ? level : -level) / numbers;
  }
  return sums;
}

}  // namespace

TEST_CASE("preprocess: each convention is the program's whose name it has") {
  constexpr double bound = 2e-6;
  const nn::Checkpoint golden = nn::load_checkpoint(std::string(GOLDEN_DIR) + "/preprocess.safetensors");
  const int64_t sizes[][3] = {{32, 32, 1}, {28, 28, 1}, {37, 23, 3}, {299, 299, 3}, {299, 40, 3}, {640, 401, 3}};
  CHECK(golden.tensors.size() == 2 * std::size(sizes) * std::size(all_conventions));
  int64_t index = 0;
  for (const auto& [height, width, channels] : sizes) {
    const gan::Image image = test::hashed_image(index++, height, width, channels);
    for (const Convention convention : all_conventions) {
      const std::string name = text(height, 'x', width, 'x', channels, '.', name_of(convention));
      INFO(name);
      const Tensor* const pixels = golden.find(name);
      const Tensor* const expected = golden.find(name + ".sums");
      REQUIRE((pixels != nullptr && expected != nullptr));
      const std::vector<float> x = input_of(image, convention);
      CHECK(largest_difference(x, pixels->to_vector()) < bound);
      const std::vector<double> got = sums(x), wanted = expected->to_vector();
      for (size_t i = 0; i < 3; i++) CHECK(got[i] == Approx(wanted.at(i)).margin(bound));
    }
  }
}

TEST_CASE("preprocess: an image of 299 x 299 keeps its pixels, a grey one is three alike") {
  const gan::Image image = test::hashed_image(1, inception_side, inception_side, 3);
  const gan::Image grey = test::hashed_image(1, 50, 20, 1);
  for (const Convention convention : all_conventions) {
    INFO(name_of(convention));
    const bool by_128 = convention == Convention::tf || convention == Convention::clean;
    const std::vector<float> x = input_of(image, convention);
    for (size_t i = 0; i < x.size(); i++) {
      const auto level = static_cast<float>(image.pixels[i]);
      if (x[i] != (by_128 ? (level - 128) / 128 : (level - 127.5f) / 127.5f)) {
        FAIL("pixel " << i << ": " << int{image.pixels[i]} << " became " << x[i]);
      }
    }
    CHECK(input_of(gan::with_channels(grey, 3), convention) == input_of(grey, convention));
  }
}

TEST_CASE("preprocess: one pixel, one row, from many threads") {
  for (const Convention convention : all_conventions) {
    INFO(name_of(convention));
    const std::vector<float> x = input_of({1, 1, 1, {255}}, convention);
    CHECK(std::all_of(x.begin(), x.end(), [&](float level) { return level == Approx(1).margin(0.01); }));
    const gan::Image row = test::hashed_image(2, 1, 1000, 3);
    const std::vector<float> alone = input_of(row, convention);
    std::vector<std::vector<float>> together(4);
    std::vector<std::thread> threads;
    for (auto& out : together) threads.emplace_back([&] { out = input_of(row, convention); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& out : together) CHECK(out == alone);
  }
}

TEST_CASE("preprocess: what is no image, and no convention") {
  std::vector<float> x(numbers);
  for (const gan::Image& image : {gan::Image{}, gan::Image{2, 2, 2, std::vector<uint8_t>(8)}, gan::Image{2, 2, 3, {1}}})
    CHECK_THROWS_AS(inception_input(image, Convention::tf, x.data()), ShapeError);
  for (const Convention convention : all_conventions) CHECK(find_convention(name_of(convention)) == convention);
  CHECK(message_of<UsageError>([] { find_convention("cleen"); }) ==
        "the convention 'cleen' is not known; there are: tf, pytorch, clean, friendly");
}
