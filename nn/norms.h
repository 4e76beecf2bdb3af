// Norms, learned scale and shift included: "weight" starts at 1, "bias" at 0.
#pragma once
#include "nn/module.h"

namespace forger::nn {

class NormLayer : public Layer {
 public:
  Tensor weight, bias;

 protected:
  NormLayer(const Shape& shape, DType dtype);
};

// From now on batch norms of this process normalise by the statistics of all ranks' batches together (core/ranks.h;
// --sync-bn): what a single process would compute, in plain ops.
void set_batch_norm_over_ranks(bool on);

class BatchNorm : public NormLayer {  // (..., C), with the activation that follows fused in
 public:
  explicit BatchNorm(int64_t channels, NormOptions options = {}, double momentum = 0.1, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) override;
  Tensor running_mean, running_var;

 private:
  NormOptions options_;
  double momentum_;
};

// Batch norm that each class scales and shifts in its own way (de Vries et al. 2017, arXiv:1707.00683; Miyato, Koyama
// 2018): norm(x) (1 + c gamma) + c beta. Statistics are of the whole batch; gamma and beta, (classes, C), are zeros at
// first: every class begins with the plain norm.
class ConditionalBatchNorm : public Module {
 public:
  ConditionalBatchNorm(int64_t channels, int64_t classes, double momentum = 0.1, DType dtype = DType::f32);
  // x (N, ..., C); c (N, classes), one-hot rows or weights of classes. ShapeError where they do not fit.
  Tensor operator()(const Tensor& x, const Tensor& c);
  Tensor gamma, beta;
  Tensor running_mean, running_var;

 private:
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

}  // namespace forger::nn
