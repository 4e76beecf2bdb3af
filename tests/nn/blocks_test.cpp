// Blocks against their formulas, written out; and gradients through them.
#include "nn/blocks.h"

#include <cmath>

#include "core/autograd.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using test::relative_error;

namespace {

double s(double x) { return 1 / (1 + std::exp(-x)); }

// d sum(w f(x)) / dx by central differences, beside autograd's.
template <class F>
void check_gradient(const Tensor& x, const Tensor& w, F f) {
  Tensor at = clone(x);
  at.set_requires_grad();
  const Tensor found = grad(sum(f(at) * w), at);
  const std::vector<double> values = x.to_vector();
  std::vector<double> expected;
  constexpr double h = 1e-6;
  for (size_t i = 0; i < values.size(); i++) {
    const auto moved = [&](double by) {
      std::vector<double> there = values;
      there[i] += by;
      return sum(f(from_values(x.shape(), there, DType::f64)) * w).item();
    };
    expected.push_back((moved(h) - moved(-h)) / (2 * h));
  }
  CHECK(relative_error(found, from_values(x.shape(), expected, DType::f64)) < 1e-6);
}

}  // namespace

TEST_CASE("a residual block adds what it was given, or its shortcut") {
  Random random(1);
  const Tensor x = random.normal({3, 4}, 0, 1, DType::f64);
  const auto body = std::make_shared<Linear>(4, 4, random, true, DType::f64),
             shortcut = std::make_shared<Linear>(4, 4, random, false, DType::f64);
  CHECK(relative_error(Residual(body)(x), x + (*body)(x)) < 1e-15);
  Residual both(body, shortcut);
  CHECK(relative_error(both(x), (*shortcut)(x) + (*body)(x)) < 1e-15);
  CHECK(both.parameters().size() == 3);
}

TEST_CASE("conditional batch norm scales and shifts by class, and begins as the plain norm") {
  Random random(2);
  ConditionalBatchNorm norm(3, 2, 0.1, DType::f64);
  BatchNorm plain(3, {}, 0.1, DType::f64);
  const Tensor x = random.normal({2, 2, 2, 3}, 1, 2, DType::f64);
  const Tensor c = from_values({2, 2}, std::vector<double>{1, 0, 0, 1}, DType::f64);
  CHECK(relative_error(norm(x, c), plain(x)) < 1e-14);
  copy_into(norm.gamma, from_values({2, 3}, std::vector<double>{1, 1, 1, -3, -3, -3}, DType::f64), "test");
  copy_into(norm.beta, from_values({2, 3}, std::vector<double>{0, 0, 0, 5, 5, 5}, DType::f64), "test");
  const std::vector<double> found = norm(x, c).to_vector(), expected = plain(x).to_vector();
  for (size_t i = 0; i < 12; i++) {
    CHECK(found[i] == Approx(2 * expected[i]));
    CHECK(found[12 + i] == Approx(-2 * expected[12 + i] + 5));
  }
  const Tensor one = grad(sum(square(norm(x, c))), norm.beta);  // each class learns from its samples
  CHECK(one.shape() == Shape{2, 3});
  CHECK(norm.parameters().size() >= 2);
  CHECK_THROWS_AS(norm(x, zeros({2, 3}, DType::f64)), ShapeError);
}

TEST_CASE("minibatch deviation: one number per group, as a channel") {
  const auto layer = minibatch_deviation(2);
  // Samples 0 and 2 are a group, 1 and 3 another.
  std::vector<double> values;
  for (const double level : {0.0, 1.0, 4.0, 1.0}) values.insert(values.end(), {level, 2 * level});
  const Tensor y = (*layer)(from_values({4, 1, 1, 2}, values, DType::f64));
  REQUIRE(y.shape() == Shape{4, 1, 1, 3});
  const std::vector<double> found = y.to_vector();
  CHECK(found[2] == Approx(3));  // deviations 2 and 4
  CHECK(found[8] == Approx(3));
  CHECK(found[5] == Approx(1e-4));
  CHECK(found[11] == Approx(1e-4));
  CHECK(found[0] == 0);
  CHECK(found[7] == 8);
  CHECK_THROWS_AS((*layer)(zeros({3, 1, 1, 2}, DType::f64)), ShapeError);
  Random random(3);
  check_gradient(random.normal({4, 2, 1, 2}, 0, 1, DType::f64), random.normal({4, 2, 1, 3}, 0, 1, DType::f64),
                 [&](const Tensor& x) { return (*layer)(x); });
}

TEST_CASE("a reversed gradient: the value as it was, the slope turned round, to the second order") {
  Random random(4);
  Tensor x = random.normal({5}, 0, 1, DType::f64);
  x.set_requires_grad();
  for (const double weight : {1.0, 0.3}) {
    const Tensor y = reverse_gradient(x, weight);
    CHECK(relative_error(y, x) < 1e-15);
    const Tensor first = grad(sum(y * y * y), x, {.create_graph = true});  // 3 y^2 times -weight
    CHECK(relative_error(first, -weight * 3 * square(x.detach())) < 1e-14);
    CHECK(relative_error(grad(sum(first), x), weight * weight * 6 * x.detach()) < 1e-14);
  }
}

TEST_CASE("a gated recurrent unit is its formula, step by step") {
  Random random(5);
  constexpr int64_t n = 2, steps = 3, in = 3, hidden = 2;
  Gru gru(in, hidden, random, DType::f64);
  const Tensor x = random.normal({n, steps, in}, 0, 1, DType::f64);
  const auto values = [&](size_t i) { return gru.parameters()[i].tensor.to_vector(); };
  const auto wi = values(0), bi = values(1), wh = values(2), bh = values(3), xs = x.to_vector();
  const Tensor y = gru(x);
  REQUIRE(y.shape() == Shape{n, steps, hidden});
  const auto found = y.to_vector();
  for (size_t row = 0; row < n; row++) {
    std::vector<double> h(hidden, 0.0);
    for (size_t t = 0; t < steps; t++) {
      const auto of_x = [&](size_t k) {
        double sum = bi[k];
        for (size_t j = 0; j < in; j++) sum += wi[k * in + j] * xs[(row * steps + t) * in + j];
        return sum;
      };
      const auto of_h = [&](size_t k) {
        double sum = bh[k];
        for (size_t j = 0; j < hidden; j++) sum += wh[k * hidden + j] * h[j];
        return sum;
      };
      std::vector<double> next;
      for (size_t k = 0; k < hidden; k++) {
        const double r = s(of_x(k) + of_h(k)), z = s(of_x(hidden + k) + of_h(hidden + k));
        const double candidate = std::tanh(of_x(2 * hidden + k) + r * of_h(2 * hidden + k));
        next.push_back((1 - z) * candidate + z * h[k]);
      }
      h = next;
      for (size_t k = 0; k < hidden; k++) CHECK(found[(row * steps + t) * hidden + k] == Approx(h[k]).epsilon(1e-12));
    }
  }
  check_gradient(x, random.normal({n, steps, hidden}, 0, 1, DType::f64), [&](const Tensor& at) { return gru(at); });
  CHECK_THROWS_AS(gru(zeros({2, 3}, DType::f64)), ShapeError);
}
