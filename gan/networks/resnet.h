// The residual networks of SNGAN (Miyato et al. 2018, arXiv:1802.05957, appendix B.4, table 4; after Gulrajani et al.
// 2017, arXiv:1704.00028): of 32 pixels the paper's, with `width` 128; other sizes have more or fewer of the blocks
// that halve and double. Weights are Xavier-uniform, with a gain of sqrt(2) inside the blocks; biases 0.
#pragma once
#include <memory>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1], 2 width channels throughout. A linear layer to the
// smallest map, blocks with batch norm that double it, batch norm, ReLU, a 3x3 convolution and tanh.
// `noise`: dropout behind each block.
std::shared_ptr<nn::Sequential> resnet_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                 Random& random, DropoutNoise* noise = nullptr);
// Discriminator: (N, H, W, channels) -> (N), width channels throughout. Blocks that halve the image to twice the
// smallest map, two that keep it, ReLU, the sum over all pixels and a linear layer; the paper's has spectral norm on
// every weight; a norm between stands before each ReLU but the last.
std::shared_ptr<nn::Sequential> resnet_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                     Random& random);

}  // namespace forger::gan
