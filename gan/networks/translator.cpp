#include "gan/networks/translator.h"

#include "gan/networks/stages.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

nn::LayerPtr norm(int64_t channels, kernels::Activation activation) {
  return std::make_shared<nn::InstanceNorm>(channels, NormOptions{.activation = activation});
}

// A convolution that keeps the map, of an odd window.
void append_same(nn::Sequential& net, int64_t in, int64_t out, int64_t window, Random& random, bool bias) {
  net.append(nn::reflect(window / 2));
  net.append(std::make_shared<nn::Conv2d>(in, out, window, project, random, bias));
}

// x + norm(3x3(relu(norm(3x3(x)))))
nn::LayerPtr residual_block(int64_t channels, Random& random) {
  auto body = std::make_shared<nn::Sequential>();
  append_same(*body, channels, channels, 3, random, false);
  body->append(norm(channels, kernels::Activation::relu));
  append_same(*body, channels, channels, 3, random, false);
  body->append(norm(channels, kernels::Activation::none));
  return std::make_shared<nn::Residual>(body);
}

void append_normed(nn::Sequential& net, int64_t channels) { net.append(norm(channels, kernels::Activation::relu)); }

void append_encoder(nn::Sequential& net, int64_t in_channels, int64_t width, Random& random) {
  append_same(net, in_channels, width, 7, random, false);
  append_normed(net, width);
  for (const int64_t multiple : {1, 2}) {
    net.append(std::make_shared<nn::Conv2d>(multiple * width, 2 * multiple * width, kernel, halve, random, false));
    append_normed(net, 2 * multiple * width);
  }
}

void append_blocks(nn::Sequential& net, int64_t width, int64_t blocks, Random& random) {
  for (int64_t i = 0; i < blocks; i++) net.append(residual_block(4 * width, random));
}

void append_decoder(nn::Sequential& net, int64_t out_channels, int64_t width, Random& random) {
  for (const int64_t multiple : {2, 1}) {
    net.append(
        std::make_shared<nn::ConvTranspose2d>(2 * multiple * width, multiple * width, kernel, halve, random, false));
    append_normed(net, multiple * width);
  }
  append_same(net, width, out_channels, 7, random, true);
  net.append(nn::tanh());
}

// Without an encoder where there are no channels to come in, without a decoder where none go out.
std::shared_ptr<nn::Sequential> resnet(int64_t in_channels, int64_t out_channels, int64_t width, int64_t blocks,
                                       Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  if (in_channels > 0) append_encoder(*net, in_channels, width, random);
  append_blocks(*net, width, blocks, random);
  if (out_channels > 0) append_decoder(*net, out_channels, width, random);
  nn::init_dcgan(*net, random);
  return net;
}

}  // namespace

std::shared_ptr<nn::Sequential> resnet_translator(int64_t in_channels, int64_t out_channels, int64_t width,
                                                  int64_t blocks, Random& random) {
  return resnet(in_channels, out_channels, width, blocks, random);
}

std::shared_ptr<nn::Sequential> resnet_encoder(int64_t in_channels, int64_t width, int64_t blocks, Random& random) {
  return resnet(in_channels, 0, width, blocks, random);
}

std::shared_ptr<nn::Sequential> resnet_decoder(int64_t out_channels, int64_t width, int64_t blocks, Random& random) {
  return resnet(0, out_channels, width, blocks, random);
}

std::shared_ptr<nn::Sequential> encoder_decoder(int64_t in_channels, int64_t out_channels, int64_t width, Extent size,
                                                Random& random) {
  auto net = std::make_shared<nn::Sequential>(), up = std::make_shared<nn::Sequential>();
  const int64_t most = halvings(size) / 2;  // width times this is the narrowest map's channels
  DiscriminatorStages down(size, DNorm::batch, random);
  down.append(*net, in_channels, width, kernel, halve, /*normed=*/false);
  for (int64_t multiple = 1; multiple < most; multiple *= 2)
    down.append(*net, width * multiple, 2 * width * multiple, kernel, halve);
  GeneratorStages stages(smallest(size), random, nullptr);
  for (int64_t multiple = most; multiple > 1; multiple /= 2)
    stages.append(*up, width * multiple, width * multiple / 2, kernel, halve);
  up->append(std::make_shared<nn::ConvTranspose2d>(width, out_channels, kernel, halve, random, false));
  up->append(nn::tanh());
  nn::init_dcgan(*up, random);
  net->append(up);
  return net;
}

}  // namespace forger::gan
