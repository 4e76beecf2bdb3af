// Architectures: shapes at every size, the papers' numbers of parameters, what normalises a discriminator, and what is
// refused.
#include "gan/networks/arch.h"

#include "core/autograd.h"
#include "gan/networks/autoencoder.h"
#include "gan/networks/multi_scale.h"
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

struct ArchCase {
  std::string name;
  DNorm own;  // of its discriminator
};
const std::vector<ArchCase> archs{{"dcgan", DNorm::batch}, {"sndcgan", DNorm::spectral}, {"resnet", DNorm::spectral},
                                  {"plain", DNorm::batch}, {"style", DNorm::none},       {"mlp", DNorm::none}};

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
  for (const auto& [arch, own] : archs)
    for (const Extent size : {Extent(16), Extent(32), Extent(64), Extent(16, 24), Extent(32, 128), Extent(96, 64)}) {
      INFO(arch << ' ' << size.height << 'x' << size.width);
      const Shape sample{size.height, size.width, 3};
      const auto g = build_generator(with(arch), sample, random), d = build_discriminator(with(arch), sample, random);
      const Tensor images = (*g)(random.normal({2, 8}));
      CHECK(images.shape() == Shape{2, size.height, size.width, 3});
      CHECK(max(abs(images)).item() <= 1);
      CHECK((*d)(images).shape() == Shape{2});
    }
}

TEST_CASE("every parameter of an architecture has a say in the loss, under every norm") {
  Random random(1);
  for (const auto& [arch, own] : archs)
    for (const char* norm : {"none", "batch", "layer", "instance", "spectral"}) {
      if (arch == "mlp" && norm == std::string("instance")) continue;
      Settings settings = with(arch);
      settings.set("d_norm", norm);
      const auto g = build_generator(settings, {16, 16, 1}, random),
                 d = build_discriminator(settings, {16, 16, 1}, random);
      const Tensor loss = sum((*d)((*g)(random.normal({3, 8}))) * from_values({3}, std::vector<double>{1, -2, 4}));
      nn::NamedTensors parameters = g->parameters();
      for (const nn::Named& named : d->parameters()) parameters.push_back(named);
      const std::vector<Tensor> gradients = grad(std::span(&loss, 1), nn::tensors_of(parameters));
      for (size_t i = 0; i < parameters.size(); i++) {
        INFO(arch << ", " << norm << ", " << parameters[i].name << ' ' << parameters[i].tensor.shape());
        CHECK(max(abs(gradients[i])).item() > 0);
      }
    }
}

TEST_CASE("a discriminator has the norm that is asked for, its architecture's own where none is") {
  const Shape image{16, 16, 1};
  for (const auto& [arch, own] : archs)
    for (const DNorm norm : {DNorm::none, DNorm::batch, DNorm::layer, DNorm::instance, DNorm::spectral}) {
      INFO(arch << ' ' << name_of(norm));
      Settings settings = with(arch);
      settings.set("d_norm", name_of(norm));
      Random random(1), twin(1);
      if (arch == "mlp" && norm == DNorm::instance) {
        CHECK_THROWS_AS(build_discriminator(settings, image, random), UsageError);
        continue;
      }
      const auto d = build_discriminator(settings, image, random);
      CHECK(has_buffer(*d, ".running_mean") == (norm == DNorm::batch));
      CHECK(has_buffer(*d, ".u") == (norm == DNorm::spectral));
      CHECK(identical(build_discriminator(with(arch), image, twin)->state(), d->state()) == (norm == own));

      // But for a norm over the batch, and a look at how much it deviates, what stands beside a sample does not matter:
      // a penalty is per sample.
      const Tensor x = random.uniform({4, 16, 16, 1}, -1, 1);
      if (norm == DNorm::spectral) d->eval();  // no power iteration between the two
      const double alone = (*d)(slice(x, 0, 0, 2)).to_vector()[0], among_four = (*d)(x).to_vector()[0];
      const bool by_itself = norm != DNorm::batch && arch != "style";
      CHECK((std::abs(alone - among_four) < 1e-5 * std::max(1.0, std::abs(alone))) == by_itself);
    }
}

