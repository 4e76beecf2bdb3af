// Ops at the ends of float32: zeros of both signs, denormal numbers, where exponentials overflow, infinities and NaN.
// What each has to give is its formula in double, written so that nothing cancels there.
#include <cmath>
#include <limits>

#include "core/autograd.h"
#include "core/ops.h"
#include "tests/catch.h"
#include "tests/kernels/on_device.h"
#include "tests/worst.h"

namespace forger::test {
namespace {

using Values = std::vector<double>;

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inputs[] = {0.0,  -0.0,  1e-40, -1e-40, 1e-6, -1e-6, 10,   -10,   15,       -15,       88, -88,
                             89.5, -89.5, 104,   -104,   1e4,  -1e4,  3e38, -3e38, infinity, -infinity, nan};

// Equal to the rounding of float32, or both NaN. Denormal numbers may count as 0.
bool same(double got, double wanted, double absolute) {
  if (std::isnan(wanted)) return std::isnan(got);
  const auto largest = static_cast<double>(std::numeric_limits<float>::max());
  if (std::abs(wanted) > largest) return got == std::copysign(infinity, wanted);
  return std::abs(got - wanted) <=
         2e-6 * std::abs(wanted) + absolute + static_cast<double>(std::numeric_limits<float>::min());
}

// A card, too, where there is one.
std::vector<Device> devices() {
  std::vector<Device> list{Device::cpu, Device::simt};
  if (kernels::unavailable(Device::cuda).empty()) list.push_back(Device::cuda);
  return list;
}

struct Row {
  const char* name;
  std::function<Tensor(const Tensor&)> op;  // of one number, in the shape (1, 1)
  double (*value)(double);
  double (*slope)(double);  // null: not looked at
  double absolute = 0;      // error that is allowed beside the rounding
};

constexpr double one_rounding = 1.2e-7;  // of a number about 1, which is then subtracted from 1

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double softplus_of(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
Tensor constant(const Tensor& x, double value) { return full_like(x, value); }
Tensor beside_zero(const Tensor& x) { return concat(std::vector<Tensor>{x, constant(x, 0)}, 1); }

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"exp", &exp, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {"tanh", &tanh, [](double x) { return std::tanh(x); },
       [](double x) { return std::abs(x) > 300 ? 0 : 1 / (std::cosh(x) * std::cosh(x)); }, one_rounding},
      {"sigmoid", &sigmoid, sigmoid_of, nullptr},
      {"softplus", &softplus, softplus_of, sigmoid_of},
      {"relu", &relu, [](double x) { return x > 0 || std::isnan(x) ? x : 0; }, nullptr},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.5); }, [](double x) { return x > 0 ? x : x / 2; },
       nullptr},
      {"elu", [](const Tensor& x) { return elu(x); }, [](double x) { return x > 0 ? x : std::expm1(x); }, nullptr},
      {"abs", &abs, [](double x) { return std::abs(x); }, nullptr},
      {"bce_with_logits, target 0", [](const Tensor& x) { return bce_with_logits(x, constant(x, 0)); },
       [](double x) { return x == -infinity ? nan : softplus_of(x); }, sigmoid_of},
      {"bce_with_logits, target 1", [](const Tensor& x) { return bce_with_logits(x, constant(x, 1)); },
       [](double x) { return x == infinity ? nan : softplus_of(-x); }, [](double x) { return -sigmoid_of(-x); }},
      {"bce_with_logits, target 0.9", [](const Tensor& x) { return bce_with_logits(x, constant(x, 0.9)); },
       [](double x) { return std::isinf(x) ? infinity : 0.9 * softplus_of(-x) + 0.1 * softplus_of(x); }, nullptr},
      {"logsumexp of x and 0", [](const Tensor& x) { return logsumexp(beside_zero(x)); }, softplus_of,
       [](double x) { return x == infinity ? nan : sigmoid_of(x); }, one_rounding},
      {"logsumexp of x alone", &logsumexp, [](double x) { return x; },
       [](double x) { return std::isinf(x) ? nan
                             : x == x      ? 1.0
                                           : nan; }},
      {"log_softmax of x and 0", [](const Tensor& x) { return slice(log_softmax(beside_zero(x)), 1, 0, 1); },
       [](double x) { return x == infinity ? nan : -softplus_of(-x); }, nullptr, one_rounding},
      {"softmax of x and 0", [](const Tensor& x) { return slice(softmax(beside_zero(x)), 1, 0, 1); },
       [](double x) { return x == infinity ? nan : sigmoid_of(x); }, nullptr},
      {"norm", [](const Tensor& x) { return norm(x, {1}); },
       [](double x) {
         return std::abs(x) > 1e-18 && std::abs(x) < 1e19 ? std::abs(x) : std::abs(x) > 1 ? infinity : 0 * x;
       },
       nullptr},
      {"norm_penalty", [](const Tensor& x) { return norm_penalty(x, 1, 0); },
       [](double x) { return (std::abs(x) - 1) * (std::abs(x) - 1); }, nullptr},
      {"l1_loss", [](const Tensor& x) { return l1_loss(x, constant(x, 0)); }, [](double x) { return std::abs(x); },
       nullptr},
      {"division by 1e-40", [](const Tensor& x) { return x / 1e-40; }, [](double x) { return x / 1e-40; }, nullptr},
      {"pow 0", [](const Tensor& x) { return pow(x, 0); }, [](double) { return 1.0; }, [](double) { return 0.0; }},
  };
  return table;
}

}  // namespace

