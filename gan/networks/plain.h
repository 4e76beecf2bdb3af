// The plain networks that Lucic et al. compared objectives on (2018, arXiv:1711.10337, appendix; InfoGAN's), of images
// whose sides are multiples of 4: 28 pixels and `width` 64 are the paper's. Weights are N(0, 0.02), biases 0.
#pragma once
#include <memory>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1]. Linear layers to 16 width units and to (H/4, W/4,
// 2 width), a 4x4 stride-2 transposed convolution to `width` channels, each with batch norm (eps 1e-3) and LeakyReLU
// 0.2, and one more with tanh, which is the paper's sigmoid on pixels from 0 to 1. `noise`: dropout behind each
// LeakyReLU.
std::shared_ptr<nn::Sequential> plain_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DropoutNoise* noise = nullptr);
// Discriminator: (N, H, W, channels) -> (N). Two 4x4 stride-2 convolutions to width * {1, 2} channels, linear layers to
// 16 width units and to one; LeakyReLU 0.2, a norm but after the first.
std::shared_ptr<nn::Sequential> plain_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random);

}  // namespace forger::gan
