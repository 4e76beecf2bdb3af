// Flows: what is undone is undone, volumes are what differences say, a density integrates to 1.
#include "gan/networks/flow.h"

#include <cmath>

#include "core/autograd.h"
#include "gan/data.h"
#include "gan/image.h"
#include "nn/init.h"
#include "tests/catch.h"
#include "tests/nn/support.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

struct FlowCase {
  std::string name;
  std::shared_ptr<Bijection> flow;
  Tensor x;  // (N, ...), float64
};

// Flows whose weights, and statistics of what they saw, are anything but those at first.
std::vector<FlowCase> cases(DType dtype = DType::f64) {
  Random random(3);
  std::vector<FlowCase> all{
      {"points", point_flow(2, 8, 5, random), random.normal({4, 2})},
      {"five dimensions", point_flow(5, 8, 4, random), random.normal({4, 5})},
      {"one scale", image_flow({4, 4, 1}, 5, 4, 0, 0.05, random), random.uniform({3, 4, 4, 1})},
      {"two scales", image_flow({4, 2, 3}, 5, 4, 1, 0.05, random), random.uniform({3, 4, 2, 3})},
      {"three scales", image_flow({8, 8, 1}, 4, 2, 2, 1e-6, random), random.uniform({2, 8, 8, 1}, 0.1, 0.9)}};
  for (FlowCase& each : all) {
    for (const nn::Named& p : each.flow->parameters()) nn::init_normal(p.tensor, 0, 0.5, random);
    for (const nn::Named& b : each.flow->buffers()) {
      if (b.name.ends_with("running_mean")) nn::init_normal(b.tensor, 0, 1, random);
      if (b.name.ends_with("running_var")) nn::init_uniform(b.tensor, 0.3, 2, random);
    }
    each.flow->eval();
    each.flow->to(dtype);
    each.x = cast(each.x, dtype);
  }
  return all;
}

// log |det m| of n x n numbers, by elimination.
double log_determinant(std::vector<double> m, size_t n) {
  double log_det = 0;
  for (size_t k = 0; k < n; k++) {
    size_t pivot = k;
    for (size_t i = k; i < n; i++)
      if (std::abs(m[i * n + k]) > std::abs(m[pivot * n + k])) pivot = i;
    for (size_t j = 0; j < n; j++) std::swap(m[k * n + j], m[pivot * n + j]);
    log_det += std::log(std::abs(m[k * n + k]));
    for (size_t i = k + 1; i < n; i++)
      for (size_t j = n; j-- > k;) m[i * n + j] -= m[i * n + k] / m[k * n + k] * m[k * n + j];
  }
  return log_det;
}

// dy/dx of one sample by central differences: row j has what x_j does to each y.
std::vector<double> jacobian(Bijection& flow, const Tensor& x) {
  std::vector<double> rows;
  for (int64_t j = 0; j < x.numel(); j++) {
    const auto at = [&](double offset) {
      const Tensor moved = clone(x);
      moved.data<double>()[j] += offset;
      return flow.forward(moved).y.to_vector();
    };
    constexpr double h = 1e-6;  // small enough that hardly a ReLU bends within it
    const auto a = at(-2 * h), b = at(-h), c = at(h), d = at(2 * h);
    for (size_t i = 0; i < a.size(); i++) rows.push_back((a[i] - 8 * b[i] + 8 * c[i] - d[i]) / (12 * h));
  }
  return rows;
}

}  // namespace

TEST_CASE("flow: what it maps to is mapped back") {
  for (const auto& [dtype, bound] : {std::pair{DType::f32, 1e-4}, {DType::f64, 1e-10}})
    for (const FlowCase& each : cases(dtype)) {
      INFO(each.name << " in " << name_of(dtype));
      const NoGrad no_grad;
      const Tensor y = each.flow->forward(each.x).y;
      CHECK(y.shape() == Shape{each.x.size(0), each.x.numel() / each.x.size(0)});
      CHECK(largest_difference(each.flow->inverse(y), each.x) < bound);
      CHECK(largest_difference(flatten(each.x), y) > 0.1);
    }
}

