// The architectures that a system without further structure may be built on, by name (--arch).
#pragma once
#include "gan/networks/shapes.h"
#include "gan/settings.h"

namespace forger::gan {

struct GanNetworks {
  nn::LayerPtr generator, discriminator;  // z (N, latent) -> (N, sample) -> (N)
};

// Networks by the settings "arch", "latent" and "width", with fresh weights. Where the setting "penalty" bounds the
// discriminator's slope it has no norms, which would tie the samples' gradients together; else dcgan's has batch norm,
// sndcgan's and resnet's have spectral norm. UsageError for an architecture that there is not, or that does not take
// samples of that shape.
GanNetworks build_networks(const Settings& settings, const Shape& sample, Random& random);

// --arch, where it is usually this one.
Setting arch_setting(const std::string& usual);

}  // namespace forger::gan
