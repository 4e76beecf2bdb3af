// The architectures that recipes share. Every builder returns an initialised network; dtype f64 is for checks.
#pragma once
#include <memory>

#include "nn/layers.h"

namespace forger::gan {

// All take images whose shorter side is a power of two from 16 to 256, and whose longer one is a multiple of what the
// shorter one is of 4: 64 x 96 halves four times, to 4 x 6. A side alone is a square.
using nn::Extent;

// DCGAN (Radford et al. 2016, section 3 and figure 1). Channel counts are width * {1, 2, 4, ...}; convolutions are 4x4
// without bias, N(0, 0.02).
//
// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1]. A transposed convolution from 1x1 to the smallest map,
// 4x4 of a square, then stride-2 ones; batch norm and ReLU after each but the last, tanh at the end.
std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DType dtype = DType::f32);
// Discriminator: (N, H, W, channels) -> logits (N). Stride-2 convolutions down to the smallest map, LeakyReLU 0.2,
// batch norm between (none after the first), and a convolution of the whole map to 1x1. `batch_norm` off is the critic
// of WGAN-GP: a norm over the batch would tie the samples' gradients together, and the penalty is per sample.
std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, Extent size, bool batch_norm,
                                                    Random& random, DType dtype = DType::f32);

// SNDCGAN (Miyato et al. 2018, table 3), as small maps of an eighth of the sides (UsageError where that is no whole
// number): channel counts are width * {1, 2, 4, 8}, layers have biases, weights are N(0, 0.02).
//
// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1]. A linear layer to (H/8, W/8, 8 width), three 4x4 stride-2
// transposed convolutions, each with batch norm and ReLU, and a 3x3 convolution with tanh.
std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                  Random& random, DType dtype = DType::f32);
// Discriminator: (N, H, W, channels) -> (N). Pairs of a 3x3 convolution and a 4x4 stride-2 one, a 3x3 and a linear
// layer; LeakyReLU 0.1 between; every weight under spectral norm.
std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, Extent size, Random& random,
                                                      DType dtype = DType::f32);

// UsageError unless `sample` is (height, width, 1 or 3) with sides that the networks above take.
void require_dcgan_images(const char* recipe, const Shape& sample);

}  // namespace forger::gan
