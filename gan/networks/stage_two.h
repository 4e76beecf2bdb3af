// The second generator of StackGAN (Zhang et al. 2017, arXiv:1612.03242, section 3.3), and what stands before both.
#pragma once
#include <memory>

#include "gan/networks/shapes.h"

namespace forger::gan {

// Conditioning augmentation: a linear layer from a caption's code to the Gaussian N(mu, sigma^2) of a condition, which
// fills the gaps between the captions that there are.
class ConditioningAugmentation : public nn::Module {
 public:
  ConditioningAugmentation(int64_t code, int64_t size, Random& random);
  // (N, 2 size): mu beside log sigma.
  Tensor parameters_of(const Tensor& code) { return (*layer_)(code); }
  static Tensor sample(const Tensor& parameters, const Tensor& noise);  // mu + sigma noise, noise (N, size)
  // KL(N(mu, sigma^2) || N(0, I)), summed over the condition, the mean over the batch.
  static Tensor divergence(const Tensor& parameters);

 private:
  nn::LayerPtr layer_;
};

// A picture of half the size (N, H/2, W/2, channels) and a condition (N, C) -> (N, H, W, channels) in [-1, 1]:
//
//   3x3, width -- halve, 2 width -- beside the condition at each pixel: 3x3, 2 width -- `blocks` residual blocks
//     -- double, width -- double, width / 2 at least -- 3x3, tanh
//
// Batch norm and ReLU after each but the first, which has ReLU alone, and the last.
class StageTwo : public nn::Module {
 public:
  StageTwo(int64_t channels, int64_t condition, int64_t width, int64_t blocks, Extent size, Random& random);
  Tensor operator()(const Tensor& half, const Tensor& condition);

 private:
  std::shared_ptr<nn::Sequential> down_, joint_, up_;
};

}  // namespace forger::gan
