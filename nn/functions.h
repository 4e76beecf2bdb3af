// Layers without parameters.
#pragma once
#include <functional>

#include "nn/module.h"

namespace forger::nn {

// Any function of one tensor as a layer without parameters: `fn([](const Tensor& x) { return tanh(x); })`.
LayerPtr fn(std::function<Tensor(const Tensor&)> function);
LayerPtr relu();
LayerPtr leaky_relu(double slope = 0.2);
LayerPtr tanh();
LayerPtr sigmoid();
LayerPtr flatten();
LayerPtr reshape_to(const Shape& sample);   // (N, ...) -> (N, sample...)
LayerPtr upsample(int64_t factor = 2);      // (N, H, W, C) -> (N, H*factor, W*factor, C), by the nearest pixel
LayerPtr average_pool(int64_t factor = 2);  // ... to (N, H/factor, W/factor, C)
// (N, H, W, C*factor^2) -> (N, H*factor, W*factor, C): behind a convolution, upsampling that is learned (Shi et al.
// 2016, arXiv:1609.05158).
LayerPtr pixel_shuffle(int64_t factor = 2);
// (N, H, W, C) -> (N, H + 2 reach, W + 2 reach, C): `reach` pixels beyond each edge are those within, mirrored; the
// edge itself stands once. ShapeError where a side is no longer than `reach`.
LayerPtr reflect(int64_t reach);

class Dropout : public Layer {  // the identity in evaluation
 public:
  Dropout(double probability, Random& random);  // keeps a reference to `random`; UsageError outside [0, 1)
  Tensor forward(const Tensor& x) override;

 private:
  double probability_;
  Random& random_;
};

}  // namespace forger::nn
