// Layers. Parameters start as in PyTorch (weights Kaiming-uniform with a = sqrt(5), biases
// uniform in +-1/sqrt(fan_in), norms 1 and 0), drawn from the Random given; nn/init.h re-initialises whole networks.
// All take an optional dtype so that a network can be checked in float64.
#pragma once
#include <functional>

#include "nn/module.h"

namespace forger::nn {

class Linear : public Module {  // (N, in) -> (N, out): x W^T + b, weight (out, in)
 public:
  Linear(int64_t in, int64_t out, Random& random, bool bias = true, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;  // bias undefined without
};

class Conv2d : public Module {  // (N, H, W, in) -> (N, OH, OW, out), weight (out, K, K, in)
 public:
  Conv2d(int64_t in, int64_t out, int64_t kernel, Conv2dOptions options, Random& random, bool bias = true,
         DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  Conv2dOptions options_;
};

class ConvTranspose2d : public Module {  // (N, H, W, in) -> (N, OH, OW, out), weight (in, K, K, out)
 public:
  ConvTranspose2d(int64_t in, int64_t out, int64_t kernel, Conv2dOptions options, Random& random, bool bias = true,
                  DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  Conv2dOptions options_;
};

class BatchNorm : public Module {  // (..., C), with the activation that follows fused in
 public:
  explicit BatchNorm(int64_t channels, NormOptions options = {}, double momentum = 0.1, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias, running_mean, running_var;

 private:
  NormOptions options_;
  double momentum_;
};

class InstanceNorm : public Module {  // (N, H, W, C)
 public:
  explicit InstanceNorm(int64_t channels, NormOptions options = {}, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  NormOptions options_;
};

class LayerNorm : public Module {  // (N, ...sample)
 public:
  explicit LayerNorm(const Shape& sample, double eps = 1e-5, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor weight, bias;

 private:
  double eps_;
};

class Embedding : public Module {  // i64 (N) -> (N, width), weight (entries, width) ~ N(0, 1)
 public:
  Embedding(int64_t entries, int64_t width, Random& random, DType dtype = DType::f32);
  Tensor forward(const Tensor& index) override;
  Tensor weight;
};

// Spectral norm (Miyato et al. 2018): divides the weight of a Linear, Conv2d or ConvTranspose2d by its largest singular value
// sigma = u^T W v, W reshaped to (out, rest). One power iteration per training forward, none in evaluation; the gradient
// flows through sigma, u and v are constants and buffers ("u", "v"). eps guards the normalisations.
class SpectralNorm : public Module {
 public:
  SpectralNorm(std::shared_ptr<Module> layer, Random& random, int iterations = 1, double eps = 1e-12);
  Tensor forward(const Tensor& x) override;
  Tensor sigma() const;  // of the last forward

 private:
  std::shared_ptr<Module> layer_;
  Tensor* weight_ = nullptr;  // the layer's weight slot: replaced by W / sigma during forward, then put back
  Tensor raw_, u_, v_, sigma_;
  int64_t rows_ = 0;
  bool out_is_last_ = false;  // ConvTranspose2d keeps its output channels on the last axis
  int iterations_;
  double eps_;
};

class Sequential : public Module {  // children are named "0", "1", ...
 public:
  Sequential() = default;
  Sequential(std::initializer_list<ModulePtr> modules);
  void append(ModulePtr module);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<ModulePtr> modules_;
};

// Any function of one tensor as a layer without parameters: `fn([](const Tensor& x) { return tanh(x); })`.
ModulePtr fn(std::function<Tensor(const Tensor&)> function);
ModulePtr relu();
ModulePtr leaky_relu(double slope = 0.2);
ModulePtr tanh();
ModulePtr sigmoid();
ModulePtr flatten();
ModulePtr reshape_to(const Shape& sample);  // (N, ...) -> (N, sample...)

class Dropout : public Module {
 public:
  Dropout(double probability, Random& random) : probability_(probability), random_(random) {}
  Tensor forward(const Tensor& x) override;

 private:
  double probability_;
  Random& random_;
};

}  // namespace forger::nn
