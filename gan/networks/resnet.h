// The residual networks of SNGAN and WGAN-GP for small images (Miyato et al. 2018, arXiv:1802.05957, tables 4 to 6;
// Gulrajani et al. 2017, appendix F), here for sides from 16 pixels on. Every builder returns an initialised network.
#pragma once
#include <memory>

#include "gan/networks/shapes.h"

namespace forger::gan {

// z (N, latent) -> (N, H, W, channels) in [-1, 1]: a linear layer to the smallest map of 2 width channels (256 in the
// paper), a block that doubles it until it is of the image's size, batch norm, ReLU, a 3x3 convolution, tanh.
//
//   block: x -> batch norm, ReLU, double, 3x3, batch norm, ReLU, 3x3, + 1x1 of the doubled x
std::shared_ptr<nn::Sequential> resnet_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                 Random& random);

// (N, H, W, channels) -> (N): blocks of `width` channels (128 in the paper) that halve the image to 8 pixels on its
// shorter side, two that keep it, ReLU, a sum over the map, a linear layer. No norm: `spectral` divides each weight by
// its largest singular value, and a gradient penalty needs none.
//
//   block: x -> ReLU, 3x3, ReLU, 3x3, halve, + 1x1 of x, halved        (the first one begins without ReLU)
std::shared_ptr<nn::Sequential> resnet_discriminator(int64_t width, int64_t channels, Extent size, bool spectral,
                                                     Random& random);

}  // namespace forger::gan
