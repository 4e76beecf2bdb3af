// WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of Wasserstein GANs", NeurIPS 2017,
// arXiv:1704.00028. Algorithm 1 with its settings: lambda = 10, n_critic = 5, Adam(1e-4, 0, 0.9), no batch norm in the
// critic.
//
//   repeat: n_critic times: x = a batch, z ~ N(0, I), a ~ U(0, 1) per sample, x^ = a*x + (1 - a)*G(z)
//       D: one Adam step on  E D(G(z)) - E D(x) + lambda E (||grad D(x^)||_2 - 1)^2
//     G: one Adam step on  -E D(G(z))
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

std::unique_ptr<Recipe> make(const Settings& settings, const Columns& columns) {
  return std::make_unique<Unconditional>(settings, need_column(settings, columns, "image"), DNorm::none);
}

const RegisterRecipe registered{{
    .name = "wgan-gp",
    .title = "Wasserstein GAN with gradient penalty",
    .citation = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = {loss_setting("wasserstein"),
                 arch_setting("dcgan"),
                 penalty_setting("gp"),
                 {"lambda", 10.0, "weight of the gradient penalty", 0, 1e6},
                 {"n_critic", int64_t{5}, "critic updates per generator update", 1, 1000},
                 {"lr_g", 1e-4, "learning rate of the generator", 0, 1},
                 {"lr_d", 1e-4, "learning rate of the critic", 0, 1},
                 {"beta1", 0.0, "Adam's decay of the first moment", 0, 0.9999},
                 {"beta2", 0.9, "Adam's decay of the second moment", 0, 0.9999999}},
    .make = make,
}};

}  // namespace
}  // namespace forger::gan
