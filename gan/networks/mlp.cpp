#include "gan/networks/mlp.h"

namespace forger::gan {
namespace {

constexpr int hidden_layers = 2;

}  // namespace

std::shared_ptr<nn::Sequential> mlp_generator(int64_t latent, int64_t width, const Shape& sample, Random& random,
                                              DropoutNoise* noise) {
  auto net = std::make_shared<nn::Sequential>();
  for (int i = 0; i < hidden_layers; i++) {
    net->append(std::make_shared<nn::Linear>(i == 0 ? latent : width, width, random));
    net->append(nn::relu());
    if (noise) net->append(noise->after({width}));
  }
  net->append(std::make_shared<nn::Linear>(width, sample.numel(), random));
  if (sample.rank() == 3) net->append(nn::tanh());
  net->append(nn::reshape_to(sample));
  return net;
}

std::shared_ptr<nn::Sequential> mlp_discriminator(int64_t width, const Shape& sample, DNorm norm, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  const auto linear = [&](int64_t in, int64_t out) {
    return bounded(std::make_shared<nn::Linear>(in, out, random), norm, random);
  };
  net->append(nn::flatten());
  for (int i = 0; i < hidden_layers; i++) {
    net->append(linear(i == 0 ? sample.numel() : width, width));
    net->append(i > 0 && stands_between(norm) ? norm_layer(norm, {width}, kernels::Activation::leaky_relu, slope)
                                              : nn::leaky_relu(slope));
  }
  net->append(linear(width, 1));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
