#include "gan/networks/stage_two.h"

#include "gan/networks/classes.h"
#include "gan/networks/stages.h"
#include "nn/init.h"

namespace forger::gan {

ConditioningAugmentation::ConditioningAugmentation(int64_t code, int64_t size, Random& random)
    : layer_(child("layer", std::make_shared<nn::Linear>(code, 2 * size, random))) {}

namespace {

// mu, or log sigma.
Tensor half_of(const Tensor& parameters, int64_t which) {
  const int64_t size = parameters.size(1) / 2;
  return slice(parameters, 1, which * size, (which + 1) * size);
}

}  // namespace

Tensor ConditioningAugmentation::sample(const Tensor& parameters, const Tensor& noise) {
  return half_of(parameters, 0) + exp(half_of(parameters, 1)) * noise;
}

Tensor ConditioningAugmentation::divergence(const Tensor& parameters) {
  const Tensor mu = half_of(widened(parameters), 0), log_sigma = half_of(widened(parameters), 1);
  return mean(sum(0.5 * (square(mu) + exp(2 * log_sigma) - 1) - log_sigma, {1}));
}

StageTwo::StageTwo(int64_t channels, int64_t condition, int64_t width, int64_t blocks, Extent size, Random& random)
    : down_(child("down", std::make_shared<nn::Sequential>())),
      joint_(child("joint", std::make_shared<nn::Sequential>())),
      up_(child("up", std::make_shared<nn::Sequential>())) {
  const auto conv = [&](int64_t in, int64_t out, int64_t window, const Conv2dOptions& options) {
    return std::make_shared<nn::Conv2d>(in, out, window, options, random, /*with_bias=*/false);
  };
  const auto norm = [](int64_t of, kernels::Activation activation = kernels::Activation::relu) {
    return std::make_shared<nn::BatchNorm>(of, NormOptions{.activation = activation});
  };
  const int64_t maps = 2 * width, last = std::max<int64_t>(width / 2, 1);
  for (const nn::LayerPtr& layer : {nn::LayerPtr(conv(channels, width, 3, with_leaky_relu(same, 0))),
                                    nn::LayerPtr(conv(width, maps, kernel, halve)), nn::LayerPtr(norm(maps))})
    down_->append(layer);
  joint_->append(conv(maps + condition, maps, 3, same));
  joint_->append(norm(maps));
  for (int64_t i = 0; i < blocks; i++) {
    auto body = std::make_shared<nn::Sequential>();
    body->append(conv(maps, maps, 3, same));
    body->append(norm(maps));
    body->append(conv(maps, maps, 3, same));
    body->append(norm(maps, kernels::Activation::none));
    up_->append(std::make_shared<nn::Residual>(body));
  }
  GeneratorStages stages({size.height / 2, size.width / 2}, random, nullptr);
  stages.append(*up_, maps, width, kernel, halve);
  stages.append(*up_, width, last, kernel, halve);
  up_->append(conv(last, channels, 3, same));
  up_->append(nn::tanh());
  nn::init_dcgan(*this, random);
}

Tensor StageTwo::operator()(const Tensor& half, const Tensor& condition) {
  return (*up_)((*joint_)(with_planes((*down_)(half), condition)));
}

}  // namespace forger::gan
