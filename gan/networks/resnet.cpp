#include "gan/networks/resnet.h"

#include "nn/blocks.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

nn::LayerPtr doubled() {
  return nn::fn([](const Tensor& x) { return upsample_nearest(x, 2); });
}

nn::LayerPtr halved() {
  return nn::fn([](const Tensor& x) { return avg_pool2d(x, {.kernel = 2, .stride = 2}); });
}

nn::LayerPtr norm_relu(int64_t channels) {
  return std::make_shared<nn::BatchNorm>(channels, NormOptions{.activation = kernels::Activation::relu});
}

// Layers of a network that are initialised as the papers do (Glorot, with the gain of a ReLU before a 3x3 convolution),
// and that spectral norm may wrap.
class Layers {
 public:
  Layers(bool spectral, Random& random) : spectral_(spectral), random_(random) {}
  nn::LayerPtr conv(int64_t in, int64_t out, int64_t window) {
    return finished(std::make_shared<nn::Conv2d>(in, out, window, window == 1 ? project : same, random_),
                    window == 1 ? 1 : std::sqrt(2.0));
  }
  nn::LayerPtr linear(int64_t in, int64_t out) { return finished(std::make_shared<nn::Linear>(in, out, random_), 1); }

 private:
  nn::LayerPtr finished(std::shared_ptr<nn::WeightedLayer> layer, double gain) {
    nn::xavier_uniform(layer->weight, random_, gain);
    nn::init_constant(layer->bias, 0);
    if (!spectral_) return layer;
    return std::make_shared<nn::SpectralNorm>(std::move(layer), random_);
  }
  bool spectral_;
  Random& random_;
};

nn::LayerPtr sequence(std::initializer_list<nn::LayerPtr> layers) { return std::make_shared<nn::Sequential>(layers); }

}  // namespace

std::shared_ptr<nn::Sequential> resnet_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                 Random& random) {
  Layers layers(false, random);
  const Extent map = smallest(size);
  const int64_t c = 2 * width;
  auto net = std::make_shared<nn::Sequential>();
  net->append(layers.linear(latent, map.height * map.width * c));
  net->append(nn::reshape_to({map.height, map.width, c}));
  for (int64_t factor = halvings(size); factor > 1; factor /= 2) {
    const nn::LayerPtr first = layers.conv(c, c, 3), second = layers.conv(c, c, 3), shortcut = layers.conv(c, c, 1);
    net->append(std::make_shared<nn::Residual>(sequence({norm_relu(c), doubled(), first, norm_relu(c), second}),
                                               sequence({doubled(), shortcut})));
  }
  net->append(norm_relu(c));
  net->append(layers.conv(c, channels, 3));
  net->append(nn::tanh());
  return net;
}

std::shared_ptr<nn::Sequential> resnet_discriminator(int64_t width, int64_t channels, Extent size, bool spectral,
                                                     Random& random) {
  constexpr int64_t smallest_side = 8, kept = 2;
  Layers layers(spectral, random);
  auto net = std::make_shared<nn::Sequential>();
  const auto block = [&](bool first, bool halves) {
    auto body = std::make_shared<nn::Sequential>(), shortcut = std::make_shared<nn::Sequential>();
    if (!first) body->append(nn::relu());
    body->append(layers.conv(first ? channels : width, width, 3));
    body->append(nn::relu());
    body->append(layers.conv(width, width, 3));
    if (!first && !halves) return net->append(std::make_shared<nn::Residual>(body));
    if (halves) body->append(halved());
    if (first && halves) shortcut->append(halved());
    shortcut->append(layers.conv(first ? channels : width, width, 1));
    if (!first && halves) shortcut->append(halved());
    net->append(std::make_shared<nn::Residual>(body, shortcut));
  };
  bool first = true;
  for (int64_t side = std::min(size.height, size.width); side > smallest_side; side /= 2, first = false)
    block(first, true);
  for (int64_t i = 0; i < kept; i++) block(false, false);
  net->append(nn::relu());
  net->append(nn::fn([](const Tensor& x) { return sum(x, {1, 2}); }));
  net->append(layers.linear(width, 1));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
