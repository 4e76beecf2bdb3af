#include "gan/image_recipe.h"

#include "core/autograd.h"

namespace forger::gan {
namespace {

kernels::AdamSettings adam(const Settings& settings, const char* rate) {
  return {.lr = settings.number(rate), .beta1 = settings.number("beta1"), .beta2 = settings.number("beta2")};
}

// Weights are drawn on the CPU, the same for every device, and then moved.
std::shared_ptr<nn::Sequential> on(Device device, std::shared_ptr<nn::Sequential> network) {
  network->to(device);
  return network;
}

}  // namespace

ImageRecipe::ImageRecipe(const Settings& settings, const Shape& sample, bool batch_norm_in_d)
    : Recipe(settings),
      latent_(settings.integer("latent")),
      batch_(settings.integer("batch")),
      n_critic_(settings.integer("n_critic")),
      generator_(on(device_, dcgan_generator(latent_, settings.integer("width"), sample[2], sample[0], random_))),
      discriminator_(on(device_, dcgan_discriminator(settings.integer("width"), sample[2], sample[0], batch_norm_in_d,
                                                     random_))),
      optimizer_g_(std::make_shared<nn::Adam>(generator_->parameters(), adam(settings, "lr_g"))),
      optimizer_d_(std::make_shared<nn::Adam>(discriminator_->parameters(), adam(settings, "lr_d"))) {}

Tensor ImageRecipe::generate(const Tensor& latent) {
  const NoGrad no_grad;
  generator_->eval();
  const Tensor images = (*generator_)(latent);
  generator_->train();
  return images;
}

std::vector<Recipe::Part> ImageRecipe::parts() const {
  return {{.name = "g", .module = generator_, .optimizer = optimizer_g_, .averaged = true},
          {.name = "d", .module = discriminator_, .optimizer = optimizer_d_}};
}

}  // namespace forger::gan
