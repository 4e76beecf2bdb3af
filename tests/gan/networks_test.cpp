// Architectures: shapes at every size, the papers' numbers of parameters, what normalises a discriminator, and what is
// refused.
#include "gan/networks/arch.h"

#include "core/autograd.h"
#include "gan/networks/autoencoder.h"
#include "gan/networks/resnet.h"
#include "gan/networks/translator.h"
#include "nn/init.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

int64_t count(const nn::NamedTensors& tensors) {
  int64_t numbers = 0;
  for (const auto& [name, tensor] : tensors) numbers += tensor.numel();
  return numbers;
}

bool has_buffer(const nn::Module& net, const std::string& ending) {
  return std::ranges::any_of(net.buffers(), [&](const nn::Named& b) { return b.name.ends_with(ending); });
}

Settings with(const std::string& arch, const std::string& recipe = "dcgan") {
  Settings settings = settings_for(find_recipe(recipe));
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"arch", arch}, {"width", "4"}, {"latent", "8"}})
    settings.set(key, value);
  return settings;
}

const std::vector<std::pair<std::string, std::vector<DNorm>>> norms_of{{"dcgan", {DNorm::batch, DNorm::none}},
                                                                       {"sndcgan", {DNorm::spectral, DNorm::none}},
                                                                       {"resnet", {DNorm::spectral, DNorm::none}},
                                                                       {"mlp", {DNorm::none}}};

}  // namespace

TEST_CASE("networks refuse sizes they cannot have") {
  CHECK_NOTHROW(require_images("dcgan", {32, 32, 1}));
  CHECK_THROWS_WITH(require_images("dcgan", {48, 48, 1}), Catch::Contains("not 48"));
  CHECK_THROWS_WITH(require_images("dcgan", {8, 8, 1}), Catch::Contains("not 8"));
  CHECK_NOTHROW(require_images("dcgan", {32, 64, 1}));
  CHECK_NOTHROW(require_images("dcgan", {96, 64, 3}));
  CHECK_THROWS_WITH(require_images("dcgan", {32, 60, 1}), Catch::Contains("not 32x60"));
  CHECK_THROWS_WITH(require_images("dcgan", {32, 32, 4}), Catch::Contains("32x32x4"));
  CHECK_THROWS_WITH(require_images("dcgan", {2}), Catch::Contains("images"));
}

TEST_CASE("a generator makes images in [-1, 1], a discriminator one number each, at every size") {
  Random random(0);
  for (const auto& [arch, norms] : norms_of)
    for (const Extent size : {Extent(16), Extent(32), Extent(64), Extent(16, 24), Extent(32, 128), Extent(96, 64)}) {
      INFO(arch << ' ' << size.height << 'x' << size.width);
      const Shape sample{size.height, size.width, 3};
      const auto [g, d] = build_networks(with(arch), sample, random);
      const Tensor images = (*g)(random.normal({2, 8}));
      CHECK(images.shape() == Shape{2, size.height, size.width, 3});
      CHECK(max(abs(images)).item() <= 1);
      CHECK((*d)(images).shape() == Shape{2});
    }
}

TEST_CASE("every parameter of an architecture has a say in the loss") {
  Random random(1);
  for (const auto& [arch, norms] : norms_of) {
    const auto [g, d] = build_networks(with(arch), {16, 16, 1}, random);
    const Tensor loss = sum((*d)((*g)(random.normal({3, 8}))) * from_values({3}, std::vector<double>{1, -2, 4}));
    nn::NamedTensors parameters = g->parameters();
    for (const nn::Named& named : d->parameters()) parameters.push_back(named);
    const std::vector<Tensor> gradients = grad(std::span(&loss, 1), nn::tensors_of(parameters));
    for (size_t i = 0; i < parameters.size(); i++) {
      INFO(arch << ' ' << parameters[i].name << ' ' << parameters[i].tensor.shape());
      CHECK(max(abs(gradients[i])).item() > 0);
    }
  }
}

TEST_CASE("what bounds the slope at each sample stands beside no norm over the batch") {
  Random random(2);
  const Shape image{16, 16, 1};
  Settings penalised = with("dcgan");
  penalised.add({"penalty", "gp", ""});
  CHECK_FALSE(has_buffer(*build_networks(penalised, image, random).discriminator, ".running_mean"));
  penalised.set("penalty", "none");
  CHECK(has_buffer(*build_networks(penalised, image, random).discriminator, ".running_mean"));
}

TEST_CASE("a discriminator has the norm that is asked for, its architecture's own where none is") {
  for (const auto& [arch, norms] : norms_of)
    for (const DNorm norm : {DNorm::none, DNorm::batch, DNorm::spectral}) {
      INFO(arch << ' ' << static_cast<int>(norm));
      const Shape image{16, 16, 1};
      Random random(1), twin(1);
      if (std::ranges::find(norms, norm) == norms.end()) {
        CHECK_THROWS_AS(build_networks(with(arch), image, random, norm), UsageError);
        continue;
      }
      const auto [g, d] = build_networks(with(arch), image, random, norm);
      CHECK(has_buffer(*d, ".running_mean") == (norm == DNorm::batch));
      CHECK(has_buffer(*d, ".u") == (norm == DNorm::spectral));
      const auto own = build_networks(with(arch), image, twin);
      CHECK(identical(own.generator->state(), g->state()));
      CHECK(identical(own.discriminator->state(), d->state()) == (norm == norms.front()));

      // But for a norm over the batch, what stands beside a sample does not matter: a penalty is per sample.
      const Tensor x = random.uniform({4, 16, 16, 1}, -1, 1);
      if (norm == DNorm::spectral) d->eval();  // no power iteration between the two
      const double alone = (*d)(slice(x, 0, 0, 2)).to_vector()[0], among_four = (*d)(x).to_vector()[0];
      CHECK((std::abs(alone - among_four) < 1e-5 * std::max(1.0, std::abs(alone))) == (norm != DNorm::batch));
    }
}

