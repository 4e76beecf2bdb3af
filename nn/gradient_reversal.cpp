#include "nn/gradient_reversal.h"

namespace forger::nn {

Tensor reverse_gradient(const Tensor& x, const Tensor& weight) {
  const Tensor value = x.detach();
  return value - weight * (x - value);  // 0 in value, linear in x
}

Tensor reverse_gradient(const Tensor& x, double weight) {
  return reverse_gradient(x, full(Shape{}, weight, x.dtype(), x.device()));
}

}  // namespace forger::nn