TEST_CASE("what bounds the slope at each sample stands beside no norm over the batch, unless it is asked for") {
  Settings settings = with("dcgan");
  const auto norm = [&](const char* penalty, const char* wanted) {
    settings.set("penalty", penalty);
    settings.set("d_norm", wanted);
    return norm_of(settings, DNorm::batch);
  };
  for (const char* penalty : {"gp", "lp", "lp-linear", "dragan", "r1", "r2"}) {
    INFO(penalty);
    CHECK(norm(penalty, "auto") == DNorm::none);
    CHECK(norm(penalty, "batch") == DNorm::batch);
    CHECK(norm_of(settings, DNorm::spectral) == DNorm::batch);
  }
  CHECK(norm("none", "auto") == DNorm::batch);
  CHECK(norm("clip", "auto") == DNorm::batch);
  CHECK_THROWS_WITH(norm("none", "group"),
                    "--d-norm 'group' is not known; there are: none, batch, layer, instance, "
                    "spectral");
}

TEST_CASE("spectral norm is of the weights that a discriminator begins with") {
  Random random(3);
  for (const auto& [arch, own] : archs) {
    Settings settings = with(arch);
    settings.set("d_norm", "spectral");
    const auto d = build_discriminator(settings, {16, 16, 1}, random);
    d->eval();
    (*d)(random.uniform({2, 16, 16, 1}, -1, 1));
    d->visit([&](const nn::Module& module) {
      const auto* bounded = dynamic_cast<const nn::SpectralNorm*>(&module);
      if (bounded == nullptr) return;
      const Tensor w = bounded->parameters().front().tensor;
      const Tensor matrix = reshape(w, {w.size(0), -1}), gram = matmul(matrix, matrix, false, true);
      // Many more iterations than a step has.
      Tensor u = random.normal({w.size(0), 1});
      for (int i = 0; i < 300; i++) u = matmul(gram, u) / norm(matmul(gram, u));
      INFO(arch << ' ' << w.shape());
      const double largest = std::sqrt(norm(matmul(gram, u)).item());
      CHECK(bounded->sigma().item() < 1.001 * largest);
      CHECK(bounded->sigma().item() > 0.8 * largest);  // the iterations of a beginning come near
    });
  }
}

TEST_CASE("architectures: one line says what does not fit, and what would do") {
  Random random(1);
  const auto error = [&](const std::string& arch, const Shape& sample) {
    return error_of<UsageError>([&] { build_generator(with(arch), sample, random); });
  };
  CHECK(error("dcgam", {16, 16, 1}) ==
        "--arch 'dcgam' is not known; there are: dcgan, mlp, msg, plain, resnet, sndcgan, style");
  CHECK(error("resnet", {2}) == "--arch resnet takes images; points take --arch mlp");
  CHECK(error("mlp", {2}).empty());
  CHECK(error("mlp", {28, 28, 1}).empty());
  CHECK(error("plain", {28, 28, 1}).empty());
  CHECK(contains(error("dcgan", {28, 28, 1}), "--arch dcgan takes --size 16, 32, 64"));
  CHECK(contains(error("sndcgan", {16, 20, 1}), "multiples of 8, not 16x20"));
  CHECK(contains(error("plain", {16, 18, 1}), "multiples of 4, not 16x18"));
}

TEST_CASE("dropout in a generator is decided by its input, in training and in evaluation") {
  for (const auto& [arch, own] : archs) {
    INFO(arch);
    Random random(4);
    DropoutNoise noise(0.5);
    const auto g = build_generator(with(arch), {16, 16, 1}, random, &noise);
    REQUIRE(noise.size() > 0);
    g->eval();
    const Tensor z = random.normal({2, 8}), one = random.uniform({2, noise.size()}),
                 other = random.uniform({2, noise.size()});
    const auto made = [&](const Tensor& u) {
      noise.set(u);
      return (*g)(z).to_vector();
    };
    const auto first = made(one);
    CHECK(made(other) != first);
    CHECK(made(one) == first);
    CHECK(made(ones({2, noise.size()})) != first);  // nothing is dropped
  }
}

