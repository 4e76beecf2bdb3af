#include "gan/networks/style.h"

#include <cmath>
#include <numbers>

#include "nn/init.h"

namespace forger::gan {
namespace {

constexpr int64_t mapping_layers = 4, most_channels = 8;  // the latter per width
constexpr double eps = 1e-8;

int64_t channels_of(int64_t width, int64_t halved) { return width * std::min(halved, most_channels); }

// LeakyReLU that keeps the second moment of what is normally distributed.
Tensor activate(const Tensor& x) { return leaky_relu(x, slope) * std::numbers::sqrt2; }

// Equalised learning rate (Karras et al. 2018, arXiv:1710.10196, section 4.1): weights are N(0, 1) and divided by
// sqrt(fan_in) where they are used, so that Adam moves all of them at one relative speed.
Tensor equalised(const Tensor& weight) { return weight * (1 / std::sqrt(static_cast<double>(nn::fan_in(weight)))); }

class Equalised : public nn::Layer {
 public:
  Equalised(std::shared_ptr<nn::WeightedLayer> layer, Random& random, double bias = 0)
      : layer_(child("layer", std::move(layer))) {
    nn::init_normal(layer_->weight, 0, 1, random);
    if (layer_->bias.defined()) nn::init_constant(layer_->bias, bias);
  }
  Tensor forward(const Tensor& x) override { return layer_->apply(x, equalised(layer_->weight)); }

 private:
  std::shared_ptr<nn::WeightedLayer> layer_;
};

// A convolution that keeps the map, whose input channels are scaled by a style of w and whose output channels are
// brought back to unit variance (section 2.2: W' = s W / |s W|, here around a convolution that all samples share).
class StyledConv : public nn::Module {
 public:
  StyledConv(int64_t latent, int64_t in, int64_t out, int64_t window, bool demodulated, Random& random)
      : style_(
            child("style", std::make_shared<Equalised>(std::make_shared<nn::Linear>(latent, in, random), random, 1))),
        weight_(parameter("weight", random.normal({out, window, window, in}))),
        bias_(parameter("bias", zeros({out}))),
        demodulated_(demodulated),
        keep_{.stride = 1, .padding = window / 2} {}

  // x (N, H, W, in), w (N, latent) -> (N, H, W, out)
  Tensor operator()(const Tensor& x, const Tensor& w) {
    const Tensor style = (*style_)(w), weight = equalised(weight_);  // (N, in)
    const auto of_channels = [&](const Tensor& scale) { return reshape(scale, {scale.size(0), 1, 1, -1}); };
    const Tensor y = conv2d(x * of_channels(style), weight, keep_);
    const Tensor bias = cast(bias_, y.dtype());
    if (!demodulated_) return y + bias;
    const Tensor energy = matmul(square(style), sum(square(weight), {1, 2}), false, true);  // (N, out)
    return y * cast(of_channels(reciprocal(sqrt(energy + eps))), y.dtype()) + bias;
  }

 private:
  std::shared_ptr<Equalised> style_;
  Tensor weight_, bias_;
  bool demodulated_;
  Conv2dOptions keep_;
};

class StyleGenerator : public nn::Layer {
 public:
  StyleGenerator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random, DropoutNoise* noise)
      : mapping_(child("mapping", std::make_shared<nn::Sequential>())) {
    for (int64_t i = 0; i < mapping_layers; i++) {
      mapping_->append(std::make_shared<Equalised>(std::make_shared<nn::Linear>(latent, latent, random), random));
      mapping_->append(nn::fn(activate));
    }
    Extent map = smallest(size);
    int64_t in = channels_of(width, halvings(size));
    start_ = parameter("weight", random.normal({1, map.height, map.width, in}));
    for (int64_t halved = halvings(size); halved > 0; halved /= 2) {
      const std::string name = std::to_string(scales_.size());
      const int64_t out = channels_of(width, halved);
      Scale scale;
      if (!scales_.empty()) {
        scale.first = child("first" + name, std::make_shared<StyledConv>(latent, in, out, 3, true, random));
        map = {2 * map.height, 2 * map.width};
      }
      scale.second = child("second" + name, std::make_shared<StyledConv>(latent, out, out, 3, true, random));
      scale.picture = child("picture" + name, std::make_shared<StyledConv>(latent, out, channels, 1, false, random));
      if (noise) scale.dropout = child("dropout" + name, noise->after({map.height, map.width, out}));
      scales_.push_back(scale);
      in = out;
    }
  }

