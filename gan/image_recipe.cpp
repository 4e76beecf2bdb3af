#include "gan/image_recipe.h"

#include "core/autograd.h"
#include "core/device.h"

namespace forger::gan {
namespace {

kernels::AdamSettings adam(const Settings& settings, const char* rate) {
  return {.lr = settings.number(rate), .beta1 = settings.number("beta1"), .beta2 = settings.number("beta2")};
}

Tensor in_evaluation(nn::Module& network, const Tensor& x) {
  const NoGrad no_grad;
  network.eval();
  const Tensor y = network(x);
  network.train();
  return y;
}

}  // namespace

ImageRecipe::ImageRecipe(const Settings& settings, const Shape& sample, BuildNetworks build)
    : Recipe(settings),
      latent_(settings.integer("latent")),
      batch_(settings.integer("batch")),
      n_critic_(settings.integer("n_critic")) {
  Networks networks = build(settings, sample, random_);
  generator_ = std::move(networks.generator);
  discriminator_ = std::move(networks.discriminator);
  generator_->to(device_);
  discriminator_->to(device_);
  optimizer_g_ = std::make_shared<nn::Adam>(generator_->parameters(), adam(settings, "lr_g"));
  optimizer_d_ = std::make_shared<nn::Adam>(discriminator_->parameters(), adam(settings, "lr_d"));
}

Tensor ImageRecipe::generate(const Tensor& latent) { return in_evaluation(*generator_, latent); }

Tensor ImageRecipe::discriminate(const Tensor& samples) {
  return reshape(in_evaluation(*discriminator_, to(samples, device_)), {samples.size(0)});
}

std::vector<Recipe::Part> ImageRecipe::parts() const {
  return {{.name = "g", .module = generator_, .optimizer = optimizer_g_, .averaged = true},
          {.name = "d", .module = discriminator_, .optimizer = optimizer_d_}};
}

Readings ImageRecipe::alternating_step(const Objective& objective, const std::function<Loader::Batch()>& next_batch) {
  Update d{};
  Tensor z, fake;
  auto generated = [&] {  // G(z), computed once; anew when a failed step is replayed to find the culprit
    if (!fake.defined() || FiniteWatch::active()) fake = (*generator_)(z);
    return fake;
  };
  for (int64_t i = 0; i < n_critic_; i++) {
    const Tensor real = next_batch().images;
    z = latent(real.size(0), random_);
    fake = Tensor();
    d = minimise(*optimizer_d_, {[&] { return objective.d_real((*discriminator_)(real)); },
                                 [&] { return objective.d_fake((*discriminator_)(generated().detach())); }});
  }
  const Update g = minimise(*optimizer_g_, {[&] { return objective.generator((*discriminator_)(generated())); }});
  return {{"loss_d", d.loss}, {"loss_g", g.loss}, {"grad_norm_d", d.grad_norm}, {"grad_norm_g", g.grad_norm}};
}

}  // namespace forger::gan
