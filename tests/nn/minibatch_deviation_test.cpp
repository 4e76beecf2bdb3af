// Minibatch standard deviation: of the groups that the paper's code deals, by loops.
#include "nn/minibatch_deviation.h"

#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

TEST_CASE("minibatch deviation adds a channel that says how much each group differs") {
  struct Case {
    int64_t n, group;
    size_t members;
  };
  for (const auto& [n, group, members] : {Case{6, 3, 3}, {8, 4, 4}, {6, 4, 3}, {3, 4, 3}, {7, 4, 1}}) {
    INFO(n << " in groups of " << group);
    const Tensor x = random_tensor({n, 2, 3, 2}, 1), y = minibatch_deviation(group)->forward(x);
    REQUIRE(y.shape() == Shape{n, 2, 3, 3});
    CHECK(slice(y, 3, 0, 2).to_vector() == x.to_vector());
    const std::vector<double> xs = x.to_vector(), added = slice(y, 3, 2, 3).to_vector();
    const size_t groups = static_cast<size_t>(n) / members;
    for (size_t g = 0; g < groups; g++) {
      double expected = 0;
      for (size_t v = 0; v < 12; v++) {
        double mean = 0, variance = 0;
        for (size_t i = g; i < static_cast<size_t>(n); i += groups)
          mean += xs[i * 12 + v] / static_cast<double>(members);
        for (size_t i = g; i < static_cast<size_t>(n); i += groups)
          variance += std::pow(xs[i * 12 + v] - mean, 2) / static_cast<double>(members);
        expected += std::sqrt(variance + 1e-8) / 12;
      }
      for (size_t i = g; i < static_cast<size_t>(n); i += groups)
        for (size_t place = 0; place < 6; place++) CHECK(added[i * 6 + place] == Approx(expected).epsilon(1e-12));
    }
  }
}

TEST_CASE("minibatch deviation takes vectors, and says what it does not take") {
  const Tensor x = random_tensor({4, 3}, 2);
  CHECK(minibatch_deviation()->forward(x).shape() == Shape{4, 4});
  CHECK(minibatch_deviation()->state().empty());
  CHECK(contains(message_of<UsageError>([] { minibatch_deviation(0); }), "at least one sample, not 0"));
  CHECK_THROWS_AS(minibatch_deviation()->forward(random_tensor({4}, 3)), ShapeError);
}

TEST_CASE("minibatch deviation: gradients agree with differences") {
  check_gradients({}, random_tensor({4, 1, 2, 2}, 4),
                  [](const Tensor& x) { return minibatch_deviation(2)->forward(x); });
}
