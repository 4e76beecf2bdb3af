#include "gan/objectives.h"

#include "gan/divergences.h"
#include "gan/named.h"

namespace forger::gan {
namespace {

using kernels::Curve;
using kernels::Loss;

// log s(x) = -softplus(-x) and log(1 - s(x)) = -softplus(x), s the sigmoid: no overflow, no log of zero.
constexpr Loss nll_real{.curve = Curve::softplus, .scale = -1};
constexpr Loss nll_fake{.curve = Curve::softplus};
constexpr Loss saturating{.curve = Curve::softplus, .factor = -1};
constexpr Loss half_square_to_one{.curve = Curve::square, .shift = -1, .factor = 0.5};
constexpr Loss half_square{.curve = Curve::square, .factor = 0.5};
constexpr Loss square_to_one{.curve = Curve::square, .shift = -1};
constexpr Loss square_to_minus_one{.curve = Curve::square, .shift = 1};
constexpr Loss hinge_real{.curve = Curve::hinge, .scale = -1, .shift = 1};
constexpr Loss hinge_fake{.curve = Curve::hinge, .shift = 1};
constexpr Loss lower{.curve = Curve::linear};
constexpr Loss raise{.curve = Curve::linear, .scale = -1};

std::vector<Objective> all() {
  std::vector<Objective> table{
      {.name = "non-saturating",
       .formula = "D: -E log s(D(x)) - E log(1 - s(D(x'))), G: -E log s(D(x')) (Goodfellow et al. 2014)",
       .real = nll_real,
       .fake = nll_fake,
       .generator = nll_real,
       .undecided = 0},
      {.name = "minimax",
       .formula = "D: as above, G: E log(1 - s(D(x'))) (Goodfellow et al. 2014)",
       .real = nll_real,
       .fake = nll_fake,
       .generator = saturating,
       .undecided = 0},
      {.name = "lsgan",
       .formula = "D: 1/2 E (D(x) - 1)^2 + 1/2 E D(x')^2, G: 1/2 E (D(x') - 1)^2 (Mao et al. 2017)",
       .real = half_square_to_one,
       .fake = half_square,
       .generator = half_square_to_one,
       .undecided = 0.5},
      {.name = "hinge",
       .formula = "D: E max(0, 1 - D(x)) + E max(0, 1 + D(x')), G: -E D(x') (Lim and Ye 2017)",
       .real = hinge_real,
       .fake = hinge_fake,
       .generator = raise,
       .undecided = 0},
      {.name = "wasserstein",
       .formula = "D: E D(x') - E D(x), G: -E D(x') (Arjovsky et al. 2017)",
       .real = raise,
       .fake = lower,
       .generator = raise},
      {.name = "ra-gan",
       .formula = "D: as non-saturating, of D(x) - E D(x') and D(x') - E D(x), G: with the two exchanged "
                  "(Jolicoeur-Martineau 2018)",
       .real = nll_real,
       .fake = nll_fake,
       .relative = true},
      {.name = "ra-lsgan",
       .formula = "D: E (D(x) - E D(x') - 1)^2 + E (D(x') - E D(x) + 1)^2, G: with the two exchanged "
                  "(Jolicoeur-Martineau 2018)",
       .real = square_to_one,
       .fake = square_to_minus_one,
       .relative = true},
      {.name = "ra-hinge",
       .formula = "D: as hinge, of D(x) - E D(x') and D(x') - E D(x), G: with the two exchanged "
                  "(Jolicoeur-Martineau 2018)",
       .real = hinge_real,
       .fake = hinge_fake,
       .relative = true},
      {.name = "ebgan",
       .formula = "D: E R(x) + E max(0, 1 - R(x')), G: E R(x'), R = -D the error of a sample rebuilt, in margins "
                  "(Zhao et al. 2017)",
       .real = raise,
       .fake = hinge_fake,
       .generator = raise,
       .of_energies = true},
  };
  for (const Divergence& f : divergences()) {
    const auto real = [g = f.activation](const Tensor& out) { return neg(g(widened(out))); };
    const auto fake = [g = f.conjugate_of_activation](const Tensor& out) { return g(widened(out)); };
    table.push_back({.name = "fgan-" + f.name,
                     .formula = "D: -E g(D(x)) + E f*(g(D(x'))), G: -E f*(g(D(x'))), f(u) = " + f.generator +
                                " (Nowozin et al. 2016)",
                     .real = real,
                     .fake = fake,
                     .generator = [fake](const Tensor& out) { return neg(fake(out)); }});
  }
  return table;
}

}  // namespace

const std::vector<Objective>& objectives() {
  static const std::vector<Objective> table = all();
  return table;
}

const Objective& find_objective(const std::string& name) { return find_named(objectives(), name, "--loss"); }

}  // namespace forger::gan
