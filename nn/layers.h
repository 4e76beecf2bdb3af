// Layers. Parameters start as in PyTorch (weights Kaiming-uniform with a = sqrt(5), which is uniform in
// +-1/sqrt(fan_in), as are the biases; norms 1 and 0), drawn from the Random given; nn/init.h re-initialises whole
// networks. All take an optional dtype so that a network can be checked in float64.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "nn/module.h"

namespace forger::nn {

// ---- linear maps ----

// A linear map of x by a weight, plus a bias: Linear, Conv2d, ConvTranspose2d. `apply` takes the weight as an argument,
// so that a wrapper can put a function of the stored weight in its place (SpectralNorm).
class WeightedLayer : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return apply(x, weight); }
  virtual Tensor apply(const Tensor& x, const Tensor& with_weight) const = 0;
  virtual int out_axis() const { return 0; }  // the weight's axis of output channels
  Tensor weight, bias;                        // bias undefined without

 protected:
  WeightedLayer(const Shape& weight_shape, int64_t out, Random& random, bool with_bias, DType dtype);
  Tensor add_bias(const Tensor& y) const { return bias.defined() ? y + bias : y; }
};

class Linear : public WeightedLayer {  // (N, in) -> (N, out): x W^T + b, weight (out, in)
 public:
  Linear(int64_t in, int64_t out, Random& random, bool with_bias = true, DType dtype = DType::f32);
  Tensor apply(const Tensor& x, const Tensor& with_weight) const override;
};

// Height and width of a kernel or a map; a number alone stands for both.
struct Extent {
  int64_t height, width;
  Extent(int64_t side) : height(side), width(side) {}  // NOLINT: meant to be implicit
  Extent(int64_t h, int64_t w) : height(h), width(w) {}
};

class Conv2d : public WeightedLayer {  // (N, H, W, in) -> (N, OH, OW, out), weight (out, KH, KW, in)
 public:
  Conv2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random, bool with_bias = true,
         DType dtype = DType::f32);
  Tensor apply(const Tensor& x, const Tensor& with_weight) const override;

 private:
  Conv2dOptions options_;
};

class ConvTranspose2d : public WeightedLayer {  // (N, H, W, in) -> (N, OH, OW, out), weight (in, KH, KW, out)
 public:
  ConvTranspose2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random, bool with_bias = true,
                  DType dtype = DType::f32);
  Tensor apply(const Tensor& x, const Tensor& with_weight) const override;
  int out_axis() const override { return 3; }

 private:
  Conv2dOptions options_;
};

// Spectral norm (Miyato et al. 2018): the layer with its weight divided by its largest singular value sigma = u^T W v,
// W (out, rest). One power iteration per training forward, none in evaluation; the gradient flows through sigma, u and
// v are constants and buffers ("u" (out), "v" (rest)). The parameters are the layer's own, undivided ("layer.weight").
// eps guards the normalisations of u and v.
class SpectralNorm : public Layer {
 public:
  SpectralNorm(std::shared_ptr<WeightedLayer> layer, Random& random, int iterations = 1, double eps = 1e-12);
  Tensor forward(const Tensor& x) override;
  Tensor sigma() const { return sigma_; }  // of the last forward, detached

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

// ---- norms: "weight" starts at 1, "bias" at 0 ----

class NormLayer : public Layer {
 public:
  Tensor weight, bias;

 protected:
  NormLayer(const Shape& shape, DType dtype);
};

class BatchNorm : public NormLayer {  // (..., C), with the activation that follows fused in
 public:
  explicit BatchNorm(int64_t channels, NormOptions options = {}, double momentum = 0.1, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor running_mean, running_var;

 private:
  NormOptions options_;
  double momentum_;
};

class InstanceNorm : public NormLayer {  // (N, H, W, C)
 public:
  explicit InstanceNorm(int64_t channels, NormOptions options = {}, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;

 private:
  NormOptions options_;
};

class LayerNorm : public NormLayer {  // (N, ...sample)
 public:
  explicit LayerNorm(const Shape& sample, double eps = 1e-5, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;

 private:
  double eps_;
};

// ---- others ----

class Embedding : public Layer {  // i64 (N) -> (N, width), weight (entries, width) ~ N(0, 1)
 public:
  Embedding(int64_t entries, int64_t width, Random& random, DType dtype = DType::f32);
  Tensor forward(const Tensor& index) override;
  Tensor weight;
};

class Dropout : public Layer {  // the identity in evaluation
 public:
  Dropout(double probability, Random& random);  // keeps a reference to `random`; UsageError outside [0, 1)
  Tensor forward(const Tensor& x) override;

 private:
  double probability_;
  Random& random_;
};

class Sequential : public Layer {  // children are named "0", "1", ...
 public:
  Sequential() = default;
  Sequential(std::initializer_list<LayerPtr> modules);
  void append(LayerPtr module);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<LayerPtr> modules_;
};

// Any function of one tensor as a layer without parameters: `fn([](const Tensor& x) { return tanh(x); })`.
LayerPtr fn(std::function<Tensor(const Tensor&)> function);
LayerPtr relu();
LayerPtr leaky_relu(double slope = 0.2);
LayerPtr tanh();
LayerPtr sigmoid();
LayerPtr flatten();
LayerPtr reshape_to(const Shape& sample);  // (N, ...) -> (N, sample...)

}  // namespace forger::nn
