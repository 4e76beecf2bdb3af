// Residual blocks.
#pragma once
#include <functional>
#include <memory>

#include "nn/module.h"

namespace forger::nn {

class Residual : public Layer {  // y = body(x) + shortcut(x); without a shortcut x itself
 public:
  explicit Residual(LayerPtr body, LayerPtr shortcut = nullptr);
  Tensor forward(const Tensor& x) override;

 private:
  LayerPtr body_, shortcut_;
};

enum class Resample : uint8_t { none, up, down };  // sides doubled by the nearest pixel, or halved by averages

// What a network makes its residual blocks of.
struct ResidualParts {
  std::function<LayerPtr(int64_t channels)> activation;  // before a convolution: ReLU, or a norm and ReLU
  std::function<LayerPtr(int64_t in, int64_t out, int64_t window)> conv;  // keeps the map; drawn in order of use
};

// The pre-activation block (He et al. 2016, arXiv:1603.05027) as GANs have it (Gulrajani et al. 2017, Miyato et al.
// 2018), (N, H, W, in) -> (N, H', W', out):
//
//   activation -- up -- 3x3, out -- activation -- 3x3, out -- down
//   up -- 1x1, out -- down                                          where sides or channels change, x itself otherwise
//
// `image`: x is one, and no activation stands before the first convolution.
LayerPtr residual_block(int64_t in, int64_t out, Resample resample, const ResidualParts& parts, bool image = false);

}  // namespace forger::nn
