#include "gan/networks.h"

#include <bit>

#include "nn/init.h"

namespace forger::gan {
namespace {

constexpr int64_t kernel = 4, smallest_map = 4;
constexpr Conv2dOptions halve{.stride = 2, .padding = 1};    // and, transposed, double
constexpr Conv2dOptions same{.stride = 1, .padding = 1};     // of a 3x3 kernel
constexpr Conv2dOptions project{.stride = 1, .padding = 0};  // smallest map <-> 1x1

// How often the shorter side is halved until it is that of the smallest map, as a factor; and that map.
int64_t halvings(Extent size) { return std::min(size.height, size.width) / smallest_map; }
Extent smallest(Extent size) { return {size.height / halvings(size), size.width / halvings(size)}; }

Conv2dOptions with_leaky_relu(Conv2dOptions options, double slope) {
  options.activation = kernels::Activation::leaky_relu;
  options.slope = slope;
  return options;
}

}  // namespace

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

std::shared_ptr<nn::Sequential> sndcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                  Random& random, DType dtype) {
  check<UsageError>(size.height % 8 == 0 && size.width % 8 == 0, "sngan takes --size of multiples of 8, not ",
                    size.height, 'x', size.width);
  auto net = std::make_shared<nn::Sequential>();
  auto norm = [&](int64_t c) {
    net->append(std::make_shared<nn::BatchNorm>(c, NormOptions{.activation = kernels::Activation::relu}, 0.1, dtype));
  };
  const Extent small{size.height / 8, size.width / 8};
  net->append(std::make_shared<nn::Linear>(latent, small.height * small.width * 8 * width, random, true, dtype));
  net->append(nn::reshape_to({small.height, small.width, 8 * width}));
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

std::shared_ptr<nn::Sequential> sndcgan_discriminator(int64_t width, int64_t channels, Extent size, Random& random,
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
  normalised(std::make_shared<nn::Linear>(size.height / 8 * (size.width / 8) * 8 * width, 1, random, true, dtype));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

void require_dcgan_images(const char* recipe, const Shape& sample) {
  check<UsageError>(sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3), recipe,
                    " takes images of 1 or 3 channels, this data set has samples of ", sample);
  const auto shorter = static_cast<uint64_t>(std::min(sample[0], sample[1]));
  const int64_t longer = std::max(sample[0], sample[1]);
  const bool fits = std::has_single_bit(shorter) && shorter >= 16 && shorter <= 256;
  check<UsageError>(
      fits && longer % halvings({sample[0], sample[1]}) == 0, recipe,
      " takes --size 16, 32, 64, 128 or 256, or one of these by a multiple of its quarter's, as 64x96 (32 by "
      "multiples of 8, 64 of 16, ...); not ",
      sample[0], 'x', sample[1]);
}

}  // namespace forger::gan
