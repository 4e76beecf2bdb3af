// With W the weight as a matrix (out, rest), power iteration on W W^T
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
#include "nn/spectral_norm.h"

#include "core/autograd.h"
#include "core/dispatch.h"
#include "core/trace.h"

namespace forger::nn {

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

Tensor SpectralNorm::divided() const {
  const NoGrad no_grad;
  return reshape(layer_->weight, matrix_) / sum(u_ * times(v_));
}

Tensor SpectralNorm::forward(const Tensor& x) {
  if (training()) iterate(iterations_);
  const auto divided_weight = [&] {
    const Trace::Whole whole;
    const Tensor sigma = sum(clone(u_) * times(clone(v_)));
    sigma_ = sigma.detach();
    return whole.noted("spectral_norm", layer_->weight / sigma, {layer_->weight, u_, v_},
                       {{"out_last", Trace::numbers(out_last_)}});
  };
  return layer_->apply(x, divided_weight());
}

}  // namespace forger::nn
