// SNDCGAN (Miyato et al. 2018, table 3), as small maps of an eighth of the sides (UsageError where that is no whole
// number): channel counts are width * {1, 2, 4, 8}, layers have biases, weights are N(0, 0.02).
#pragma once
#include <memory>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1]. A linear layer to (H/8, W/8, 8 width), three 4x4 stride-2
// transposed convolutions, each with batch norm and ReLU, and a 3x3 convolution with tanh.
// `noise`: dropout behind each ReLU.
std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                  Random& random, DropoutNoise* noise = nullptr);
// Discriminator: (N, H, W, channels) -> (N). Pairs of a 3x3 convolution and a 4x4 stride-2 one, a 3x3 and a linear
// layer; LeakyReLU 0.1 between; the paper's has spectral norm on every weight; a norm between stands after each
// convolution but the first.
std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                      Random& random);

}  // namespace forger::gan
