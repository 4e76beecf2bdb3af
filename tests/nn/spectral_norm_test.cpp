// Spectral norm: sigma against a singular value computed here by other means, the gradient through sigma, buffers by
// mode.
#include <numeric>

#include "core/autograd.h"
#include "nn/layers.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

using Values = std::vector<double>;

// The largest singular value of m (rows, columns): Jacobi rotations bring m^T m to diagonal form.
double largest_singular_value(const Values& m, size_t rows, size_t columns) {
  std::vector<Values> a(columns, Values(columns, 0));
  for (size_t i = 0; i < columns; i++)
    for (size_t j = 0; j < columns; j++)
      for (size_t r = 0; r < rows; r++) a[i][j] += m[r * columns + i] * m[r * columns + j];
  for (int sweep = 0; sweep < 30; sweep++)
    for (size_t p = 0; p < columns; p++)
      for (size_t q = p + 1; q < columns; q++) {
        const double angle = 0.5 * std::atan2(2 * a[p][q], a[q][q] - a[p][p]);
        const double c = std::cos(angle), s = std::sin(angle);
        for (size_t k = 0; k < columns; k++) {
          const double x = a[k][p], y = a[k][q];
          a[k][p] = c * x - s * y;
          a[k][q] = s * x + c * y;
        }
        for (size_t k = 0; k < columns; k++) {
          const double x = a[p][k], y = a[q][k];
          a[p][k] = c * x - s * y;
          a[q][k] = s * x + c * y;
        }
      }
  double largest = 0;
  for (size_t i = 0; i < columns; i++) largest = std::max(largest, a[i][i]);
  return std::sqrt(largest);
}

struct Case {
  std::string name;
  std::shared_ptr<WeightedLayer> layer;
  Shape x;
  size_t out;
};

std::vector<Case> cases() {
  Random random(3);
  return {
      {"linear", std::make_shared<Linear>(7, 4, random, true, DType::f64), {3, 7}, 4},
      {"conv2d", std::make_shared<Conv2d>(2, 5, 3, Conv2dOptions{2, 1, 0}, random, true, DType::f64), {2, 4, 4, 2}, 5},
      {"conv_transpose2d",
       std::make_shared<ConvTranspose2d>(3, 2, 4, Conv2dOptions{2, 1, 0}, random, true, DType::f64),
       {2, 3, 3, 3},
       2}};
}

// The weight as a matrix (out, rest).
Values matrix_of(const Case& c) {
  const Values w = c.layer->weight.to_vector();
  const size_t rest = w.size() / c.out;
  if (c.layer->out_axis() == 0) return w;
  Values m(w.size());
  for (size_t r = 0; r < rest; r++)
    for (size_t o = 0; o < c.out; o++) m[o * rest + r] = w[r * c.out + o];
  return m;
}

Tensor find(const NamedTensors& list, const std::string& name) {
  for (const auto& named : list)
    if (named.name == name) return named.tensor;
  throw Error("no tensor " + name);
}

// u^T W v from the buffers, in loops.
double expected_sigma(const Case& c, const Module& norm) {
  const Values m = matrix_of(c), u = find(norm.buffers(), "u").to_vector(), v = find(norm.buffers(), "v").to_vector();
  double sigma = 0;
  for (size_t o = 0; o < u.size(); o++)
    for (size_t r = 0; r < v.size(); r++) sigma += u[o] * m[o * v.size() + r] * v[r];
  return sigma;
}

double length(const Tensor& t) {
  double total = 0;
  for (const double x : t.to_vector()) total += x * x;
  return std::sqrt(total);
}

}  // namespace

TEST_CASE("spectral norm shows the layer's raw weight as its parameter, u and v as buffers") {
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    const SpectralNorm norm(c.layer, random);
    const NamedTensors parameters = norm.parameters();
    REQUIRE(parameters.size() == 2);
    CHECK(parameters[0].name == "layer.weight");
    CHECK(parameters[0].tensor.storage() == c.layer->weight.storage());
    CHECK(parameters[1].name == "layer.bias");
    CHECK(find(norm.buffers(), "u").numel() == static_cast<int64_t>(c.out));
    CHECK(find(norm.buffers(), "v").numel() == c.layer->weight.numel() / static_cast<int64_t>(c.out));
    CHECK(length(find(norm.buffers(), "u")) == Approx(1));
    CHECK(length(find(norm.buffers(), "v")) == Approx(1));
  }
}

TEST_CASE("power iterations converge to the largest singular value") {
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    SpectralNorm norm(c.layer, random);
    const double exact =
        largest_singular_value(matrix_of(c), c.out, static_cast<size_t>(c.layer->weight.numel()) / c.out);
    const Tensor x = random_tensor(c.x, 4);
    norm(x);
    CHECK(norm.sigma().item() == Approx(exact).epsilon(0.05));  // the constructor's iterations
    for (int i = 0; i < 400; i++) norm(x);
    CHECK(norm.sigma().item() == Approx(exact).epsilon(1e-9));
    CHECK(norm.sigma().item() == Approx(expected_sigma(c, norm)).epsilon(1e-12));
  }
}

