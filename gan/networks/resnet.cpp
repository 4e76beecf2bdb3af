#include "gan/networks/resnet.h"

#include <numbers>

#include "nn/init.h"

namespace forger::gan {
namespace {

template <class L>
std::shared_ptr<L> initialised(std::shared_ptr<L> layer, double gain, Random& random) {
  nn::xavier_uniform(layer->weight, random, gain);
  nn::init_constant(layer->bias, 0);
  return layer;
}

std::shared_ptr<nn::Conv2d> conv(int64_t in, int64_t out, int64_t window, double gain, Random& random) {
  const Conv2dOptions keep{.stride = 1, .padding = window / 2};
  return initialised(std::make_shared<nn::Conv2d>(in, out, window, keep, random), gain, random);
}

std::shared_ptr<nn::Linear> linear(int64_t in, int64_t out, Random& random) {
  return initialised(std::make_shared<nn::Linear>(in, out, random), 1, random);
}

// Of a block's convolutions those on the shortcut are 1x1.
double gain_of(int64_t window) { return window == 1 ? 1 : std::numbers::sqrt2; }

}  // namespace

std::shared_ptr<nn::Sequential> resnet_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                 Random& random, DropoutNoise* noise) {
  const Extent small = smallest(size);
  const int64_t maps = 2 * width;
  const nn::ResidualParts parts{.activation = [](int64_t c) -> nn::LayerPtr {
                                  return std::make_shared<nn::BatchNorm>(
                                      c, NormOptions{.activation = kernels::Activation::relu});
                                },
                                .conv = [&](int64_t in, int64_t out, int64_t window) -> nn::LayerPtr {
                                  return conv(in, out, window, gain_of(window), random);
                                }};
  auto net = std::make_shared<nn::Sequential>();
  net->append(linear(latent, small.height * small.width * maps, random));
  net->append(nn::reshape_to({small.height, small.width, maps}));
  Extent map = small;
  for (int64_t left = halvings(size); left > 1; left /= 2) {
    net->append(nn::residual_block(maps, maps, nn::Resample::up, parts));
    map = {2 * map.height, 2 * map.width};
    if (noise) net->append(noise->after({map.height, map.width, maps}));
  }
  net->append(parts.activation(maps));
  net->append(conv(maps, channels, 3, 1, random));
  net->append(nn::tanh());
  return net;
}

std::shared_ptr<nn::Sequential> resnet_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                     Random& random) {
  Extent map = size;  // that the block sees which is being made
  const nn::ResidualParts parts{
      .activation = [&](int64_t c) -> nn::LayerPtr {
        if (!stands_between(norm)) return nn::relu();
        return norm_layer(norm, {map.height, map.width, c}, kernels::Activation::relu);
      },
      .conv = [&](int64_t in, int64_t out,
                  int64_t window) { return bounded(conv(in, out, window, gain_of(window), random), norm, random); }};
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t left = halvings(size), in = channels; left > 2; left /= 2, in = width) {
    net->append(nn::residual_block(in, width, nn::Resample::down, parts, /*image=*/left == halvings(size)));
    map = {map.height / 2, map.width / 2};
  }
  for (int i = 0; i < 2; i++) net->append(nn::residual_block(width, width, nn::Resample::none, parts));
  net->append(nn::relu());
  net->append(nn::fn([](const Tensor& x) { return sum(x, {1, 2}); }));
  net->append(bounded(linear(width, 1, random), norm, random));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