TEST_CASE("values and gradients at the ends of float32") {
  for (const Device device : devices()) {
    for (const Row& row : rows()) {
      for (const double input : inputs) {
        const auto at = static_cast<double>(static_cast<float>(input));
        const Tensor x = to(full({1, 1}, input), device).set_requires_grad();
        const Tensor y = row.op(x);
        CAPTURE(name_of(device), row.name, input, y.item(), row.value(at));
        CHECK(same(y.item(), row.value(at), row.absolute));
        if (!row.slope) continue;
        const double slope = grad(sum(y), x).item();
        CAPTURE(slope, row.slope(at));
        CHECK(same(slope, row.slope(at), row.absolute));
      }
    }
  }
}

TEST_CASE("a loss keeps its digits where it is small") {
  for (const Device device : devices()) {
    const auto loss = [&](double logit, double target) {
      return bce_with_logits(to(full({1}, logit), device), to(full({1}, target), device)).item();
    };
    CHECK(loss(15, 1) == Approx(3.0590232e-7).epsilon(1e-5));
    CHECK(loss(10, 1) == Approx(4.5398900e-5).epsilon(1e-5));
    CHECK(loss(-80, 0) == Approx(1.8048514e-35).epsilon(1e-5));
    CHECK(loss(infinity, 0) == infinity);
    CHECK(logsumexp(to(full({1, 3}, -infinity), device)).item() == -infinity);
    CHECK(logsumexp(to(from_values({1, 3}, Values{1, infinity, -infinity}, DType::f32), device)).item() == infinity);
  }
}

TEST_CASE("where a norm is 0 its gradient is 0, to the second order") {
  for (const Device device : devices()) {
    for (const bool fused : {true, false}) {
      const bool before = fused_enabled();
      set_fused(fused);
      const Tensor x = to(from_values({2, 2}, Values{0, 0, 3, 4}, DType::f64), device).set_requires_grad();
      const Tensor of_norm = grad(sum(norm(x, {1})), x, {.create_graph = true});
      const Tensor of_penalty = grad(norm_penalty(x, 1, 0), x, {.create_graph = true});
      CHECK(largest_difference(of_norm.to_vector(), {0, 0, 0.6, 0.8}) < 1e-15);
      CHECK(of_penalty.to_vector()[0] == 0);
      CHECK(of_penalty.to_vector()[3] == Approx(3.2));  // 2 (5 - 1)/(2 * 5) * 4
      for (const Tensor& first : {of_norm, of_penalty}) {
        const auto second = grad(sum(square(first)), x).to_vector();
        CHECK(second[0] == 0);
        CHECK(second[1] == 0);
        CHECK(std::isfinite(second[2]));
      }
      CHECK(grad(norm_penalty(x, 1, 0), x).to_vector()[1] == 0);
      set_fused(before);
    }
  }
}

