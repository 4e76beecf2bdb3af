// Penalties (--penalty): what holds a discriminator's slope down. Those of gradients are terms in its loss, whose own
// gradient is a second derivative of D; clip bounds its weights after each step.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/ops.h"

namespace forger::gan {

struct Penalty {
  // Where the slope is looked at: one point of each sample.
  enum class At : uint8_t { nowhere, between, near_real, real, fake };
  std::string name;
  std::string formula;
  At at = At::nowhere;
  // gradients (N, ...sample) of D at those points -> scalar, before it is weighted by --lambda.
  Tensor (*term)(const Tensor& gradients) = nullptr;
  bool clips = false;
  bool of_gradients() const { return term != nullptr; }
};
// none, gp, lp, lp-linear, dragan, r1, r2, clip.
const std::vector<Penalty>& penalties();
const Penalty& find_penalty(const std::string& name);  // UsageError lists them

// The points, with u ~ U(0, 1) drawn by the caller: (N, 1, ...) for `between`, which gives u*real + (1 - u)*fake; of the
// samples' shape for `near_real`, which gives real + std(real)/2 * u, the standard deviation that of the whole batch
// (Kodali et al. 2017, arXiv:1705.07215, algorithm 1). Detached.
Tensor points(Penalty::At at, const Tensor& real, const Tensor& fake, const Tensor& u);
Shape noise_of(Penalty::At at, const Shape& real);  // u's shape; of rank 0 where there is none

// The term at x (N, ...sample): the gradient's norm is over all elements of one sample. Where D gives several scores of
// a sample, as of patches, the gradient is that of their sum.
Tensor slope_term(const Penalty& penalty, const std::function<Tensor(const Tensor&)>& critic, const Tensor& x);

// lambda * E (||grad D(x^)||_2 - 1)^2 with x^ = a*real + (1 - a)*fake, a (N) in [0, 1] (Gulrajani et al. 2017, eq. 3).
Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real, const Tensor& fake,
                        const Tensor& a, double lambda);

}  // namespace forger::gan
