// Networks of fully connected layers, for points and small images. Every builder returns an initialised network.
#pragma once
#include <memory>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// z (N, latent) -> (N, sample): two hidden layers of `width` units with ReLU; tanh at the end of images (rank 3), whose
// values lie in [-1, 1], and nothing at the end of points.
// `noise`: dropout behind each ReLU.
std::shared_ptr<nn::Sequential> mlp_generator(int64_t latent, int64_t width, const Shape& sample, Random& random,
                                              DropoutNoise* noise = nullptr);
// (N, sample) -> (N): two hidden layers with LeakyReLU 0.2; a norm between stands in the second.
std::shared_ptr<nn::Sequential> mlp_discriminator(int64_t width, const Shape& sample, DNorm norm, Random& random);

}  // namespace forger::gan
