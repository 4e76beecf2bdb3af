// DCGAN: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
// networks", ICLR 2016, arXiv:1511.06434. Settings of section 4: Adam(2e-4, 0.5, 0.999), batches of real and fake
// samples kept apart in the discriminator's batch norm.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  -E log s(D(x)) - E log(1 - s(D(G(z))))
//     G: one Adam step on  -E log s(D(G(z)))                        (the same z: G runs forward once per step)
#include "core/autograd.h"
#include "gan/image_recipe.h"
#include "gan/objectives.h"
#include "gan/update.h"

namespace forger::gan {
namespace {

class Dcgan : public ImageRecipe {
 public:
  Dcgan(const Settings& settings, const Shape& sample)
      : ImageRecipe(settings, sample, true), objective_(find_objective(settings.text("loss"))) {}

  Readings step(const std::function<Loader::Batch()>& next_batch) override {
    Update d{}, g{};
    Tensor z, fake;
    auto generated = [&] {  // G(z), computed once; anew when a failed step is replayed to find the culprit
      if (!fake.defined() || FiniteWatch::active()) fake = (*generator_)(z);
      return fake;
    };
    for (int64_t i = 0; i < n_critic_; i++) {
      const Tensor real = next_batch().images;
      z = latent(real.size(0), random_);
      fake = Tensor();
      d = minimise(*optimizer_d_, {[&] { return objective_.d_real((*discriminator_)(real)); },
                                   [&] { return objective_.d_fake((*discriminator_)(generated().detach())); }});
    }
    g = minimise(*optimizer_g_, {[&] { return objective_.generator((*discriminator_)(generated())); }});
    return {{"loss_d", d.loss}, {"loss_g", g.loss}, {"grad_norm_d", d.grad_norm}, {"grad_norm_g", g.grad_norm}};
  }

 private:
  const Objective& objective_;
};

const RegisterRecipe registered{{
    .name = "dcgan",
    .title = "Deep convolutional GAN",
    .citation = "Radford, Metz, Chintala 2016, arXiv:1511.06434",
    .data = "square images of 16 to 256 pixels",
    .settings = {{"loss", std::string("non-saturating"),
                  "objective: non-saturating, minimax, lsgan, hinge or wasserstein"},
                 {"lr_g", 2e-4, "learning rate of the generator", 0, 1},
                 {"lr_d", 2e-4, "learning rate of the discriminator", 0, 1},
                 {"beta1", 0.5, "Adam's decay of the first moment", 0, 0.9999},
                 {"beta2", 0.999, "Adam's decay of the second moment", 0, 0.9999999}},
    .make = make_image_recipe<Dcgan>,
}};

}  // namespace
}  // namespace forger::gan
