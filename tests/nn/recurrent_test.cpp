// The gated recurrent unit against its formula written out in loops.
#include "nn/recurrent.h"

#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

using Values = std::vector<double>;

constexpr size_t in = 3, hidden = 2;

std::shared_ptr<Gru> make_gru(uint64_t seed) {
  Random random(seed);
  return std::make_shared<Gru>(in, hidden, random, DType::f64);
}

// One sample's state after x (in), from h (hidden).
Values by_hand(const Gru& gru, const Values& x, const Values& h) {
  const NamedTensors p = gru.parameters();
  const Values a = p[0].tensor.to_vector(), a0 = p[1].tensor.to_vector(), b = p[2].tensor.to_vector(),
               b0 = p[3].tensor.to_vector();
  const auto of_input = [&](size_t row) {
    double sum = a0[row];
    for (size_t i = 0; i < in; i++) sum += a[row * in + i] * x[i];
    return sum;
  };
  const auto of_state = [&](size_t row) {
    double sum = b0[row];
    for (size_t i = 0; i < hidden; i++) sum += b[row * hidden + i] * h[i];
    return sum;
  };
  const auto s = [](double t) { return 1 / (1 + std::exp(-t)); };
  Values next;
  for (size_t i = 0; i < hidden; i++) {
    const double r = s(of_input(i) + of_state(i)), z = s(of_input(hidden + i) + of_state(hidden + i));
    const double n = std::tanh(of_input(2 * hidden + i) + r * of_state(2 * hidden + i));
    next.push_back((1 - z) * n + z * h[i]);
  }
  return next;
}

}  // namespace

TEST_CASE("gru: every state is the formula of the one before") {
  const auto gru = make_gru(1);
  const Tensor x = random_tensor({2, 4, 3}, 2);
  const Values xs = x.to_vector(), states = (*gru)(x).to_vector();
  CHECK((*gru)(x).shape() == Shape{2, 4, 2});
  for (size_t n = 0; n < 2; n++) {
    Values h(hidden, 0);
    for (size_t t = 0; t < 4; t++) {
      const auto begin = xs.begin() + static_cast<ptrdiff_t>((n * 4 + t) * in);
      h = by_hand(*gru, Values(begin, begin + in), h);
      for (size_t i = 0; i < hidden; i++) CHECK(states[(n * 4 + t) * hidden + i] == Approx(h[i]).epsilon(1e-12));
    }
  }
}

TEST_CASE("gru: the last state, and a sequence in two parts") {
  const auto gru = make_gru(3);
  const Tensor x = random_tensor({3, 5, 3}, 4), all = (*gru)(x);
  CHECK(gru->last(x).to_vector() == slice(all, 1, 4, 5).to_vector());
  const Tensor half = gru->last(slice(x, 1, 0, 2));
  CHECK(gru->forward(slice(x, 1, 2, 5), half).to_vector() == slice(all, 1, 2, 5).to_vector());
  CHECK(gru->step(reshape(slice(x, 1, 2, 3), {3, 3}), half).to_vector() == slice(all, 1, 2, 3).to_vector());
}

TEST_CASE("gru: first weights, names and errors") {
  Random random(5);
  Gru gru(7, 16, random);
  const NamedTensors p = gru.parameters();
  REQUIRE(p.size() == 4);
  CHECK(p[0].name == "input.weight");
  CHECK(p[2].tensor.shape() == Shape{48, 16});
  for (const auto& [name, tensor] : p) {  // of all of them, fans are not asked for
    INFO(name);
    double largest = 0;
    for (const double v : tensor.to_vector()) largest = std::max(largest, std::abs(v));
    CHECK(largest <= 0.25);
    CHECK(largest > 0.22);
  }
  CHECK(contains(message_of<ShapeError>([&] {
                   gru(zeros({2, 3, 6}));
                 }),
                 "[gru] expects sequences (N, T, 7), T at least 1, x is 2x3x6"));
  CHECK_THROWS_AS(gru(zeros({2, 0, 7})), ShapeError);
  CHECK_THROWS_AS(gru(zeros({2, 7})), ShapeError);
}

TEST_CASE("gru: gradients agree with differences") {
  const auto gru = make_gru(6);
  check_gradients(gru->parameters(), random_tensor({2, 3, 3}, 7), [&](const Tensor& x) { return (*gru)(x); });
  check_gradients({}, random_tensor({2, 2}, 8), [&](const Tensor& h) {
    return gru->last(random_tensor({2, 2, 3}, 9), h);
  });
}
