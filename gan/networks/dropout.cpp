#include "gan/networks/dropout.h"

#include "nn/functions.h"

namespace forger::gan {

nn::LayerPtr DropoutNoise::after(const Shape& sample) {
  const int64_t first = size_;
  size_ += sample.numel();
  return nn::fn([noise = uniform_, first, last = size_, p = probability_](const Tensor& x) {
    const Tensor u = reshape(slice(*noise, 1, first, last), x.shape());
    return x * (greater(u, full_like(u, p)) / (1 - p));
  });
}

}  // namespace forger::gan
