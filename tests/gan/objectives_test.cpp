// Objectives and penalties against their formulas, written out in plain arithmetic.
#include "gan/objectives.h"

#include <cmath>

#include "core/autograd.h"
#include "gan/divergences.h"
#include "gan/penalties.h"
#include "nn/linear.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Per output; 0 where the objective has no such term.
struct Formula {
  const char* name;
  double (*real)(double);
  double (*fake)(double);
  double (*generator)(double);
};
double zero(double) { return 0; }
double minus_log_s(double x) { return -std::log(sigmoid(x)); }
double minus_log_1_s(double x) { return -std::log(1 - sigmoid(x)); }
double raised(double x) { return -x; }
const Formula formulas[] = {
    {"non-saturating", minus_log_s, minus_log_1_s, minus_log_s},
    {"minimax", minus_log_s, minus_log_1_s, [](double x) { return std::log(1 - sigmoid(x)); }},
    {"lsgan", [](double x) { return 0.5 * (x - 1) * (x - 1); }, [](double x) { return 0.5 * x * x; },
     [](double x) { return 0.5 * (x - 1) * (x - 1); }},
    {"hinge", [](double x) { return std::max(0.0, 1 - x); }, [](double x) { return std::max(0.0, 1 + x); }, raised},
    {"wasserstein", raised, [](double x) { return x; }, raised},
    {"ra-gan", minus_log_s, minus_log_1_s, zero},
    {"ra-lsgan", [](double x) { return (x - 1) * (x - 1); }, [](double x) { return (x + 1) * (x + 1); }, zero},
    {"ra-hinge", [](double x) { return std::max(0.0, 1 - x); }, [](double x) { return std::max(0.0, 1 + x); }, zero},
    {"ebgan", raised, [](double x) { return std::max(0.0, 1 + x); }, raised},
    {"fgan-kl", raised, [](double x) { return std::exp(x - 1); }, [](double x) { return -std::exp(x - 1); }},
    {"fgan-reverse-kl", [](double x) { return std::exp(-x); }, [](double x) { return x - 1; },
     [](double x) { return 1 - x; }},
    {"fgan-pearson", raised, [](double x) { return x * x / 4 + x; }, [](double x) { return -x * x / 4 - x; }},
    {"fgan-neyman", [](double x) { return std::exp(-x) - 1; }, [](double x) { return 2 - 2 * std::exp(-x / 2); },
     [](double x) { return 2 * std::exp(-x / 2) - 2; }},
    {"fgan-hellinger", [](double x) { return std::exp(-x) - 1; }, [](double x) { return std::exp(x) - 1; },
     [](double x) { return 1 - std::exp(x); }},
    {"fgan-js", [](double x) { return -std::log(2 * sigmoid(x)); },
     [](double x) { return -std::log(2 - 2 * sigmoid(x)); }, [](double x) { return std::log(2 - 2 * sigmoid(x)); }},
    {"fgan-gan", minus_log_s, minus_log_1_s, [](double x) { return std::log(1 - sigmoid(x)); }},
};

void check_each(const Objective::Term& term, double (*formula)(double), const std::vector<double>& outputs) {
  const Tensor out = from_values({std::ssize(outputs)}, outputs, DType::f64);
  const std::vector<double> got = term(out).to_vector();
  double sum = 0;
  for (size_t i = 0; i < outputs.size(); i++) {
    CHECK(got[i] == Approx(formula(outputs[i])).epsilon(1e-12).margin(1e-12));
    sum += formula(outputs[i]);
  }
  CHECK(term.mean(out).item() == Approx(sum / static_cast<double>(outputs.size())).epsilon(1e-12).margin(1e-12));
}

}  // namespace

TEST_CASE("every objective is its formula, and every formula has its objective") {
  const std::vector<double> outputs{-3, -0.5, 0.25, 1.5, 4};
  REQUIRE(objectives().size() == std::size(formulas));
  for (const Formula& formula : formulas) {
    INFO(formula.name);
    const Objective& objective = find_objective(formula.name);
    check_each(objective.real, formula.real, outputs);
    check_each(objective.fake, formula.fake, outputs);
    CHECK(objective.relative == !objective.generator);
    if (!objective.relative) check_each(objective.generator, formula.generator, outputs);
  }
}

TEST_CASE("at the output where D does not know, it is as wrong about real as about fake samples") {
  for (const Objective& objective : objectives()) {
    if (!objective.undecided) continue;
    INFO(objective.name);
    const Tensor there = full({}, *objective.undecided, DType::f64);
    CHECK(objective.real(there).item() == Approx(objective.fake(there).item()).epsilon(1e-12));
  }
}

TEST_CASE("objectives stay finite where the sigmoid has saturated") {
  for (const Objective& objective : objectives()) {
    INFO(objective.name);
    // The exponentials of divergences that are unbounded are so, too.
    const double far = objective.name.starts_with("fgan-") ? 80 : 500;
    const Tensor out = from_values({2}, std::vector<double>{-far, far});
    for (const Objective::Term* term : {&objective.real, &objective.fake, &objective.generator})
      if (*term) CHECK(std::isfinite(sum((*term)(out)).item()));
  }
}

