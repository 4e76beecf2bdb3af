#include "gan/networks/translator.h"

#include "nn/blocks.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

// The `reach` rows (axis 1) or columns (axis 2) next to each edge, mirrored beyond it; the edge itself stands once.
Tensor reflected(const Tensor& x, int axis, int64_t reach) {
  const int64_t size = x.size(axis);
  check<ShapeError>(reach < size, "[reflect] ", reach, " beyond the edge of a map of ", size);
  std::vector<Tensor> parts;
  for (int64_t i = reach; i > 0; i--) parts.push_back(slice(x, axis, i, i + 1));
  parts.push_back(x);
  for (int64_t i = 1; i <= reach; i++) parts.push_back(slice(x, axis, size - 1 - i, size - i));
  return concat(parts, axis);
}

nn::LayerPtr reflect(int64_t reach) {
  return nn::fn([reach](const Tensor& x) { return reflected(reflected(x, 1, reach), 2, reach); });
}

nn::LayerPtr norm(int64_t channels, kernels::Activation activation) {
  return std::make_shared<nn::InstanceNorm>(channels, NormOptions{.activation = activation});
}

// A convolution that keeps the map, of an odd window.
void append_same(nn::Sequential& net, int64_t in, int64_t out, int64_t window, Random& random, bool bias) {
  net.append(reflect(window / 2));
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
