#include "gan/networks/norm.h"

#include <iterator>

#include "core/error.h"

namespace forger::gan {
namespace {

constexpr const char* names[] = {"none", "batch", "layer", "instance", "spectral"};

}  // namespace

const char* name_of(DNorm norm) { return names[static_cast<size_t>(norm)]; }

DNorm find_norm(const std::string& name) {
  for (size_t i = 0; i < std::size(names); i++)
    if (name == names[i]) return static_cast<DNorm>(i);
  throw UsageError(text("--d-norm '", name, "' is not known; there are: none, batch, layer, instance, spectral"));
}

nn::LayerPtr norm_layer(DNorm norm, const Shape& sample, kernels::Activation activation, double slope) {
  const NormOptions options{.activation = activation, .slope = slope};
  if (norm == DNorm::batch) return std::make_shared<nn::BatchNorm>(sample[sample.rank() - 1], options);
  if (norm == DNorm::instance) {
    check<UsageError>(sample.rank() == 3, "--d-norm instance is of pictures' channels; this discriminator has none");
    return std::make_shared<nn::InstanceNorm>(sample[2], options);
  }
  check<Error>(norm == DNorm::layer, "no norm stands between these layers");
  auto both = std::make_shared<nn::Sequential>();
  both->append(std::make_shared<nn::LayerNorm>(sample));
  both->append(activation == kernels::Activation::relu ? nn::relu() : nn::leaky_relu(slope));
  return both;
}

nn::LayerPtr bounded(std::shared_ptr<nn::WeightedLayer> layer, DNorm norm, Random& random) {
  if (norm != DNorm::spectral) return layer;
  return std::make_shared<nn::SpectralNorm>(std::move(layer), random);
}

}  // namespace forger::gan