TEST_CASE("divergences: f* is the conjugate of f, found by search") {
  for (const Divergence& d : divergences()) {
    for (const double t : {-1.5, -0.7, -0.2, 0.3, 0.6, 1.4}) {
      if (t >= d.upper) continue;
      INFO(d.name << " at " << t);
      // ut - f(u) is concave: its top by golden section on log u.
      double low = -20, high = 20;
      constexpr double golden = 0.6180339887498949;
      const auto value = [&](double log_u) { return std::exp(log_u) * t - d.f(std::exp(log_u)); };
      for (int i = 0; i < 200; i++) {
        const double a = high - golden * (high - low), b = low + golden * (high - low);
        value(a) > value(b) ? high = b : low = a;
      }
      CHECK(d.conjugate(t) == Approx(value((low + high) / 2)).margin(1e-6));
      CHECK(d.slope(std::exp((low + high) / 2)) == Approx(t).margin(1e-5));
    }
  }
}

TEST_CASE("divergences: the activation keeps to the domain of f* and rises, and f* of it is f* of it") {
  const std::vector<double> outputs{-6, -2, -0.3, 0, 0.7, 1.9, 5};
  const Tensor v = from_values({7}, outputs, DType::f64);
  for (const Divergence& d : divergences()) {
    INFO(d.name);
    const std::vector<double> t = d.activation(v).to_vector(), conjugate = d.conjugate_of_activation(v).to_vector();
    for (size_t i = 0; i < t.size(); i++) {
      CHECK(t[i] < d.upper);
      if (i > 0) CHECK(t[i] > t[i - 1]);
      CHECK(conjugate[i] == Approx(d.conjugate(t[i])).epsilon(1e-9).margin(1e-12));
    }
    if (d.name != "gan") CHECK(d.f(1) == Approx(0).margin(1e-12));
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

namespace {

// D(x) = w . x^2 / 2 in two dimensions: its gradient at x is w * x.
const std::vector<double> weights{2, -1};
Tensor bowl(const Tensor& x, const Tensor& w) { return sum(0.5 * square(x) * w, {1}); }

struct PenaltyFormula {
  const char* name;
  Penalty::At at;
  double (*of_norm)(double);
};
const PenaltyFormula penalty_formulas[] = {
    {"gp", Penalty::At::between, [](double n) { return (n - 1) * (n - 1); }},
    {"lp", Penalty::At::between, [](double n) { return n > 1 ? (n - 1) * (n - 1) : 0; }},
    {"lp-linear", Penalty::At::between, [](double n) { return n > 1 ? n - 1 : 0; }},
    {"dragan", Penalty::At::near_real, [](double n) { return (n - 1) * (n - 1); }},
    {"r1", Penalty::At::real, [](double n) { return n * n / 2; }},
    {"r2", Penalty::At::fake, [](double n) { return n * n / 2; }},
};

}  // namespace

TEST_CASE("every penalty of gradients is its formula at its points, and its gradient that of its differences") {
  size_t of_gradients = 0;
  for (const Penalty& penalty : penalties()) of_gradients += penalty.of_gradients();
  REQUIRE(of_gradients == std::size(penalty_formulas));
  Random random(5);
  const Tensor real = random.normal({6, 2}, 0, 1, DType::f64), fake = random.normal({6, 2}, 1, 2, DType::f64);
  for (const PenaltyFormula& formula : penalty_formulas) {
    INFO(formula.name);
    const Penalty& penalty = find_penalty(formula.name);
    REQUIRE(penalty.at == formula.at);
    const Shape shape = noise_of(penalty.at, real.shape());
    const Tensor u = shape.rank() > 0 ? random.uniform(shape, 0, 1, DType::f64) : Tensor();
    const Tensor x = points(penalty.at, real, fake, u);
    Tensor w = from_values({2}, weights, DType::f64);
    w.set_requires_grad();
    const Tensor term = slope_term(
        penalty, [&](const Tensor& at) { return bowl(at, w); }, x);
    double mean = 0;
    const std::vector<double> at = x.to_vector();
    for (size_t i = 0; i < 6; i++)
      mean += formula.of_norm(std::hypot(weights[0] * at[2 * i], weights[1] * at[2 * i + 1])) / 6;
    CHECK(term.item() == Approx(mean).epsilon(1e-9));

    const std::vector<double> slopes = grad(term, w).to_vector();
    for (size_t k = 0; k < 2; k++) {
      const auto shifted = [&](double by) {
        std::vector<double> moved = weights;
        moved[k] += by;
        const Tensor there = from_values({2}, moved, DType::f64);
        return slope_term(
                   penalty, [&](const Tensor& p) { return bowl(p, there); }, x)
            .item();
      };
      CHECK(slopes[k] == Approx((shifted(1e-6) - shifted(-1e-6)) / 2e-6).epsilon(1e-6));
    }
  }
}

TEST_CASE("penalties: where the slope is looked at") {
  Random random(6);
  const Tensor real = random.normal({5, 4, 4, 1}, 0, 2, DType::f64),
               fake = random.normal({5, 4, 4, 1}, 3, 1, DType::f64);
  const auto at = [&](Penalty::At where, double u) {
    const Shape shape = noise_of(where, real.shape());
    return points(where, real, fake, shape.rank() > 0 ? full(shape, u, DType::f64) : Tensor()).to_vector();
  };
  CHECK(noise_of(Penalty::At::between, real.shape()) == Shape{5, 1, 1, 1});
  CHECK(at(Penalty::At::between, 0) == fake.to_vector());
  CHECK(max(abs(points(Penalty::At::between, real, fake, full({5, 1, 1, 1}, 1, DType::f64)) - real)).item() < 1e-12);
  CHECK(at(Penalty::At::real, 0) == real.to_vector());
  CHECK(at(Penalty::At::fake, 0) == fake.to_vector());
  const double std = std::sqrt(variance(real).item());
  CHECK(at(Penalty::At::near_real, 1)[7] == Approx(real.to_vector()[7] + 0.5 * std).epsilon(1e-12));
}
