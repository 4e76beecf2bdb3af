#include "gan/penalties.h"

#include "core/autograd.h"
#include "gan/batch.h"
#include "gan/named.h"

namespace forger::gan {
namespace {

constexpr double eps = 1e-12;  // inside the square root of a norm: a slope of 0 has a gradient, too

Tensor norms(const Tensor& gradients) { return norm(flatten(gradients), {1}, eps); }
Tensor two_sided(const Tensor& gradients) { return norm_penalty(gradients, 1, eps); }
Tensor one_sided(const Tensor& gradients) { return mean(square(relu(norms(gradients) - 1))); }
Tensor one_sided_linear(const Tensor& gradients) { return mean(relu(norms(gradients) - 1)); }
Tensor half_square(const Tensor& gradients) { return 0.5 * mean(sum(square(flatten(gradients)), {1})); }

}  // namespace

const std::vector<Penalty>& penalties() {
  using enum Penalty::At;
  static const std::vector<Penalty> table{
      {.name = "none", .formula = "nothing"},
      {.name = "gp",
       .formula = "E (||grad D(x^)|| - 1)^2, x^ between real and fake (Gulrajani et al. 2017)",
       .at = between,
       .term = two_sided},
      {.name = "lp",
       .formula = "E max(0, ||grad D(x^)|| - 1)^2, x^ between real and fake (Petzka et al. 2018)",
       .at = between,
       .term = one_sided},
      {.name = "lp-linear",
       .formula = "E max(0, ||grad D(x^)|| - 1), x^ between real and fake",
       .at = between,
       .term = one_sided_linear},
      {.name = "dragan",
       .formula = "E (||grad D(x + d)|| - 1)^2, x real, d = std(x)/2 u, u ~ U(0, 1) (Kodali et al. 2017)",
       .at = near_real,
       .term = two_sided},
      {.name = "r1",
       .formula = "1/2 E ||grad D(x)||^2, x real (Mescheder et al. 2018)",
       .at = Penalty::At::real,
       .term = half_square},
      {.name = "r2",
       .formula = "1/2 E ||grad D(x')||^2, x' fake (Mescheder et al. 2018)",
       .at = Penalty::At::fake,
       .term = half_square},
      {.name = "clip", .formula = "every weight into [-c, c] after each step (Arjovsky et al. 2017)", .clips = true},
  };
  return table;
}

const Penalty& find_penalty(const std::string& name) { return find_named(penalties(), name, "--penalty"); }

Shape noise_of(Penalty::At at, const Shape& real) {
  if (at == Penalty::At::near_real) return real;
  return at == Penalty::At::between ? per_sample(real) : Shape{};
}

Tensor points(Penalty::At at, const Tensor& real, const Tensor& fake, const Tensor& u) {
  const NoGrad no_grad;
  if (at == Penalty::At::between) return fake + u * (real - fake);
  if (at == Penalty::At::near_real) return real + 0.5 * sqrt(variance(real)) * u;
  return (at == Penalty::At::real ? real : fake).detach();
}

Tensor slope_term(const Penalty& penalty, const std::function<Tensor(const Tensor&)>& critic, const Tensor& x) {
  Tensor there = x.detach();
  there.set_requires_grad();
  return penalty.term(grad(critic(there), there, {.create_graph = true}));
}

Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real, const Tensor& fake,
                        const Tensor& a, double lambda) {
  const Penalty& gp = find_penalty("gp");
  return lambda * slope_term(gp, critic, points(gp.at, real, fake, reshape(a, noise_of(gp.at, real.shape()))));
}

}  // namespace forger::gan
