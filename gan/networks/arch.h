// The architectures that a system without further structure may be built on, by name (--arch).
#pragma once
#include <optional>

#include "gan/networks/shapes.h"
#include "gan/settings.h"

namespace forger::gan {

struct GanNetworks {
  nn::LayerPtr generator, discriminator;  // z (N, latent) -> (N, sample) -> (N)
};

// What normalises a discriminator: nothing, a norm over the batch, the largest singular value of each weight.
enum class DNorm : uint8_t { none, batch, spectral };

// Networks by the settings "arch", "latent" and "width", with fresh weights. `norm`: what the system needs of its
// discriminator. Where it needs nothing the architecture has its own (dcgan batch, sndcgan and resnet spectral, mlp
// none), or none where the setting "penalty" bounds the slope at each sample: a norm over the batch would tie their
// gradients together. UsageError for an architecture that there is not, that does not take samples of that shape, or
// whose discriminator cannot be normalised so.
GanNetworks build_networks(const Settings& settings, const Shape& sample, Random& random,
                           std::optional<DNorm> norm = {});

// --arch, where it is usually this one.
Setting arch_setting(const std::string& usual);

}  // namespace forger::gan
