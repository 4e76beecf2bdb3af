// What normalises a discriminator (--d-norm), whatever its layers are.
#pragma once
#include <memory>
#include <string>

#include "nn/layers.h"

namespace forger::gan {

// Nothing; statistics of a batch, of a sample, of each channel of a sample; or each weight's largest singular value.
enum class DNorm : uint8_t { none, batch, layer, instance, spectral };
DNorm find_norm(const std::string& name);  // UsageError lists them
const char* name_of(DNorm norm);

// Whether it is a layer that stands between the weighted one and its activation.
inline bool stands_between(DNorm norm) { return norm != DNorm::none && norm != DNorm::spectral; }
// That layer, for maps (H, W, C) or units (C), with the activation that follows. Its weights are 1 and 0.
nn::LayerPtr norm_layer(DNorm norm, const Shape& sample, kernels::Activation activation, double slope = 0);
// The layer itself, or under spectral norm: by the weights that it has now, so initialise them first.
nn::LayerPtr bounded(std::shared_ptr<nn::WeightedLayer> layer, DNorm norm, Random& random);

}  // namespace forger::gan
