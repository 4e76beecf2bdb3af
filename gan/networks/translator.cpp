#include "gan/networks/translator.h"

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

}  // namespace

std::shared_ptr<nn::Sequential> resnet_translator(int64_t in_channels, int64_t out_channels, int64_t width,
                                                  int64_t blocks, Random& random) {
  auto net = std::make_shared<nn::Sequential>();
  const auto normed = [&](int64_t channels) { net->append(norm(channels, kernels::Activation::relu)); };
  append_same(*net, in_channels, width, 7, random, false);
  normed(width);
  for (const int64_t multiple : {1, 2}) {
    net->append(std::make_shared<nn::Conv2d>(multiple * width, 2 * multiple * width, kernel, halve, random, false));
    normed(2 * multiple * width);
  }
  for (int64_t i = 0; i < blocks; i++) net->append(residual_block(4 * width, random));
  for (const int64_t multiple : {2, 1}) {
    net->append(
        std::make_shared<nn::ConvTranspose2d>(2 * multiple * width, multiple * width, kernel, halve, random, false));
    normed(multiple * width);
  }
  append_same(*net, width, out_channels, 7, random, true);
  net->append(nn::tanh());
  nn::init_dcgan(*net, random);
  return net;
}

}  // namespace forger::gan
