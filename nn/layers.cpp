// Layers hold parameters; what they compute is an op of core/ops.h. The one with a computation of its own is spectral
// norm.
//
// Spectral norm. With W the weight as a matrix (out, rest), power iteration on W W^T
//
//   v <- W^T u / |W^T u|,   u <- W v / |W v|
//
// tends to the largest singular value's vectors, and sigma = u^T W v to that value. A training step changes W little,
// so one iteration from the last step's u is enough. The layer then computes with W / sigma, where sigma is a function
// of W:
//
//   d sigma / dW = u v^T,   so the gradient of W / sigma is  (G - <G, W / sigma> u v^T) / sigma   for an incoming G.
//
// None of this is written out: sigma is made by ops, and W / sigma is differentiable to any order. The graph saves
// copies of u and v, because two forwards before one backward (real and fake images) move the buffers in between.
#include "nn/layers.h"

#include <cmath>

#include "core/autograd.h"
#include "core/dispatch.h"
#include "nn/init.h"

namespace forger::nn {

// ---- linear maps ----

WeightedLayer::WeightedLayer(const Shape& weight_shape, int64_t out, Random& random, bool with_bias, DType dtype)
    : weight(parameter("weight", Tensor(weight_shape, dtype))) {
  kaiming_uniform(weight, random, std::sqrt(5.0));
  if (!with_bias) return;
  bias = parameter("bias", Tensor(Shape{out}, dtype));
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in(weight)));
  init_uniform(bias, -bound, bound, random);
}

Linear::Linear(int64_t in, int64_t out, Random& random, bool with_bias, DType dtype)
    : WeightedLayer({out, in}, out, random, with_bias, dtype) {}

Tensor Linear::apply(const Tensor& x, const Tensor& with_weight) const {
  check<ShapeError>(x.rank() == 2 && x.size(1) == with_weight.size(1), "[linear] weight expects x of (N, ",
                    with_weight.size(1), "), x is ", x.shape(), " (weight: ", with_weight.shape(), ")");
  return add_bias(matmul(x, with_weight, false, true));
}

Conv2d::Conv2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random, bool with_bias,
               DType dtype)
    : WeightedLayer({out, kernel.height, kernel.width, in}, out, random, with_bias, dtype), options_(options) {}

Tensor Conv2d::apply(const Tensor& x, const Tensor& with_weight) const {
  return conv2d(x, with_weight, bias, options_);
}

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, Extent kernel, Conv2dOptions options, Random& random,
                                 bool with_bias, DType dtype)
    : WeightedLayer({in, kernel.height, kernel.width, out}, out, random, with_bias, dtype), options_(options) {}

Tensor ConvTranspose2d::apply(const Tensor& x, const Tensor& with_weight) const {
  return add_bias(conv_transpose2d(x, with_weight, options_));
}

// ---- spectral norm ----

SpectralNorm::SpectralNorm(std::shared_ptr<WeightedLayer> layer, Random& random, int iterations, double eps)
    : layer_(child("layer", std::move(layer))), iterations_(iterations), eps_(eps) {
  const Tensor& w = layer_->weight;
  const int64_t out = w.size(layer_->out_axis());
  const int64_t rest = w.numel() / out;
  out_last_ = layer_->out_axis() != 0;
  matrix_ = out_last_ ? Shape{rest, out} : Shape{out, rest};
  u_ = buffer("u", random.normal({out}, 0, 1, w.dtype(), w.device()));
  v_ = buffer("v", random.normal({rest}, 0, 1, w.dtype(), w.device()));
  constexpr int warm_up =
      15;  // so that a network that is evaluated before it is trained has a sigma that means something
  iterate(warm_up);
}

Tensor SpectralNorm::times(const Tensor& v) const {
  const Tensor w = reshape(layer_->weight, matrix_);
  return reshape(matmul(w, reshape(v, {v.numel(), 1}), out_last_, false), {u_.numel()});
}

