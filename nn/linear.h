// Linear maps of the last axis, by weights that start as in PyTorch: Kaiming-uniform with a = sqrt(5), which is uniform
// in +-1/sqrt(fan_in), as are the biases, drawn from the Random given; nn/init.h re-initialises whole networks.
#pragma once
#include "nn/module.h"

namespace forger::nn {

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
  Tensor add_bias(const Tensor& y) const { return bias.defined() ? y + cast(bias, y.dtype()) : y; }
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

class Embedding : public Layer {  // i64 (N) -> (N, width), weight (entries, width) ~ N(0, 1)
 public:
  Embedding(int64_t entries, int64_t width, Random& random, DType dtype = DType::f32);
  Tensor forward(const Tensor& index) override;
  Tensor weight;
};

}  // namespace forger::nn
