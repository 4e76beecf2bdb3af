// Gradient reversal (Ganin et al. 2016, arXiv:1505.07818): what lies before it learns to spoil what lies behind it.
#pragma once
#include "core/ops.h"

namespace forger::nn {

// x itself, bit for bit; its gradient is -weight times what arrives, to any order. `weight`: a number, or a scalar of
// x's dtype on its device, so that a schedule can move it.
Tensor reverse_gradient(const Tensor& x, double weight = 1);
Tensor reverse_gradient(const Tensor& x, const Tensor& weight);

}  // namespace forger::nn
