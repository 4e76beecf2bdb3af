// WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of Wasserstein GANs", NeurIPS 2017,
// arXiv:1704.00028. Algorithm 1 with its settings: lambda = 10, n_critic = 5, Adam(1e-4, 0, 0.9), no batch norm in the
// critic.
//
//   repeat: n_critic times: x = a batch, z ~ N(0, I), a ~ U(0, 1) per sample, x^ = a*x + (1 - a)*G(z)
//       D: one Adam step on  E D(G(z)) - E D(x) + lambda E (||grad D(x^)||_2 - 1)^2
//     G: one Adam step on  -E D(G(z))
#include "core/autograd.h"
#include "gan/image_recipe.h"
#include "gan/penalties.h"

namespace forger::gan {
namespace {

Networks build(const Settings& settings, const Shape& sample, Random& random) {
  const int64_t width = settings.integer("width"), channels = sample[2];
  const Extent size{sample[0], sample[1]};
  return {dcgan_generator(settings.integer("latent"), width, channels, size, random),
          dcgan_discriminator(width, channels, size, false, random)};
}

class WganGp : public ImageRecipe {
 public:
  WganGp(const Settings& settings, const Shape& sample)
      : ImageRecipe(settings, sample, build), lambda_(settings.number("lambda")) {}

  Readings step(const std::function<Loader::Batch()>& next_batch) override {
    Update d{};
    Tensor penalty;
    for (int64_t i = 0; i < n_critic_; i++) d = critic_step(next_batch().images, penalty);
    const Tensor z = latent(batch_, random_);
    const Update g =
        minimise(*optimizer_g_, {[&] { return wasserstein_.generator((*discriminator_)((*generator_)(z))); }});
    return {
        {"loss_d", d.loss},           {"loss_g", g.loss},
        {"penalty", penalty},         {"wasserstein", sub(penalty, d.loss)},  // the critic's estimate of the distance
        {"grad_norm_d", d.grad_norm}, {"grad_norm_g", g.grad_norm}};
  }

 private:
  Update critic_step(const Tensor& real, Tensor& penalty) {
    const Tensor z = latent(real.size(0), random_);
    const Tensor a = random_.uniform({real.size(0)}, 0, 1, DType::f32, device_);
    Tensor fake;
    auto generated = [&] {
      const NoGrad no_grad;
      if (!fake.defined() || FiniteWatch::active()) fake = (*generator_)(z);
      return fake;
    };
    return minimise(*optimizer_d_, {[&] { return wasserstein_.d_fake((*discriminator_)(generated())); },
                                    [&] { return wasserstein_.d_real((*discriminator_)(real)); },
                                    [&] {
                                      const Tensor term =
                                          gradient_penalty(*discriminator_, real, generated(), a, lambda_);
                                      penalty = term.detach();
                                      return term;
                                    }});
  }

  const Objective& wasserstein_ = find_objective("wasserstein");
  double lambda_;
};

const RegisterRecipe registered{{
    .name = "wgan-gp",
    .title = "Wasserstein GAN with gradient penalty",
    .citation = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028",
    .data = "images of 16 to 256 pixels, square or not",
    .settings = {{"lambda", 10.0, "weight of the gradient penalty", 0, 1e6},
                 {"n_critic", int64_t{5}, "critic updates per generator update", 1, 1000},
                 {"lr_g", 1e-4, "learning rate of the generator", 0, 1},
                 {"lr_d", 1e-4, "learning rate of the critic", 0, 1},
                 {"beta1", 0.0, "Adam's decay of the first moment", 0, 0.9999},
                 {"beta2", 0.9, "Adam's decay of the second moment", 0, 0.9999999}},
    .make = make_image_recipe<WganGp>,
}};

}  // namespace
}  // namespace forger::gan