TEST_CASE("statistics of equal values are those values, however large") {
  for (const Device device : devices()) {
    for (const double value : {12345.678, 3.7, -1e30, 1e-30}) {
      CAPTURE(name_of(device), value);
      const Tensor x = to(full({3, 8, 70}, value), device), one = to(ones({70}), device),
                   none = to(zeros({70}), device);
      const auto zero = [](const Tensor& y) { return sum(abs(y)).item() == 0; };
      CHECK(zero(layer_norm(reshape(x, {24, 70}), one, none, 1e-12)));
      CHECK(zero(batch_norm(x, one, none, {.eps = 1e-12})));
      CHECK(zero(instance_norm(reshape(x, {3, 4, 2, 70}), one, none, {.eps = 1e-12})));
    }
  }
}

TEST_CASE("running variances are the variances, however small") {
  for (const Device device : devices()) {
    const Tensor x = to(from_values({2, 1}, Values{1e-6, -1e-6}, DType::f32), device), one = to(ones({1}), device),
                 none = to(zeros({1}), device);
    const RunningStats running{.mean = to(zeros({1}), device), .variance = to(zeros({1}), device), .momentum = 1};
    batch_norm(x, one, none, {}, &running);
    CHECK(running.variance.item() == Approx(2e-12).epsilon(1e-5));  // unbiased
  }
}

TEST_CASE("one function to all orders: gradients of norms have the mask of their value") {
  using kernels::Activation;
  Random random(3);
  for (const Device device : devices()) {
    const Tensor noise = to(random.normal({64, 16}), device);
    for (const double spread : {0.1, 0.0}) {  // far from 0, and constant: what rounding leaves decides the sign
      for (const auto activation : {Activation::relu, Activation::leaky_relu}) {
        CAPTURE(name_of(device), spread, static_cast<int>(activation));
        const NormOptions options{.eps = 1e-12, .activation = activation, .slope = 0.2};
        const Tensor x = (1e4 + spread * noise).detach().set_requires_grad();
        const Tensor gamma = to(random.uniform({16}, 0.5, 1.5), device).set_requires_grad();
        const Tensor beta = to(zeros({16}), device).set_requires_grad();
        const Tensor weights = to(random.normal({64, 16}), device);
        const std::vector<std::function<Tensor()>> norms = {
            [&] { return batch_norm(x, gamma, beta, options); },
            [&] {
              return reshape(instance_norm(reshape(x, {4, 4, 4, 16}), gamma, beta, options), {64, 16});
            },
            [&] {
              const Tensor mean_ = mean(x.detach(), {0}), variance_ = variance(x.detach(), {0});
              return batch_norm_inference(x, gamma, beta, mean_, variance_, options);
            }};
        for (size_t which = 0; which < norms.size(); which++) {
          CAPTURE(which);
          const std::vector<Tensor> wanted{gamma, beta};
          const Tensor y = norms[which](), loss = sum(y * weights);
          const auto first = grad(std::span(&loss, 1), wanted, {.retain_graph = true});
          const auto recorded = grad(std::span(&loss, 1), wanted, {.create_graph = true});
          const Tensor mask =
              activation == Activation::relu ? greater(y, full_like(y, 0)) : 0.2 + 0.8 * greater(y, full_like(y, 0));
          const auto of_beta = sum(mask * weights, {0}).to_vector();
          for (size_t c = 0; c < of_beta.size(); c++) {
            CHECK(first[1].to_vector()[c] == Approx(of_beta[c]).margin(1e-4));
            CHECK(recorded[1].to_vector()[c] == Approx(of_beta[c]).margin(1e-4));
          }
        }
      }
    }
  }
}

TEST_CASE("norms of equal values are 0 before they are scaled and shifted, whatever the values and how many") {
  for (const Device device : devices())
    for (const double value : {3.7, 12345.678, -1e6})
      for (const int64_t count : {3, 70, 1000, 3001}) {
        CAPTURE(name_of(device), value, count);
        const auto all = [&](const Shape& shape, double x) { return to(full(shape, x), device); };
        const Tensor rows = layer_norm(all({3, count}, value), all({count}, 2), all({count}, 0), 1e-12);
        CHECK(max(abs(rows)).item() == 0);
        const Tensor columns = batch_norm(all({count, 5}, value), all({5}, 2), all({5}, 0), {.eps = 1e-12});
        CHECK(max(abs(columns)).item() == 0);
        const Tensor maps = instance_norm(all({2, count, 1, 5}, value), all({5}, 2), all({5}, 0), {.eps = 1e-12});
        CHECK(max(abs(maps)).item() == 0);
      }
}

}  // namespace forger::test
