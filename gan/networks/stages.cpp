#include "gan/networks/stages.h"

#include "nn/init.h"

namespace forger::gan {

void GeneratorStages::append(nn::Sequential& net, int64_t in, int64_t out, Extent window,
                             const Conv2dOptions& options) {
  net.append(std::make_shared<nn::ConvTranspose2d>(in, out, window, options, random_, false));
  net.append(std::make_shared<nn::BatchNorm>(out, NormOptions{.activation = kernels::Activation::relu}));
  if (noise_) net.append(noise_->after({map_.height, map_.width, out}));
  map_ = {2 * map_.height, 2 * map_.width};
}

nn::LayerPtr DiscriminatorStages::conv(int64_t in, int64_t out, Extent window, const Conv2dOptions& options,
                                       bool bias) {
  auto made = std::make_shared<nn::Conv2d>(in, out, window, options, random_, bias);
  nn::init_dcgan(*made, random_);
  const auto after = [&](int64_t side, int64_t of_window) {
    return (side + 2 * options.padding - of_window) / options.stride + 1;
  };
  map_ = {after(map_.height, window.height), after(map_.width, window.width)};
  return bounded(made, norm_, random_);
}

void DiscriminatorStages::append(nn::Sequential& net, int64_t in, int64_t out, Extent window,
                                 const Conv2dOptions& options, bool normed) {
  const bool between = normed && stands_between(norm_);
  net.append(conv(in, out, window, between ? options : with_leaky_relu(options, slope), biased_ && !between));
  if (!between) return;
  const nn::LayerPtr norm = norm_layer(norm_, {map_.height, map_.width, out}, kernels::Activation::leaky_relu, slope);
  nn::init_dcgan(*norm, random_);
  net.append(norm);
}

nn::LayerPtr DiscriminatorStages::head(int64_t in, int64_t out, Extent window, const Conv2dOptions& options) {
  return conv(in, out, window, options, biased_);
}

}  // namespace forger::gan
