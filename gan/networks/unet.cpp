#include "gan/networks/unet.h"

#include "core/error.h"
#include "gan/networks/stages.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

nn::LayerPtr norm(int64_t channels, kernels::Activation activation) {
  return std::make_shared<nn::BatchNorm>(channels, NormOptions{.activation = activation, .slope = slope});
}

}  // namespace

UNet::UNet(int64_t in_channels, int64_t out_channels, int64_t width, Extent size, Random& random) {
  const int64_t shorter = std::min(size.height, size.width);
  std::vector<int64_t> channels;
  for (int64_t side = shorter; side > 2; side /= 2) {
    check<UsageError>(side % 2 == 0, "a U-Net takes sides that halve to 2, not ", shorter);
    channels.push_back(width * std::min<int64_t>(8, int64_t{1} << channels.size()));
  }
  const size_t levels = channels.size();
  for (size_t i = 0; i < levels; i++) {
    const bool normed = i > 0 && i + 1 < levels;
    auto layer = std::make_shared<nn::Sequential>();
    const Conv2dOptions options = normed ? halve : with_leaky_relu(halve, slope);
    layer->append(std::make_shared<nn::Conv2d>(i == 0 ? in_channels : channels[i - 1], channels[i], kernel, options,
                                               random, !normed));
    if (normed) layer->append(norm(channels[i], kernels::Activation::leaky_relu));
    down_.push_back(child("down" + std::to_string(i), layer));
  }
  for (size_t i = 0; i < levels; i++) {  // from level i to the one outside of it
    auto layer = std::make_shared<nn::Sequential>();
    const int64_t in = channels[i] * (i + 1 < levels ? 2 : 1), out = i == 0 ? out_channels : channels[i - 1];
    layer->append(std::make_shared<nn::ConvTranspose2d>(in, out, kernel, halve, random, i == 0));
    if (i > 0) layer->append(norm(out, kernels::Activation::relu));
    const int64_t shrunk = int64_t{1} << i;
    const bool drops = i > 0 && i + 2 >= levels;
    dropped_.push_back(drops ? Shape{size.height / shrunk, size.width / shrunk, out} : Shape{0});
    noise_ += dropped_.back().numel();
    if (i == 0) layer->append(nn::tanh());
    up_.push_back(child("up" + std::to_string(i), layer));
  }
  nn::init_dcgan(*this, random);
}

Tensor UNet::forward(const Tensor& x, const Tensor& z) {
  std::vector<Tensor> maps;
  for (const auto& layer : down_) maps.push_back((*layer)(maps.empty() ? x : maps.back()));
  Tensor y = maps.back();
  int64_t used = 0;  // of the noise
  for (size_t i = up_.size(); i-- > 0;) {
    if (i + 1 < up_.size()) y = concat(std::vector<Tensor>{y, maps[i]}, 3);
    y = (*up_[i])(y);
    if (!z.defined() || dropped_[i].numel() == 0) continue;
    const Tensor part = reshape(slice(z, 1, used, used + dropped_[i].numel()), y.shape());
    y = y * (2 * greater(part, full_like(part, 0.5)));
    used += dropped_[i].numel();
  }
  return y;
}

std::shared_ptr<nn::Sequential> patch_discriminator(int64_t channels, int64_t width, int64_t field, Extent size,
                                                    DNorm norm, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  DiscriminatorStages stages(size, norm, random, /*biased=*/true);
  constexpr Conv2dOptions keep{.stride = 1, .padding = 1};  // of a 4x4 kernel: one less
  if (field == 1) {
    stages.append(*net, channels, width, 1, project, /*normed=*/false);
    stages.append(*net, width, 2 * width, 1, project);
    net->append(stages.head(2 * width, 1, 1, project));
  } else {
    const int halvings = field == 16 ? 1 : field == 34 ? 2 : field == 70 ? 3 : 0;
    check<UsageError>(halvings > 0, "--field ", field,
                      " is not known; there are: 1, 16, 34, 70, and 0 for the whole image where a system has it");
    int64_t in = channels, out = width;
    for (int i = 0; i < halvings; i++, in = out, out = std::min(8 * width, 2 * out))
      stages.append(*net, in, out, kernel, halve, /*normed=*/i > 0);
    stages.append(*net, in, out, kernel, keep);
    net->append(stages.head(out, 1, kernel, keep));
  }
  return net;
}

}  // namespace forger::gan