  Tensor forward(const Tensor& z) override {
    const Tensor w = (*mapping_)(z / sqrt(mean(square(z), {1}, /*keepdim=*/true) + eps));
    std::vector<int64_t> shape(start_.shape().begin(), start_.shape().end());
    shape[0] = z.size(0);
    Tensor x = broadcast_to(start_, Shape(shape)), picture;
    for (const Scale& scale : scales_) {
      if (scale.first) x = activate((*scale.first)(doubled(x), w));
      x = activate((*scale.second)(x, w));
      if (scale.dropout) x = (*scale.dropout)(x);
      const Tensor added = (*scale.picture)(x, w);
      picture = picture.defined() ? doubled(picture) + added : added;
    }
    return tanh(picture);
  }

 private:
  struct Scale {
    std::shared_ptr<StyledConv> first, second, picture;  // the first one doubles the map, where there is one
    nn::LayerPtr dropout;
  };
  static Tensor doubled(const Tensor& x) { return upsample_bilinear(x, 2 * x.size(1), 2 * x.size(2)); }
  std::shared_ptr<nn::Sequential> mapping_;
  Tensor start_;  // the smallest map, the same for every sample
  std::vector<Scale> scales_;
};

}  // namespace

nn::LayerPtr style_generator(int64_t latent, int64_t width, int64_t channels, Extent size, Random& random,
                             DropoutNoise* noise) {
  return std::make_shared<StyleGenerator>(latent, width, channels, size, random, noise);
}

std::shared_ptr<nn::Sequential> style_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random) {
  Extent map = size;
  const auto weighted = [&](const std::shared_ptr<nn::WeightedLayer>& layer) -> nn::LayerPtr {
    if (norm == DNorm::spectral) return bounded(layer, norm, random);
    return std::make_shared<Equalised>(layer, random);
  };
  const auto conv = [&](int64_t in, int64_t out, int64_t window, bool bias) {
    return weighted(
        std::make_shared<nn::Conv2d>(in, out, window, Conv2dOptions{.stride = 1, .padding = window / 2}, random, bias));
  };
  const auto append = [&](nn::Sequential& net, int64_t in, int64_t out, int64_t window) {
    net.append(conv(in, out, window, true));
    if (stands_between(norm))
      net.append(norm_layer(norm, {map.height, map.width, out}, kernels::Activation::leaky_relu, slope));
    else
      net.append(nn::fn(activate));
  };
  auto net = std::make_shared<nn::Sequential>();
  append(*net, channels, width, 1);
  int64_t in = width;
  for (int64_t halved = 2; halved <= halvings(size); halved *= 2) {
    const int64_t out = channels_of(width, halved);
    auto body = std::make_shared<nn::Sequential>(), shortcut = std::make_shared<nn::Sequential>();
    append(*body, in, in, 3);
    append(*body, in, out, 3);
    body->append(nn::average_pool());
    shortcut->append(nn::average_pool());
    shortcut->append(conv(in, out, 1, false));
    net->append(std::make_shared<nn::Residual>(body, shortcut));
    net->append(nn::fn([](const Tensor& x) { return x * (1 / std::numbers::sqrt2); }));
    map = {map.height / 2, map.width / 2};
    in = out;
  }
  net->append(nn::minibatch_deviation());
  append(*net, in + 1, in, 3);
  net->append(nn::flatten());
  net->append(weighted(std::make_shared<nn::Linear>(map.height * map.width * in, in, random)));
  net->append(nn::fn(activate));
  net->append(weighted(std::make_shared<nn::Linear>(in, 1, random)));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
