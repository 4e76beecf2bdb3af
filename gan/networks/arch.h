// The architectures of systems that make samples from noise alone (--arch): a generator and a discriminator by a name.
#pragma once
#include <optional>
#include <string>

#include "nn/layers.h"

namespace forger::gan {

// What normalises a discriminator: a norm over the batch, which a penalty per sample does not go with; the largest
// singular value of each weight.
enum class DNorm : uint8_t { none, batch, spectral };

struct GanNetworks {
  nn::LayerPtr generator;      // z (N, latent) -> (N, sample)
  nn::LayerPtr discriminator;  // (N, sample) -> (N)
};
struct GanSizes {
  int64_t latent, width;
  Shape sample;
};
// With fresh weights, the generator's drawn first. `norm`: what the system needs; where it needs nothing the
// architecture's own. UsageError, which says what would do, for a name that is not known, samples that the architecture
// does not take and a norm that it has not.
GanNetworks build_gan(const std::string& arch, const GanSizes& sizes, std::optional<DNorm> norm, Random& random);

std::string arch_names();  // "dcgan, sndcgan, resnet, mlp"

}  // namespace forger::gan