void SpectralNorm::iterate(int iterations) {
  const NoGrad no_grad;
  const Tensor& w = layer_->weight;
  dispatch(w, [&]<class K>() {
    using T = typename K::Scalar;
    K::power_iteration(matrix_[0], matrix_[1], out_last_, w.data<T>(), static_cast<T>(eps_), iterations,
                       u_.write<T>("power iteration"), v_.write<T>("power iteration"));
  });
}

Tensor SpectralNorm::forward(const Tensor& x) {
  if (training()) iterate(iterations_);
  const Tensor sigma = sum(clone(u_) * times(clone(v_)));
  sigma_ = sigma.detach();
  return layer_->apply(x, layer_->weight / sigma);
}

// ---- norms ----

NormLayer::NormLayer(const Shape& shape, DType dtype)
    : weight(parameter("weight", ones(shape, dtype))), bias(parameter("bias", zeros(shape, dtype))) {}

BatchNorm::BatchNorm(int64_t channels, NormOptions options, double momentum, DType dtype)
    : NormLayer({channels}, dtype),
      running_mean(buffer("running_mean", zeros({channels}, dtype))),
      running_var(buffer("running_var", ones({channels}, dtype))),
      options_(options),
      momentum_(momentum) {}

Tensor BatchNorm::forward(const Tensor& x) {
  if (!training()) return batch_norm_inference(x, weight, bias, running_mean, running_var, options_);
  const RunningStats running{running_mean, running_var, momentum_};
  return batch_norm(x, weight, bias, options_, &running);
}

InstanceNorm::InstanceNorm(int64_t channels, NormOptions options, DType dtype)
    : NormLayer({channels}, dtype), options_(options) {}

Tensor InstanceNorm::forward(const Tensor& x) { return instance_norm(x, weight, bias, options_); }

LayerNorm::LayerNorm(const Shape& sample, double eps, DType dtype) : NormLayer(sample, dtype), eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, weight, bias, eps_); }

// ---- others ----

Embedding::Embedding(int64_t entries, int64_t width, Random& random, DType dtype)
    : weight(parameter("weight", random.normal({entries, width}, 0, 1, dtype))) {}

Tensor Embedding::forward(const Tensor& index) { return gather(weight, index); }

Dropout::Dropout(double probability, Random& random) : probability_(probability), random_(random) {
  check<UsageError>(probability >= 0 && probability < 1, "[dropout] the probability must be in [0, 1), is ",
                    probability);
}

Tensor Dropout::forward(const Tensor& x) { return training() ? dropout(x, probability_, random_) : x; }

Sequential::Sequential(std::initializer_list<LayerPtr> modules) {
  for (const LayerPtr& module : modules) append(module);
}

void Sequential::append(LayerPtr module) {
  modules_.push_back(child(std::to_string(modules_.size()), std::move(module)));
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const LayerPtr& module : modules_) y = module->forward(y);
  return y;
}

namespace {

class Function : public Layer {
 public:
  explicit Function(std::function<Tensor(const Tensor&)> function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& x) override { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

}  // namespace

LayerPtr fn(std::function<Tensor(const Tensor&)> function) { return std::make_shared<Function>(std::move(function)); }

LayerPtr relu() {
  return fn([](const Tensor& x) { return forger::relu(x); });
}

LayerPtr leaky_relu(double slope) {
  return fn([slope](const Tensor& x) { return forger::leaky_relu(x, slope); });
}

LayerPtr tanh() {
  return fn([](const Tensor& x) { return forger::tanh(x); });
}

LayerPtr sigmoid() {
  return fn([](const Tensor& x) { return forger::sigmoid(x); });
}

LayerPtr flatten() {
  return fn([](const Tensor& x) { return forger::flatten(x); });
}

LayerPtr reshape_to(const Shape& sample) {
  std::vector<int64_t> sizes{0};
  sizes.insert(sizes.end(), sample.begin(), sample.end());
  return fn([sizes](const Tensor& x) mutable {
    sizes[0] = x.size(0);
    return reshape(x, Shape(std::span<const int64_t>(sizes)));
  });
}

}  // namespace forger::nn