TEST_CASE("systems without conditions train on every architecture, under every norm") {
  for (const std::string recipe : {"dcgan", "wgan-gp", "sngan", "gan"})
    for (const auto& [arch, own] : archs)
      for (const char* norm : {"auto", "none", "batch", "layer", "instance", "spectral"}) {
        INFO(recipe << " --arch " << arch << " --d-norm " << norm);
        if (arch == "mlp" && norm == std::string("instance")) continue;
        RecipeCase row{
            recipe, recipe, {{.name = "image", .sample = {16, 16, 1}}}, "", {{"arch", arch}, {"d_norm", norm}}};
        const auto made = make(row, settings_of(row));
        if (recipe == "wgan-gp" && norm == std::string("auto"))
          CHECK_FALSE(has_buffer(*made->networks()[1].module, ".running_mean"));
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
  for (const DNorm bound : {DNorm::none, DNorm::spectral}) {
    const auto discriminator = resnet_discriminator(128, 3, 32, bound, random);
    CHECK(count(discriminator->parameters()) == conv(3, d, 3) + conv(d, d, 3) + conv(3, d, 1)  // down, from the image
                                                    + 2 * conv(d, d, 3) + conv(d, d, 1)        // down
                                                    + 4 * conv(d, d, 3) + (d + 1));            // two blocks, linear
  }
}

TEST_CASE("a ResNet begins without biases and with Xavier's weights, of twice the variance inside the blocks") {
  Random random(2);
  const auto net = resnet_discriminator(32, 3, 16, DNorm::none, random);
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

TEST_CASE("multi-scale: an image at all scales is one row, and back; both networks see every scale") {
  Random random(7);
  const Scales scales(3, Extent(32, 16));
  CHECK(scales.numel() == 3 * (8 * 4 + 16 * 8 + 32 * 16));
  const Tensor image = random.uniform({2, 32, 16, 3}, -1, 1), pack = scales.pack(image);
  CHECK(pack.shape() == Shape{2, scales.numel()});
  CHECK(scales.largest(pack).to_vector() == image.to_vector());
  const std::vector<Tensor> images = scales.unpack(pack);
  REQUIRE(images.size() == 3);
  CHECK(images[0].shape() == Shape{2, 8, 4, 3});
  CHECK(mean(images[0]).item() == Approx(mean(image).item()).margin(1e-6));

  for (const char* norm : {"none", "batch", "layer", "instance", "spectral"}) {
    INFO(norm);
    Settings settings = with("msg");
    settings.set("d_norm", norm);
    const auto g = build_generator(settings, {32, 16, 3}, random),
               d = build_discriminator(settings, {32, 16, 3}, random);
    const Tensor made = (*g)(random.normal({3, 8}));
    REQUIRE(made.shape() == Shape{3, scales.numel()});
    CHECK(max(abs(made)).item() <= 1);
    const Tensor loss = sum((*d)(made)*from_values({3}, std::vector<double>{1, -2, 4}));
    nn::NamedTensors parameters = g->parameters();
    for (const nn::Named& named : d->parameters()) parameters.push_back(named);
    const std::vector<Tensor> gradients = grad(std::span(&loss, 1), nn::tensors_of(parameters));
    for (size_t i = 0; i < parameters.size(); i++) {
      INFO(parameters[i].name);
      CHECK(max(abs(gradients[i])).item() > 0);
    }
    // Each scale by itself changes the verdict.
    if (norm == std::string("spectral")) d->eval();
    const double verdict = (*d)(pack).to_vector()[0];
    int64_t first = 0;
    for (const Tensor& each : images) {
      const int64_t numbers = each.numel() / 2;
      const Tensor mask = pad(pad(ones({2, numbers}), 1, first, 0), 1, 0, scales.numel() - first - numbers);
      CHECK((*d)(pack + 0.5 * mask).to_vector()[0] != verdict);
      first += numbers;
    }
  }
}
