#include "gan/networks/shared_stacks.h"

#include <bit>

#include "gan/networks/stages.h"
#include "gan/networks/translator.h"
#include "nn/init.h"

namespace forger::gan {

SharedFirst::SharedFirst(nn::LayerPtr shared_layers, nn::LayerPtr of_a, nn::LayerPtr of_b)
    : shared(child("shared", std::move(shared_layers))),
      own_a(child("a", std::move(of_a))),
      own_b(child("b", std::move(of_b))) {}

SharedLast::SharedLast(nn::LayerPtr of_a, nn::LayerPtr of_b, std::shared_ptr<nn::Sequential> shared_layers)
    : own_a(child("a", std::move(of_a))),
      own_b(child("b", std::move(of_b))),
      shared(child("shared", std::move(shared_layers))) {}

Tensor SharedLast::both(const Tensor& of_a, const Tensor& of_b) {
  return (*shared)(concat(std::vector<Tensor>{(*own_a)(of_a), (*own_b)(of_b)}, 0));
}

Tensor first_half(const Tensor& both) { return slice(both, 0, 0, both.size(0) / 2); }
Tensor second_half(const Tensor& both) { return slice(both, 0, both.size(0) / 2, both.size(0)); }

Tensor domains_of(const Tensor& logits) {
  const Tensor half = zeros({logits.size(0) / 2}, logits.dtype(), logits.device());
  return concat(std::vector<Tensor>{half, half + 1}, 0);
}

Tensor domain_accuracy(const Tensor& logits) {
  const Tensor says_b = greater(logits, zeros(logits.shape(), logits.dtype(), logits.device()));
  return mean(equal(says_b, domains_of(logits)));
}

Tensor with_channels(const Tensor& x, int64_t channels) {
  return broadcast_to(x, {x.size(0), x.size(1), x.size(2), channels});
}

void require_domains(const std::string& who, const Shape& a, const Shape& b) {
  for (const Shape& image : {a, b}) require_images(who, image);
  check<UsageError>(a[0] == b[0] && a[1] == b[1], who, " takes two domains of one size, not ", a, " and ", b);
}

// ---- DCGAN's ----

namespace {

using Stack = std::shared_ptr<nn::Sequential>;

// How often a picture is halved; the window to and from the smallest map is a stage more.
int64_t depth_of(Extent size) { return std::countr_zero(static_cast<uint64_t>(halvings(size))); }

void check_shared(int64_t shared, Extent size) {
  check<UsageError>(shared <= depth_of(size), "--shared ", shared, ": networks of ", size.height, 'x', size.width,
                    " pixels can share up to ", depth_of(size), " stages, and the one at the picture is each its own");
}

}  // namespace

std::shared_ptr<SharedFirst> shared_generators(int64_t latent, int64_t width, int64_t shared, const Shape& a,
                                               const Shape& b, Random& random) {
  const Extent size = extent_of(a);
  check_shared(shared, size);
  const int64_t depth = depth_of(size);
  GeneratorStages stages(smallest(size), random, nullptr);
  const auto channels = [&](int64_t stage) { return width * halvings(size) / 2 >> stage; };
  const auto part = [&](int64_t first, int64_t end, int64_t image_channels) {
    auto net = std::make_shared<nn::Sequential>();
    if (first == 0) net->append(nn::reshape_to({1, 1, latent}));
    for (int64_t i = first; i < std::min(end, depth); i++)
      stages.append(*net, i == 0 ? latent : channels(i - 1), channels(i), i == 0 ? smallest(size) : Extent(kernel),
                    i == 0 ? project : halve);
    if (end > depth) {
      net->append(std::make_shared<nn::ConvTranspose2d>(width, image_channels, kernel, halve, random, false));
      net->append(nn::tanh());
    }
    nn::init_dcgan(*net, random);
    return net;
  };
  const Stack deep = part(0, shared, 0), of_a = part(shared, depth + 1, a[2]), of_b = part(shared, depth + 1, b[2]);
  return std::make_shared<SharedFirst>(deep, of_a, of_b);
}

std::shared_ptr<SharedLast> shared_encoders(int64_t outputs, int64_t width, int64_t shared, const Shape& a,
                                            const Shape& b, DNorm norm, Random& random) {
  const Extent size = extent_of(a);
  check_shared(shared, size);
  const int64_t depth = depth_of(size), own = depth + 1 - shared;
  const auto append = [&](nn::Sequential& net, DiscriminatorStages& stages, int64_t i, int64_t image_channels) {
    stages.append(net, i == 0 ? image_channels : width << (i - 1), width << i, kernel, halve, /*normed=*/i > 0);
  };
  const auto begin = [&](const Shape& image) {
    auto net = std::make_shared<nn::Sequential>();
    DiscriminatorStages stages(size, norm, random);
    for (int64_t i = 0; i < own; i++) append(*net, stages, i, image[2]);
    return net;
  };
  const Stack of_a = begin(a), of_b = begin(b), deep = std::make_shared<nn::Sequential>();
  DiscriminatorStages stages({size.height >> own, size.width >> own}, norm, random);
  for (int64_t i = own; i < depth; i++) append(*deep, stages, i, 0);
  deep->append(stages.head(width << (depth - 1), outputs, smallest(size), project));
  deep->append(nn::reshape_to(outputs == 1 ? Shape{} : Shape{outputs}));
  return std::make_shared<SharedLast>(of_a, of_b, deep);
}

// ---- UNIT's ----

namespace {

Stack residual_blocks(int64_t count, int64_t channels, Random& random) {
  const nn::ResidualParts parts{.activation = [](int64_t c) -> nn::LayerPtr {
                                  return std::make_shared<nn::InstanceNorm>(
                                      c, NormOptions{.activation = kernels::Activation::relu});
                                },
                                .conv = [&](int64_t in, int64_t out, int64_t) -> nn::LayerPtr {
                                  return std::make_shared<nn::Conv2d>(in, out, 3, same, random, false);
                                }};
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < count; i++) net->append(nn::residual_block(channels, channels, nn::Resample::none, parts));
  nn::init_dcgan(*net, random);
  return net;
}

}  // namespace

std::shared_ptr<SharedLast> map_encoders(int64_t width, int64_t blocks, int64_t shared, const Shape& a, const Shape& b,
                                         Random& random) {
  const Stack of_a = resnet_encoder(a[2], width, blocks, random), of_b = resnet_encoder(b[2], width, blocks, random);
  return std::make_shared<SharedLast>(of_a, of_b, residual_blocks(shared, 4 * width, random));
}

std::shared_ptr<SharedFirst> map_decoders(int64_t width, int64_t blocks, int64_t shared, const Shape& a, const Shape& b,
                                          Random& random) {
  const Stack deep = residual_blocks(shared, 4 * width, random);
  const Stack of_a = resnet_decoder(a[2], width, blocks, random), of_b = resnet_decoder(b[2], width, blocks, random);
  return std::make_shared<SharedFirst>(deep, of_a, of_b);
}

}  // namespace forger::gan
