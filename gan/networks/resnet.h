// The residual networks of SNGAN (Miyato et al. 2018, arXiv:1802.05957, appendix B.4, table 4; after Gulrajani et al.
// 2017, arXiv:1704.00028): of 32 pixels the paper's, with `width` 128; other sizes have more or fewer of the blocks
// that halve and double. Weights are Xavier-uniform, with a gain of sqrt(2) inside the blocks; biases 0.
#pragma once
#include <memory>

#include "gan/networks/shapes.h"

namespace forger::gan {

// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1], 2 width channels throughout. A linear layer to the
// smallest map, blocks with batch norm that double it, batch norm, ReLU, a 3x3 convolution and tanh.
std::shared_ptr<nn::Sequential> resnet_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                 Random& random);
// Discriminator: (N, H, W, channels) -> (N), width channels throughout. Blocks without norm that halve the image to
// twice the smallest map, two that keep it, ReLU, the sum over all pixels and a linear layer; every weight under
// spectral norm, or none.
std::shared_ptr<nn::Sequential> resnet_discriminator(int64_t width, int64_t channels, Extent size, bool spectral_norm,
                                                     Random& random);

}  // namespace forger::gan