TEST_CASE("the layer computes with the divided weight, bias undivided") {
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    SpectralNorm norm(c.layer, random);
    const Tensor x = random_tensor(c.x, 4);
    const Values raw = c.layer->weight.to_vector();
    const Tensor y = norm(x);
    CHECK(c.layer->weight.to_vector() == raw);
    const double sigma = expected_sigma(c, norm);
    const Tensor bias = c.layer->bias;
    const Tensor expected = (c.layer->forward(x) - bias) / sigma + bias;
    CHECK(largest_difference(y, expected) < 1e-12);
  }
}

TEST_CASE("each training forward makes the asked number of iterations") {
  for (const int iterations : {1, 3}) {
    Random random(1);
    const Case c = cases()[0];
    SpectralNorm norm(c.layer, random, iterations);
    const Values m = matrix_of(c);
    Values u = find(norm.buffers(), "u").to_vector(), v(7);
    const auto scale_to_one = [](Values& x) {
      double total = 0;
      for (const double e : x) total += e * e;
      for (double& e : x) e /= std::sqrt(total);
    };
    for (int i = 0; i < iterations; i++) {
      for (size_t r = 0; r < 7; r++) {
        v[r] = 0;
        for (size_t o = 0; o < 4; o++) v[r] += m[o * 7 + r] * u[o];
      }
      scale_to_one(v);
      for (size_t o = 0; o < 4; o++) {
        u[o] = 0;
        for (size_t r = 0; r < 7; r++) u[o] += m[o * 7 + r] * v[r];
      }
      scale_to_one(u);
    }
    norm(random_tensor(c.x, 4));
    CHECK(largest_difference(find(norm.buffers(), "u").to_vector(), u) < 1e-13);
    CHECK(largest_difference(find(norm.buffers(), "v").to_vector(), v) < 1e-13);
  }
}

TEST_CASE("evaluation leaves u and v as they are and gives the same answer twice") {
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    SpectralNorm norm(c.layer, random);
    const Tensor x = random_tensor(c.x, 4);
    const NamedTensors fresh = copy_of(norm.buffers());
    norm(x);
    CHECK_FALSE(identical(norm.buffers(), fresh));
    norm.eval();
    const NamedTensors before = copy_of(norm.state());
    const Values y = norm(x).to_vector();
    CHECK(norm(x).to_vector() == y);
    CHECK(identical(norm.state(), before));
    CHECK(norm.sigma().item() == Approx(expected_sigma(c, norm)).epsilon(1e-12));
  }
}

TEST_CASE("gradients flow through sigma, to second order, with u and v constant") {
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    SpectralNorm norm(c.layer, random);
    norm.eval();  // u and v stay: sigma is a plain function of W
    Tensor x = random_tensor(c.x, 4);
    x.set_requires_grad();
    const auto loss = [&] { return sum(square(forger::tanh(norm(x)))); };
    const auto penalty = [&] { return sum(square(grad(loss(), x, {true}))); };
    const auto compare = [&](const std::function<Tensor()>& f) {
      const Values got = grad(f(), c.layer->weight).to_vector();
      const Values expected = numeric_gradient([&] { return f().item(); }, c.layer->weight);
      CHECK(largest_difference(got, expected) < 1e-7);
      CHECK(largest_difference(got, Values(got.size(), 0)) > 1e-3);  // there is something to compare
    };
    compare(loss);
    compare(penalty);
  }
}

TEST_CASE("a weight's length has no say: the gradient along W is zero") {
  // The loss depends on W / sigma(W) only, which does not change when W grows.
  Random random(1);
  for (const Case& c : cases()) {
    INFO(c.name);
    SpectralNorm norm(c.layer, random);
    const Tensor loss = sum(square(norm(random_tensor(c.x, 4))));
    const Values g = grad(loss, c.layer->weight).to_vector(), w = c.layer->weight.to_vector();
    CHECK(std::abs(std::inner_product(g.begin(), g.end(), w.begin(), 0.0)) < 1e-10);
  }
}

TEST_CASE("two forwards before one backward, as with real and fake images") {
  Random random(1);
  const Case c = cases()[0];
  SpectralNorm norm(c.layer, random);
  const Tensor a = norm(random_tensor(c.x, 4)), b = norm(random_tensor(c.x, 5));
  backward(sum(a) + sum(square(b)));
  CHECK(c.layer->weight.grad().defined());
}

TEST_CASE("the same seed and steps give the same vectors, and they travel with the state") {
  const auto run = [](int forwards) {
    Random random(9);
    auto norm = std::make_shared<SpectralNorm>(cases()[1].layer, random);
    for (int i = 0; i < forwards; i++) norm->forward(random_tensor({2, 4, 4, 2}, 4));
    return norm;
  };
  const auto a = run(3), b = run(1), again = run(3);
  CHECK(identical(a->state(), again->state()));
  CHECK_FALSE(identical(a->state(), b->state()));
  load_state(b->state(), a->state());
  CHECK(identical(a->state(), b->state()));
  const Tensor x = random_tensor({2, 4, 4, 2}, 5);
  CHECK(a->forward(x).to_vector() == b->forward(x).to_vector());
}
