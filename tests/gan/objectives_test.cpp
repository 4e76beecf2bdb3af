// Objectives and penalties against their formulas, written out in plain arithmetic.
#include "gan/objectives.h"

#include <cmath>

#include "core/autograd.h"
#include "gan/penalties.h"
#include "nn/linear.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Formula {
  const char* name;
  double (*d_real)(double);
  double (*d_fake)(double);
  double (*generator)(double);
};
const Formula formulas[] = {
    {"non-saturating", [](double x) { return -std::log(sigmoid(x)); },
     [](double x) { return -std::log(1 - sigmoid(x)); }, [](double x) { return -std::log(sigmoid(x)); }},
    {"minimax", [](double x) { return -std::log(sigmoid(x)); }, [](double x) { return -std::log(1 - sigmoid(x)); },
     [](double x) { return std::log(1 - sigmoid(x)); }},
    {"lsgan", [](double x) { return 0.5 * (x - 1) * (x - 1); }, [](double x) { return 0.5 * x * x; },
     [](double x) { return 0.5 * (x - 1) * (x - 1); }},
    {"hinge", [](double x) { return std::max(0.0, 1 - x); }, [](double x) { return std::max(0.0, 1 + x); },
     [](double x) { return -x; }},
    {"wasserstein", [](double x) { return -x; }, [](double x) { return x; }, [](double x) { return -x; }},
};

double mean_of(double (*f)(double), const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += f(v);
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("every objective is its formula, and every formula has its objective") {
  const std::vector<double> outputs{-3, -0.5, 0.25, 1.5, 4};
  const Tensor out = from_values({5}, outputs, DType::f64);
  REQUIRE(objectives().size() == std::size(formulas));
  for (const Formula& formula : formulas) {
    INFO(formula.name);
    const Objective& objective = find_objective(formula.name);
    CHECK(objective.d_real(out).item() == Approx(mean_of(formula.d_real, outputs)).epsilon(1e-12));
    CHECK(objective.d_fake(out).item() == Approx(mean_of(formula.d_fake, outputs)).epsilon(1e-12));
    CHECK(objective.generator(out).item() == Approx(mean_of(formula.generator, outputs)).epsilon(1e-12));
  }
}

TEST_CASE("objectives stay finite where the sigmoid has saturated") {
  const Tensor out = from_values({2}, std::vector<double>{-500, 500});
  for (const Objective& objective : objectives()) {
    INFO(objective.name);
    CHECK(std::isfinite(objective.d_real(out).item()));
    CHECK(std::isfinite(objective.d_fake(out).item()));
    CHECK(std::isfinite(objective.generator(out).item()));
  }
}

TEST_CASE("an unknown objective is answered with the known ones") {
  CHECK_THROWS_WITH(find_objective("wgan"),
                    Catch::Contains("'wgan'") && Catch::Contains("non-saturating, minimax, lsgan"));
}

TEST_CASE("the penalty's norm is over all elements of one sample") {
  // A linear critic D(x) = <w, x> has the gradient w everywhere: the norm of each sample's gradient is ||w||.
  Random random(3);
  nn::Linear critic(6, 1, random, false, DType::f64);
  copy_into(critic.weight, from_values({1, 6}, std::vector<double>{1, -2, 3, 0.5, 0, 2}, DType::f64), "test");
  const double norm = std::sqrt(1 + 4 + 9 + 0.25 + 4);
  const Tensor real = random.normal({4, 6}, 0, 1, DType::f64), fake = random.normal({4, 6}, 0, 1, DType::f64);
  const Tensor penalty = gradient_penalty([&](const Tensor& x) { return critic(x); }, real, fake,
                                          random.uniform({4}, 0, 1, DType::f64), 10);
  CHECK(penalty.item() == Approx(10 * (norm - 1) * (norm - 1)).epsilon(1e-9));
  // d penalty / d w = 20 (||w|| - 1) w / ||w||
  const auto slope = grad(penalty, critic.weight).to_vector();
  CHECK(slope[2] == Approx(20 * (norm - 1) * 3 / norm).epsilon(1e-9));
}
