#include "gan/networks.h"

#include <bit>

#include "nn/init.h"

namespace forger::gan {
namespace {

constexpr int64_t kernel = 4, smallest_map = 4;
constexpr Conv2dOptions halve{.stride = 2, .padding = 1};    // and, transposed, double
constexpr Conv2dOptions same{.stride = 1, .padding = 1};     // of a 3x3 kernel
constexpr Conv2dOptions project{.stride = 1, .padding = 0};  // 4x4 <-> 1x1

Conv2dOptions with_leaky_relu(Conv2dOptions options, double slope) {
  options.activation = kernels::Activation::leaky_relu;
  options.slope = slope;
  return options;
}

}  // namespace

std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, int64_t size,
                                                Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto block = [&](int64_t in, int64_t out, Conv2dOptions options) {
    net->append(std::make_shared<nn::ConvTranspose2d>(in, out, kernel, options, random, false, dtype));
    net->append(std::make_shared<nn::BatchNorm>(out, NormOptions{.activation = kernels::Activation::relu}, 0.1, dtype));
  };
  net->append(nn::reshape_to({1, 1, latent}));
  int64_t multiple = size / (2 * smallest_map);
  block(latent, width * multiple, project);
  for (; multiple > 1; multiple /= 2) block(width * multiple, width * multiple / 2, halve);
  net->append(std::make_shared<nn::ConvTranspose2d>(width, channels, kernel, halve, random, false, dtype));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, int64_t size, bool batch_norm,
                                                    Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto conv = [&](int64_t in, int64_t out, Conv2dOptions options) {
    net->append(std::make_shared<nn::Conv2d>(in, out, kernel, options, random, false, dtype));
  };
  const Conv2dOptions halve_leaky = with_leaky_relu(halve, 0.2);
  conv(channels, width, halve_leaky);
  int64_t multiple = 1;
  for (int64_t side = size / 2; side > smallest_map; side /= 2, multiple *= 2) {
    conv(width * multiple, width * multiple * 2, batch_norm ? halve : halve_leaky);
    if (!batch_norm) continue;
    const NormOptions leaky{.activation = kernels::Activation::leaky_relu, .slope = 0.2};
    net->append(std::make_shared<nn::BatchNorm>(width * multiple * 2, leaky, 0.1, dtype));
  }
  conv(width * multiple, 1, project);
  net->append(nn::reshape_to({}));  // (N, 1, 1, 1) -> (N)
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, int64_t size,
                                                  Random& random, DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto norm = [&](int64_t c) {
    net->append(std::make_shared<nn::BatchNorm>(c, NormOptions{.activation = kernels::Activation::relu}, 0.1, dtype));
  };
  const int64_t small = size / 8;
  net->append(std::make_shared<nn::Linear>(latent, small * small * 8 * width, random, true, dtype));
  net->append(nn::reshape_to({small, small, 8 * width}));
  norm(8 * width);
  for (int64_t multiple = 8; multiple > 1; multiple /= 2) {
    net->append(std::make_shared<nn::ConvTranspose2d>(width * multiple, width * multiple / 2, kernel, halve, random,
                                                      true, dtype));
    norm(width * multiple / 2);
  }
  net->append(std::make_shared<nn::Conv2d>(width, channels, 3, same, random, true, dtype));
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, int64_t size, Random& random,
                                                      DType dtype) {
  auto net = std::make_shared<nn::Sequential>();
  auto normalised = [&](std::shared_ptr<nn::WeightedLayer> layer) {
    nn::init_normal(layer->weight, 0, 0.02, random);
    nn::init_constant(layer->bias, 0);
    net->append(std::make_shared<nn::SpectralNorm>(std::move(layer), random));
  };
  auto conv = [&](int64_t in, int64_t out, int64_t side, Conv2dOptions options) {
    normalised(std::make_shared<nn::Conv2d>(in, out, side, with_leaky_relu(options, 0.1), random, true, dtype));
  };
  int64_t in = channels;
  for (int64_t multiple = 1; multiple < 8; multiple *= 2) {
    conv(in, width * multiple, 3, same);
    conv(width * multiple, width * multiple, kernel, halve);
    in = width * multiple;
  }
  conv(in, 8 * width, 3, same);
  net->append(nn::flatten());
  normalised(std::make_shared<nn::Linear>(size / 8 * (size / 8) * 8 * width, 1, random, true, dtype));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

void require_dcgan_images(const char* recipe, const Shape& sample) {
  const bool images = sample.rank() == 3 && sample[0] == sample[1] && (sample[2] == 1 || sample[2] == 3);
  check<UsageError>(images, recipe, " takes square images of 1 or 3 channels, this data set has samples of ", sample);
  const auto size = static_cast<uint64_t>(sample[0]);
  check<UsageError>(std::has_single_bit(size) && size >= 16 && size <= 256, recipe,
                    " takes --size 16, 32, 64, 128 or 256, not ", size);
}

}  // namespace forger::gan
