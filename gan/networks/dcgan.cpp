#include "gan/networks/dcgan.h"

#include "nn/init.h"

namespace forger::gan {
namespace {
constexpr int64_t kernel = 4;
}

std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto block = [&](int64_t in, int64_t out, Extent window, Conv2dOptions options) {
    net->append(std::make_shared<nn::ConvTranspose2d>(in, out, window, options, random, false, dtype));
    net->append(std::make_shared<nn::BatchNorm>(out, NormOptions{.activation = kernels::Activation::relu}, 0.1, dtype));
  };
  net->append(nn::reshape_to({1, 1, latent}));
  int64_t multiple = halvings(size) / 2;
  block(latent, width * multiple, smallest(size), project);
  for (; multiple > 1; multiple /= 2) block(width * multiple, width * multiple / 2, kernel, halve);
  net->append(std::make_shared<nn::ConvTranspose2d>(width, channels, kernel, halve, random, false, dtype));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, Extent size, bool batch_norm,
                                                    Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto conv = [&](int64_t in, int64_t out, Extent window, Conv2dOptions options) {
    net->append(std::make_shared<nn::Conv2d>(in, out, window, options, random, false, dtype));
  };
  const Conv2dOptions halve_leaky = with_leaky_relu(halve, 0.2);
  conv(channels, width, kernel, halve_leaky);
  int64_t multiple = 1;
  for (; multiple < halvings(size) / 2; multiple *= 2) {
    conv(width * multiple, width * multiple * 2, kernel, batch_norm ? halve : halve_leaky);
    if (!batch_norm) continue;
    const NormOptions leaky{.activation = kernels::Activation::leaky_relu, .slope = 0.2};
    net->append(std::make_shared<nn::BatchNorm>(width * multiple * 2, leaky, 0.1, dtype));
  }
  conv(width * multiple, 1, smallest(size), project);
  net->append(nn::reshape_to({}));  // (N, 1, 1, 1) -> (N)
  nn::init_dcgan(*net, random);
  return net;
}

}  // namespace forger::gan
