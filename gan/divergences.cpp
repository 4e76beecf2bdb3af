#include "gan/divergences.h"

#include <cmath>
#include <limits>

namespace forger::gan {
namespace {

constexpr double everywhere = std::numeric_limits<double>::infinity();
const double log_2 = std::log(2.0);

}  // namespace

const std::vector<Divergence>& divergences() {
  static const std::vector<Divergence> table{
      {.name = "kl",
       .generator = "u log u",
       .f = [](double u) { return u * std::log(u); },
       .slope = [](double u) { return 1 + std::log(u); },
       .conjugate = [](double t) { return std::exp(t - 1); },
       .upper = everywhere,
       .activation = [](const Tensor& v) { return v; },
       .conjugate_of_activation = [](const Tensor& v) { return exp(v - 1); }},
      {.name = "reverse-kl",
       .generator = "-log u",
       .f = [](double u) { return -std::log(u); },
       .slope = [](double u) { return -1 / u; },
       .conjugate = [](double t) { return -1 - std::log(-t); },
       .upper = 0,
       .activation = [](const Tensor& v) { return neg(exp(neg(v))); },
       .conjugate_of_activation = [](const Tensor& v) { return v - 1; }},
      {.name = "pearson",
       .generator = "(u - 1)^2",
       .f = [](double u) { return (u - 1) * (u - 1); },
       .slope = [](double u) { return 2 * (u - 1); },
       .conjugate = [](double t) { return t * t / 4 + t; },
       .upper = everywhere,  // below -2 the supremum lies at u = 0, where no ratio of densities asks for it
       .activation = [](const Tensor& v) { return v; },
       .conjugate_of_activation = [](const Tensor& v) { return 0.25 * square(v) + v; }},
      {.name = "neyman",
       .generator = "(1 - u)^2 / u",
       .f = [](double u) { return (1 - u) * (1 - u) / u; },
       .slope = [](double u) { return 1 - 1 / (u * u); },
       .conjugate = [](double t) { return 2 - 2 * std::sqrt(1 - t); },
       .upper = 1,
       .activation = [](const Tensor& v) { return 1 - exp(neg(v)); },
       .conjugate_of_activation = [](const Tensor& v) { return 2 - 2 * exp(-0.5 * v); }},
      {.name = "hellinger",
       .generator = "(sqrt u - 1)^2",
       .f = [](double u) { return (std::sqrt(u) - 1) * (std::sqrt(u) - 1); },
       .slope = [](double u) { return 1 - 1 / std::sqrt(u); },
       .conjugate = [](double t) { return t / (1 - t); },
       .upper = 1,
       .activation = [](const Tensor& v) { return 1 - exp(neg(v)); },
       .conjugate_of_activation = [](const Tensor& v) { return exp(v) - 1; }},
      {.name = "js",
       .generator = "u log u - (u + 1) log((u + 1)/2)",
       .f = [](double u) { return u * std::log(u) - (u + 1) * std::log((u + 1) / 2); },
       .slope = [](double u) { return std::log(2 * u / (u + 1)); },
       .conjugate = [](double t) { return -std::log(2 - std::exp(t)); },
       .upper = log_2,
       .activation = [](const Tensor& v) { return log_2 - softplus(neg(v)); },
       .conjugate_of_activation = [](const Tensor& v) { return softplus(v) - log_2; }},
      {.name = "gan",
       .generator = "u log u - (u + 1) log(u + 1)",
       .f = [](double u) { return u * std::log(u) - (u + 1) * std::log(u + 1); },
       .slope = [](double u) { return std::log(u / (u + 1)); },
       .conjugate = [](double t) { return -std::log(1 - std::exp(t)); },
       .upper = 0,
       .activation = [](const Tensor& v) { return neg(softplus(neg(v))); },
       .conjugate_of_activation = [](const Tensor& v) { return softplus(v); }},
  };
  return table;
}

}  // namespace forger::gan
