// The architectures that a system without further structure may be built on, by name (--arch).
#pragma once
#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/settings.h"

namespace forger::gan {

// By the settings "arch", "latent", "width", "d_norm" and "penalty", with fresh weights: z (N, latent) -> (N, sample),
// and (N, sample) -> (N). `noise`: dropout in the generator. UsageError for an architecture that there is not, or that
// does not take samples of that shape.
nn::LayerPtr build_generator(const Settings& settings, const Shape& sample, Random& random,
                             DropoutNoise* noise = nullptr);
nn::LayerPtr build_discriminator(const Settings& settings, const Shape& sample, Random& random);

// What --d-norm asks for; "auto" is what the discriminator's paper has, unless that is batch norm and --penalty bounds
// the slope at each sample: a norm over the batch would tie their gradients together.
DNorm norm_of(const Settings& settings, DNorm usual);

// --arch and --d-norm, where they are usually these.
Setting arch_setting(const std::string& usual);
Setting d_norm_setting(const std::string& usual);

}  // namespace forger::gan