TEST_CASE("flow: it stretches volume as far as differences say") {
  for (const FlowCase& each : cases()) {
    INFO(each.name);
    const NoGrad no_grad;
    const std::vector<double> log_det = each.flow->forward(each.x).log_det.to_vector();
    for (int64_t i = 0; i < each.x.size(0); i++) {
      const Tensor sample = slice(each.x, 0, i, i + 1);
      const auto n = static_cast<size_t>(sample.numel());
      CHECK(std::abs(log_det[static_cast<size_t>(i)] - log_determinant(jacobian(*each.flow, sample), n)) < 1e-6);
    }
  }
}

TEST_CASE("flow: while it trains, a norm divides by what the batch spreads") {
  Random random(1);
  FlowNorm norm(2);
  const Tensor x = affine(random.normal({500, 2}), 3, 1);
  const auto [y, log_det] = norm.forward(x);
  for (const double v : variance(y, {0}).to_vector()) CHECK(v == Approx(1).epsilon(1e-4));
  const std::vector<double> spread = variance(x, {0}).to_vector();
  CHECK(log_det.shape() == Shape{500});
  CHECK(log_det.to_vector().back() == Approx(-0.5 * std::log(spread[0] * spread[1])).epsilon(1e-4));
}

TEST_CASE("flow: an image has levels, and sides that can be halved") {
  const auto sized = [](const Shape& sample) {
    const RecipeCase row{"flow", "flow", {{.name = "image", .sample = sample}}, ""};
    return message_of<UsageError>([&] { make(row, settings_of(row)); });
  };
  CHECK(sized({28, 28, 1}) == "(nothing was thrown)");
  CHECK(sized({12, 20, 3}) == "(nothing was thrown)");
  CHECK(sized({30, 28, 1}) ==
        "a flow of --scales 2 halves the sides of images as often: they must be multiples of 4, this data set has "
        "samples of 30x28x1; give another --size");

  // At first it is a logit and little else, and samples are pixels.
  const RecipeCase row{"flow", "flow", {{.name = "image", .sample = {16, 16, 1}}}, ""};
  const auto recipe = make(row, settings_of(row));
  Random random(1);
  const View sample = sampling_view(*recipe);
  const Tensor made = recipe->make(sample, sample.draw(20, random))["image"];
  CHECK(max(abs(made)).item() <= 1);
  // What no level is likelier than another of costs 8 bits, and by the logit's density of N(0, 1) a little more.
  const Tensor levels = random.uniform({200, 16, 16, 1}, -1, 1);
  const Scalars bits = look_at(recipe->measure(Batch().add("image", levels)));
  CHECK(bits[0].name == "bits_per_dim");
  CHECK(bits[0].value > 8);
  CHECK(bits[0].value < 9);
  CHECK(bits[1].value == Approx(8 + 0.5 * std::log2(2 * 3.14159265 * 2.71828183 / 12)).margin(0.02));
}

TEST_CASE("flow: a density of moons integrates to 1 after a short training, and is above a Gaussian's") {
  const DataSetPtr moons = open_data("moons");
  RecipeCase row{"flow", "flow", moons->columns(), "moons", {{"width", "32"}, {"batch", "256"}}};
  const auto recipe = make(row, settings_of(row));
  Loader loader(moons, 256, 0);
  for (int i = 0; i < 300; i++) recipe->step([&] { return loader.next(); });

  constexpr int64_t n = 600;
  constexpr double extent = 3, cell = 2 * extent / n;
  double mass = 0;
  make_in_parts(*recipe, view_of(*recipe, "density"), Batch().add("point", cell_centres(n, extent)),
                [&](const Batch&, const Batch& made) { mass += sum(made["density"]).item() * cell * cell; });
  CHECK(mass == Approx(1).epsilon(0.01));
  const Scalars held_out =
      look_at(recipe->measure(read_rows(*open_data("moons", {}, Subset::test), 0, 2000, {"point"})));
  CHECK(held_out[0].name == "nats");
  CHECK(held_out[0].value < held_out[1].value - 0.7);
  CHECK(held_out[0].value > 0.2895);  // their entropy, by a sum over the curve
}
