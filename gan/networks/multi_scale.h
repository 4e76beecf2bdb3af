// Multi-scale gradients (MSG-GAN: Karnewar, Wang 2020, arXiv:1903.06048) on DCGAN's networks: G makes its image at every
// scale, D sees them all, each where its own maps have that size; so that gradients reach every layer of G directly.
#pragma once
#include <memory>
#include <vector>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// One image at all scales, from the smallest map to its own size, as one row of numbers: (N, numel()).
class Scales {
 public:
  Scales(int64_t channels, Extent size);
  int64_t numel() const { return numel_; }
  Tensor pack(const Tensor& image) const;                // (N, H, W, C), halved by averages
  std::vector<Tensor> unpack(const Tensor& pack) const;  // smallest first
  Tensor largest(const Tensor& pack) const;

 private:
  std::vector<Shape> samples_;  // smallest first
  int64_t numel_ = 0;
};

// z (N, latent) -> packs in [-1, 1]: DCGAN's generator, and a 1x1 convolution with tanh behind each of its blocks.
nn::LayerPtr multi_scale_generator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random,
                                   DropoutNoise* noise = nullptr);
// Packs -> (N): DCGAN's discriminator, whose maps have the image of their size as further channels.
nn::LayerPtr multi_scale_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm, Random& random);

}  // namespace forger::gan
