#include "gan/networks/sndcgan.h"

#include "nn/init.h"

namespace forger::gan {

std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                  Random& random, DropoutNoise* noise) {
  check<UsageError>(size.height % 8 == 0 && size.width % 8 == 0, "--arch sndcgan takes --size of multiples of 8, not ",
                    size.height, 'x', size.width);
  auto net = std::make_shared<nn::Sequential>();
  const Extent small{size.height / 8, size.width / 8};
  Extent map = small;
  auto norm = [&](int64_t c) {
    net->append(std::make_shared<nn::BatchNorm>(c, NormOptions{.activation = kernels::Activation::relu}));
    if (noise) net->append(noise->after({map.height, map.width, c}));
    map = {2 * map.height, 2 * map.width};
  };
  net->append(std::make_shared<nn::Linear>(latent, small.height * small.width * 8 * width, random));
  net->append(nn::reshape_to({small.height, small.width, 8 * width}));
  norm(8 * width);
  for (int64_t multiple = 8; multiple > 1; multiple /= 2) {
    net->append(std::make_shared<nn::ConvTranspose2d>(width * multiple, width * multiple / 2, kernel, halve, random));
    norm(width * multiple / 2);
  }
  net->append(std::make_shared<nn::Conv2d>(width, channels, 3, same, random));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                      Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  auto append = [&](const std::shared_ptr<nn::WeightedLayer>& layer) {
    nn::init_normal(layer->weight, 0, 0.02, random);
    nn::init_constant(layer->bias, 0);
    net->append(bounded(layer, norm, random));
  };
  constexpr double below = 0.1;  // slope of LeakyReLU
  Extent map = size;
  auto conv = [&](int64_t in, int64_t out, int64_t side, Conv2dOptions options, bool normed = true) {
    const bool between = normed && stands_between(norm);
    append(std::make_shared<nn::Conv2d>(in, out, side, between ? options : with_leaky_relu(options, below), random));
    if (between) net->append(norm_layer(norm, {map.height, map.width, out}, kernels::Activation::leaky_relu, below));
  };
  int64_t in = channels;
  for (int64_t multiple = 1; multiple < 8; multiple *= 2) {
    conv(in, width * multiple, 3, same, /*normed=*/multiple > 1);
    map = {map.height / 2, map.width / 2};
    conv(width * multiple, width * multiple, kernel, halve);
    in = width * multiple;
  }
  conv(in, 8 * width, 3, same);
  net->append(nn::flatten());
  append(std::make_shared<nn::Linear>(size.height / 8 * (size.width / 8) * 8 * width, 1, random));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
