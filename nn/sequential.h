// Layers in a row.
#pragma once
#include <initializer_list>
#include <memory>
#include <vector>

#include "nn/module.h"

namespace forger::nn {

class Sequential : public Layer {  // children are named "0", "1", ...
 public:
  Sequential() = default;
  Sequential(std::initializer_list<LayerPtr> layers);
  void append(LayerPtr layer);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<LayerPtr> layers_;
};

}  // namespace forger::nn
