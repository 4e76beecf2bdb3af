#include "nn/sequential.h"

namespace forger::nn {

Sequential::Sequential(std::initializer_list<LayerPtr> layers) {
  for (const LayerPtr& layer : layers) append(layer);
}

void Sequential::append(LayerPtr layer) { layers_.push_back(child(std::to_string(layers_.size()), std::move(layer))); }

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const LayerPtr& layer : layers_) y = layer->forward(y);
  return y;
}

}  // namespace forger::nn
