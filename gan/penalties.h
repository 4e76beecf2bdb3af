// Gradient penalties: terms in the critic's loss that bound its slope. Their own gradient is a second derivative of the
// critic.
#pragma once
#include <functional>

#include "core/ops.h"

namespace forger::gan {

// lambda * E (||grad D(x^)||_2 - 1)^2 with x^ = a*real + (1 - a)*fake, a (N) in [0, 1] (Gulrajani et al. 2017, eq. 3).
// The norm is over all elements of one sample.
Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real, const Tensor& fake,
                        const Tensor& a, double lambda);

}  // namespace forger::gan
