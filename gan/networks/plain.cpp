#include "gan/networks/plain.h"

#include "core/error.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

constexpr int64_t units = 16;  // of the wide linear layer, per width

Extent quarter(Extent size) {
  check<UsageError>(size.height % 4 == 0 && size.width % 4 == 0, "--arch plain takes --size of multiples of 4, not ",
                    size.height, 'x', size.width);
  return {size.height / 4, size.width / 4};
}

}  // namespace

std::shared_ptr<nn::Sequential> plain_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DropoutNoise* noise) {
  const Extent small = quarter(size);
  const int64_t wide = units * width, map = small.height * small.width * 2 * width;
  auto net = std::make_shared<nn::Sequential>();
  const auto norm = [&](int64_t c, const Shape& sample) {
    const NormOptions options{.eps = 1e-3, .activation = kernels::Activation::leaky_relu, .slope = slope};
    net->append(std::make_shared<nn::BatchNorm>(c, options));
    if (noise) net->append(noise->after(sample));
  };
  net->append(std::make_shared<nn::Linear>(latent, wide, random));
  norm(wide, {wide});
  net->append(std::make_shared<nn::Linear>(wide, map, random));
  norm(map, {map});
  net->append(nn::reshape_to({small.height, small.width, 2 * width}));
  net->append(std::make_shared<nn::ConvTranspose2d>(2 * width, width, kernel, halve, random));
  norm(width, {2 * small.height, 2 * small.width, width});
  net->append(std::make_shared<nn::ConvTranspose2d>(width, channels, kernel, halve, random));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> plain_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random) {
  const Extent small = quarter(size);
  auto net = std::make_shared<nn::Sequential>();
  const auto append = [&](const std::shared_ptr<nn::WeightedLayer>& layer) {
    nn::init_normal(layer->weight, 0, 0.02, random);
    nn::init_constant(layer->bias, 0);
    net->append(bounded(layer, norm, random));
  };
  const auto activate = [&](const Shape& sample, bool normed) {
    net->append(normed && stands_between(norm) ? norm_layer(norm, sample, kernels::Activation::leaky_relu, slope)
                                               : nn::leaky_relu(slope));
  };
  append(std::make_shared<nn::Conv2d>(channels, width, kernel, halve, random));
  activate({small.height * 2, small.width * 2, width}, false);
  append(std::make_shared<nn::Conv2d>(width, 2 * width, kernel, halve, random));
  activate({small.height, small.width, 2 * width}, true);
  net->append(nn::flatten());
  append(std::make_shared<nn::Linear>(small.height * small.width * 2 * width, units * width, random));
  // Of units, instances have no statistics.
  activate({units * width}, norm != DNorm::instance);
  append(std::make_shared<nn::Linear>(units * width, 1, random));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
