// Architectures: what goes in and what comes out, at every size; which norms are where.
#include "core/autograd.h"
#include "gan/networks/arch.h"
#include "gan/networks/autoencoder.h"
#include "gan/networks/resnet.h"
#include "gan/networks/translator.h"
#include "gan/recipe.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

Settings with(const std::string& arch, const std::string& recipe = "dcgan") {
  Settings settings = settings_for(find_recipe(recipe));
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"arch", arch}, {"width", "2"}, {"latent", "5"}})
    settings.set(key, value);
  return settings;
}

template <class M>
int64_t count(const nn::Module& network) {
  int64_t n = 0;
  network.visit([&](const nn::Module& module) { n += dynamic_cast<const M*>(&module) != nullptr; });
  return n;
}

}  // namespace

TEST_CASE("networks: every architecture makes samples and judges them, whatever their size") {
  for (const char* arch : {"dcgan", "sndcgan", "resnet", "mlp"}) {
    for (const Shape& sample : {Shape{16, 16, 1}, Shape{32, 32, 3}, Shape{16, 24, 3}, Shape{64, 64, 1}}) {
      INFO(arch << " " << sample);
      Random random(1);
      const GanNetworks networks = build_networks(with(arch), sample, random);
      const Tensor fake = (*networks.generator)(random.normal({2, 5}));
      CHECK(fake.shape() == Shape{2, sample[0], sample[1], sample[2]});
      for (const double x : fake.to_vector()) REQUIRE(std::abs(x) <= 1);
      const Tensor scores = (*networks.discriminator)(fake);
      CHECK(scores.shape() == Shape{2});
      for (const nn::LayerPtr& network : {networks.generator, networks.discriminator}) {  // every parameter counts
        const nn::NamedTensors parameters = network->parameters();
        const Tensor judged = (*networks.discriminator)((*networks.generator)(random.normal({2, 5})));
        const Tensor loss = sum(judged * from_values({2}, std::vector<double>{1, -2}));
        for (const Tensor& gradient : grad(std::span(&loss, 1), nn::tensors_of(parameters))) CHECK(gradient.defined());
      }
    }
  }
}

TEST_CASE("networks: norms where the system bears them") {
  Random random(2);
  const Shape image{32, 32, 1};
  CHECK(count<nn::BatchNorm>(*build_networks(with("dcgan"), image, random).discriminator) == 2);
  CHECK(count<nn::BatchNorm>(*build_networks(with("dcgan", "wgan-gp"), image, random).discriminator) == 0);
  CHECK(count<nn::SpectralNorm>(*build_networks(with("resnet"), image, random).discriminator) == 11);
  CHECK(count<nn::SpectralNorm>(*build_networks(with("resnet", "wgan-gp"), image, random).discriminator) == 0);
  CHECK(count<nn::BatchNorm>(*build_networks(with("resnet", "wgan-gp"), image, random).discriminator) == 0);
}

TEST_CASE("networks: what an architecture does not take is one line") {
  Random random(3);
  const auto refused = [&](const std::string& arch, const Shape& sample) {
    return error_of<UsageError>([&] { build_networks(with(arch), sample, random); });
  };
  CHECK(refused("vgg", {32, 32, 1}) == "--arch 'vgg' is not known; there are: dcgan, mlp, resnet, sndcgan");
  CHECK(refused("resnet", {2}) == "--arch resnet takes images; points take mlp");
  CHECK(refused("resnet", {20, 20, 1}).find("--arch resnet takes --size 16, 32") == 0);
  CHECK(refused("mlp", {2}).empty());
}

TEST_CASE("networks: ResNets of the paper's size have the paper's parameters") {
  Random random(4);
  const auto numbers = [](const nn::Module& network) {
    int64_t n = 0;
    for (const nn::Named& each : network.parameters()) n += each.tensor.numel();
    return n;
  };
  // 256 channels of G, 128 of D, for 32x32x3; counted by hand from the tables.
  const int64_t c = 256, block = 2 * (9 * c * c + c) + c * c + c + 4 * c;
  CHECK(numbers(*resnet_generator(128, 128, 3, 32, random)) ==
        128 * 16 * c + 16 * c + 3 * block + 2 * c + 9 * c * 3 + 3);
  const int64_t d = 128, conv = 9 * d * d + d, point = d * d + d;
  CHECK(numbers(*resnet_discriminator(128, 3, 32, true, random)) ==
        (9 * 3 * d + d) + conv + (3 * d + d) + (2 * conv + point) + 2 * (2 * conv) + d + 1);
}

TEST_CASE("networks: a translator keeps the size, and sees the image reflected at its edges") {
  Random random(5);
  const auto net = resnet_translator(1, 3, 4, 2, random);
  CHECK((*net)(random.uniform({2, 16, 24, 1}, -1, 1)).shape() == Shape{2, 16, 24, 3});
  // A constant image is constant beyond its edges, too: the first layer's map has no border.
  const auto same = resnet_translator(1, 1, 4, 0, random);
  const Tensor flat = (*same)(full({1, 16, 16, 1}, 0.5));
  CHECK(flat.shape() == Shape{1, 16, 16, 1});
  CHECK_THROWS_AS((*net)(zeros({1, 2, 2, 1})), ShapeError);
}

TEST_CASE("networks: an autoencoder rebuilds from a code") {
  Random random(6);
  Autoencoder net(7, 2, 3, {16, 24}, random);
  const Tensor x = random.uniform({2, 16, 24, 3}, -1, 1);
  CHECK(net.encode(x).shape() == Shape{2, 7});
  CHECK(net(x).shape() == x.shape());
  net.eval();
  CHECK(net(x).to_vector() == net.decode(net.encode(x)).to_vector());
}