TEST_CASE("architectures: one line says what does not fit, and what would do") {
  Random random(1);
  const auto error = [&](const std::string& arch, const Shape& sample, std::optional<DNorm> norm) {
    return error_of<UsageError>([&] { build_networks(with(arch), sample, random, norm); });
  };
  CHECK(error("dcgam", {16, 16, 1}, {}) == "--arch 'dcgam' is not known; there are: dcgan, mlp, resnet, sndcgan");
  CHECK(error("resnet", {2}, {}) == "--arch resnet takes images; points take mlp");
  CHECK(error("mlp", {2}, {}).empty());
  CHECK(error("mlp", {28, 28, 1}, {}).empty());
  CHECK(contains(error("dcgan", {28, 28, 1}, {}), "--arch dcgan takes --size 16, 32, 64"));
  CHECK(contains(error("sndcgan", {16, 20, 1}, {}), "multiples of 8, not 16x20"));
  CHECK(error("mlp", {16, 16, 1}, DNorm::spectral) ==
        "--arch mlp has no discriminator under spectral norm, which dcgan needs; these have: resnet, sndcgan");
}

TEST_CASE("systems without conditions train on every architecture that has what they need") {
  for (const std::string recipe : {"dcgan", "wgan-gp", "sngan", "gan"})
    for (const auto& [arch, norms] : norms_of) {
      INFO(recipe << " --arch " << arch);
      RecipeCase row{recipe, recipe, {{.name = "image", .sample = {16, 16, 1}}}, "", {{"arch", arch}}};
      const auto settings = settings_of(row);
      if (recipe == "sngan" && std::ranges::find(norms, DNorm::spectral) == norms.end()) {
        CHECK_THROWS_AS(make(row, settings), UsageError);
        continue;
      }
      const auto made = make(row, settings);
      CHECK_FALSE((recipe == "wgan-gp" && has_buffer(*made->networks()[1].module, ".running_mean")));
      Random random(1);
      for (const auto& [name, value] : look_at(made->step([&] { return batch_of(row.columns, random); }))) {
        INFO(name);
        CHECK(std::isfinite(value));
      }
    }
}

TEST_CASE("ResNet-32 has the paper's parameters") {
  Random random(1);
  const auto conv = [](int64_t in, int64_t out, int64_t window) { return (in * window * window + 1) * out; };
  const int64_t g = 256, d = 128, norm = 2 * g;
  const auto generator = resnet_generator(128, 128, 3, 32, random);
  CHECK(count(generator->parameters()) ==
        (128 + 1) * 4 * 4 * g + 3 * (2 * conv(g, g, 3) + conv(g, g, 1) + 2 * norm) + norm + conv(g, 3, 3));
  for (const bool spectral_norm : {false, true}) {
    const auto discriminator = resnet_discriminator(128, 3, 32, spectral_norm, random);
    CHECK(count(discriminator->parameters()) == conv(3, d, 3) + conv(d, d, 3) + conv(3, d, 1)  // down, from the image
                                                    + 2 * conv(d, d, 3) + conv(d, d, 1)        // down
                                                    + 4 * conv(d, d, 3) + (d + 1));            // two blocks, linear
  }
}

TEST_CASE("a ResNet begins without biases and with Xavier's weights, of twice the variance inside the blocks") {
  Random random(2);
  const auto net = resnet_discriminator(32, 3, 16, false, random);
  for (const auto& [name, tensor] : net->parameters()) {
    INFO(name << ' ' << tensor.shape());
    const double largest = max(abs(tensor)).item();
    if (tensor.rank() == 1) {
      CHECK(largest == 0);
      continue;
    }
    const double fans = static_cast<double>(nn::fan_in(tensor)) + static_cast<double>(tensor.numel() / tensor.size(-1));
    const double gain = tensor.rank() == 4 && tensor.size(1) == 3 ? std::sqrt(2.0) : 1;
    const double bound = gain * std::sqrt(6 / fans);
    CHECK(largest <= bound * (1 + 1e-6));
    CHECK(largest > 0.8 * bound);
  }
}

TEST_CASE("an autoencoder brings an image through its code") {
  Random random(3);
  Autoencoder net(5, 4, 3, Extent(16, 24), random);
  const Tensor x = random.uniform({2, 16, 24, 3}, -1, 1);
  net.eval();
  const Tensor code = net.encode(x), y = net(x);
  CHECK(code.shape() == Shape{2, 5});
  CHECK(y.shape() == x.shape());
  CHECK(max(abs(y)).item() <= 1);
  CHECK(net.decode(code).to_vector() == y.to_vector());
  // The code is all that the decoder sees.
  CHECK(net.decode(code + 1.0).to_vector() != y.to_vector());
  CHECK(net.parameters().front().name.starts_with("encoder."));
}

TEST_CASE("a ResNet translator keeps sides and changes channels") {
  Random random(4);
  const auto net = resnet_translator(3, 1, 4, 2, random);
  CHECK((*net)(random.uniform({2, 16, 24, 3}, -1, 1)).shape() == Shape{2, 16, 24, 1});
}
