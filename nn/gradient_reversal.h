// Gradient reversal (Ganin et al. 2016, arXiv:1505.07818): what lies before it learns to spoil what lies behind it.
#pragma once
#include "core/ops.h"

namespace forger::nn {

// x itself, bit for bit; its gradient is -lambda times what arrives, to any order. `lambda`: a scalar of x's dtype on its
// device, so that a schedule can move it, or a number.
Tensor gradient_reversal(const Tensor& x, const Tensor& lambda);
Tensor gradient_reversal(const Tensor& x, double lambda);

}  // namespace forger::nn
