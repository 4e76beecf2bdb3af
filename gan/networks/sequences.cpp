#include "gan/networks/sequences.h"

namespace forger::gan {
namespace {

// Along the sequence alone: 5 wide within the blocks, whatever they ask for, 1 at their ends.
std::shared_ptr<nn::Conv2d> along(int64_t in, int64_t out, int64_t window, Random& random) {
  const Conv2dOptions keep{.stride = 1, .padding = window / 2, .padding_w = 0};
  return std::make_shared<nn::Conv2d>(in, out, nn::Extent(window, 1), keep, random);
}

constexpr int64_t window = 5;

void append_blocks(nn::Sequential& net, int64_t blocks, int64_t width, const nn::ResidualParts& parts) {
  for (int64_t i = 0; i < blocks; i++) net.append(nn::residual_block(width, width, nn::Resample::none, parts));
}

}  // namespace

std::shared_ptr<nn::Sequential> sequence_generator(int64_t latent, int64_t width, int64_t blocks, const Shape& rows,
                                                   Random& random) {
  const int64_t length = rows[0], letters = rows[1];
  auto net = std::make_shared<nn::Sequential>();
  net->append(std::make_shared<nn::Linear>(latent, length * width, random));
  net->append(nn::reshape_to({length, 1, width}));
  append_blocks(*net, blocks, width,
                {.activation = [](int64_t) { return nn::relu(); },
                 .conv = [&](int64_t in, int64_t out, int64_t) { return along(in, out, window, random); }});
  net->append(along(width, letters, 1, random));
  net->append(nn::reshape_to({length, letters}));
  return net;
}

std::shared_ptr<nn::Sequential> sequence_critic(int64_t width, int64_t blocks, const Shape& rows, DNorm norm,
                                                Random& random) {
  const int64_t length = rows[0], letters = rows[1];
  auto net = std::make_shared<nn::Sequential>();
  net->append(nn::reshape_to({length, 1, letters}));
  net->append(bounded(along(letters, width, 1, random), norm, random));
  append_blocks(*net, blocks, width,
                {.activation = [&](int64_t c) -> nn::LayerPtr {
                   if (!stands_between(norm)) return nn::relu();
                   return norm_layer(norm, {length, 1, c}, kernels::Activation::relu);
                 },
                 .conv = [&](int64_t in, int64_t out,
                             int64_t) { return bounded(along(in, out, window, random), norm, random); }});
  net->append(nn::flatten());
  net->append(bounded(std::make_shared<nn::Linear>(length * width, 1, random), norm, random));
  net->append(nn::reshape_to({}));  // (N, 1) -> (N)
  return net;
}

}  // namespace forger::gan
