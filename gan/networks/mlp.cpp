#include "gan/networks/mlp.h"

namespace forger::gan {
namespace {

constexpr int hidden_layers = 2;

std::shared_ptr<nn::Linear> linear(int64_t in, int64_t out, Random& random, DType dtype) {
  return std::make_shared<nn::Linear>(in, out, random, true, dtype);
}

}  // namespace

std::shared_ptr<nn::Sequential> mlp_generator(int64_t latent, int64_t width, const Shape& sample, Random& random,
                                              DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  for (int i = 0; i < hidden_layers; i++) {
    net->append(linear(i == 0 ? latent : width, width, random, dtype));
    net->append(nn::relu());
  }
  net->append(linear(width, sample.numel(), random, dtype));
  if (sample.rank() == 3) net->append(nn::tanh());
  net->append(nn::reshape_to(sample));
  return net;
}

std::shared_ptr<nn::Sequential> mlp_discriminator(int64_t width, const Shape& sample, Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  net->append(nn::flatten());
  for (int i = 0; i < hidden_layers; i++) {
    net->append(linear(i == 0 ? sample.numel() : width, width, random, dtype));
    net->append(nn::leaky_relu());
  }
  net->append(linear(width, 1, random, dtype));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
