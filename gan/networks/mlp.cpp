#include "gan/networks/mlp.h"

namespace forger::gan {
namespace {

constexpr int hidden_layers = 2;

}  // namespace

std::shared_ptr<nn::Sequential> mlp_generator(int64_t latent, int64_t width, const Shape& sample, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  for (int i = 0; i < hidden_layers; i++) {
    net->append(std::make_shared<nn::Linear>(i == 0 ? latent : width, width, random));
    net->append(nn::relu());
  }
  net->append(std::make_shared<nn::Linear>(width, sample.numel(), random));
  if (sample.rank() == 3) net->append(nn::tanh());
  net->append(nn::reshape_to(sample));
  return net;
}

std::shared_ptr<nn::Sequential> mlp_discriminator(int64_t width, const Shape& sample, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  net->append(nn::flatten());
  for (int i = 0; i < hidden_layers; i++) {
    net->append(std::make_shared<nn::Linear>(i == 0 ? sample.numel() : width, width, random));
    net->append(nn::leaky_relu());
  }
  net->append(std::make_shared<nn::Linear>(width, 1, random));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
