// Spectral norm: what bounds the slope of a layer.
#pragma once
#include <memory>

#include "nn/linear.h"

namespace forger::nn {

// Spectral norm (Miyato et al. 2018): the layer with its weight divided by its largest singular value sigma = u^T W v,
// W (out, rest). One power iteration per training forward, none in evaluation; the gradient flows through sigma, u and
// v are constants and buffers ("u" (out), "v" (rest)). The parameters are the layer's own, undivided ("layer.weight").
// eps guards the normalisations of u and v.
class SpectralNorm : public Layer {
 public:
  SpectralNorm(std::shared_ptr<WeightedLayer> layer, Random& random, int iterations = 1, double eps = 1e-12);
  Tensor forward(const Tensor& x) override;
  Tensor sigma() const { return sigma_; }  // of the last forward, detached
  Tensor divided() const;                  // what it computes with, W / sigma, as a matrix; no gradient

 private:
  Tensor times(const Tensor& v) const;  // W v: (rest) -> (out)
  void iterate(int iterations);
  std::shared_ptr<WeightedLayer> layer_;
  Shape matrix_;  // the weight as a matrix: (out, rest), or (rest, out) when the output channels are last
  bool out_last_;
  Tensor u_, v_, sigma_;
  int iterations_;
  double eps_;
};

}  // namespace forger::nn
