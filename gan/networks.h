// The architectures that recipes share. Every builder returns an initialised network; dtype f64 is for checks.
#pragma once
#include <memory>

#include "nn/layers.h"

namespace forger::gan {

// DCGAN (Radford et al. 2016, section 3 and figure 1), for square images whose side is a power of two from 16 to 256.
// Channel counts are width * {1, 2, 4, ...}; convolutions are 4x4 without bias, N(0, 0.02).
//
// Generator: z (N, latent) -> (N, size, size, channels) in [-1, 1]. A 1x1 -> 4x4 transposed convolution, then stride-2
// ones; batch norm and ReLU after each but the last, tanh at the end.
std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, int64_t size,
                                                Random& random, DType dtype = DType::f32);
// Discriminator: (N, size, size, channels) -> logits (N). Stride-2 convolutions down to 4x4, LeakyReLU 0.2, batch norm
// between (none after the first), and a 4x4 -> 1x1 convolution. `batch_norm` off is the critic of WGAN-GP: a norm over
// the batch would tie the samples' gradients together, and the penalty is per sample.
std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, int64_t size, bool batch_norm,
                                                    Random& random, DType dtype = DType::f32);

// SNDCGAN (Miyato et al. 2018, table 3), for the same sizes, as small maps of size/8: channel counts are width * {1, 2,
// 4, 8}, layers have biases, weights are N(0, 0.02).
//
// Generator: z (N, latent) -> (N, size, size, channels) in [-1, 1]. A linear layer to (size/8, size/8, 8 width), three
// 4x4 stride-2 transposed convolutions, each with batch norm and ReLU, and a 3x3 convolution with tanh.
std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, int64_t size,
                                                  Random& random, DType dtype = DType::f32);
// Discriminator: (N, size, size, channels) -> (N). Pairs of a 3x3 convolution and a 4x4 stride-2 one, a 3x3 and a
// linear layer; LeakyReLU 0.1 between; every weight under spectral norm.
std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, int64_t size, Random& random,
                                                      DType dtype = DType::f32);

// UsageError unless `sample` is (size, size, 1 or 3) with a size that the networks above take.
void require_dcgan_images(const char* recipe, const Shape& sample);

}  // namespace forger::gan
