#include "nn/gradient_reversal.h"

namespace forger::nn {

Tensor gradient_reversal(const Tensor& x, const Tensor& lambda) {
  const Tensor value = x.detach();
  return value - lambda * (x - value);  // 0 in value, linear in x
}

Tensor gradient_reversal(const Tensor& x, double lambda) {
  return gradient_reversal(x, full(Shape{}, lambda, x.dtype(), x.device()));
}

}  // namespace forger::nn
