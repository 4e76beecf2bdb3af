// The discriminator of StarGAN (Choi et al. 2018, arXiv:1711.09020, appendix), whose slope of LeakyReLU is 0.2 here.
#pragma once
#include <memory>

#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// 4x4 stride-2 convolutions with biases to the smallest map, width * {1, 2, 4, ...} channels, LeakyReLU; no norm is the
// paper's. Two heads: scores of patches, and the domain of the whole image.
class StarDiscriminator : public nn::Module {
 public:
  StarDiscriminator(int64_t domains, int64_t width, int64_t channels, Extent size, DNorm norm, Random& random);
  Tensor score(const Tensor& x) { return (*score_)((*body_)(x)); }             // (N, h, w, 1)
  Tensor logits(const Tensor& x) { return flatten((*domain_)((*body_)(x))); }  // (N, domains)

 private:
  std::shared_ptr<nn::Sequential> body_;
  nn::LayerPtr score_, domain_;
};

}  // namespace forger::gan
