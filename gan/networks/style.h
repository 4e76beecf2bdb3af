// The networks of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), smaller: G keeps z out of its picture's path. A
// mapping network turns z into w, and w says of every convolution how strongly each of its input channels counts; the
// picture is the sum of what all scales add to it. Here without noise inputs, with half the mapping network's layers, and
// with tanh at the end. Channels: `width` at full size, twice as many with each halving, at most 8 `width`.
#pragma once
#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// z (N, latent) -> (N, H, W, channels) in [-1, 1]. `noise`: dropout behind each scale.
nn::LayerPtr style_generator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random,
                             DropoutNoise* noise = nullptr);
// (N, H, W, channels) -> (N): residual blocks that halve the picture, the deviation within the batch (of groups of 4)
// as one more channel, two linear layers. The paper's has no norm.
std::shared_ptr<nn::Sequential> style_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random);

}  // namespace forger::gan
