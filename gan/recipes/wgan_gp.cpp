// WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of Wasserstein GANs", NeurIPS 2017,
// arXiv:1704.00028. Algorithm 1; with the settings of --preset paper lambda = 10, n_critic = 5, Adam(1e-4, 0, 0.9), no batch norm in the
// critic.
//
//   repeat: n_critic times: x = a batch, z ~ N(0, I), a ~ U(0, 1) per sample, x^ = a*x + (1 - a)*G(z)
//       D: one Adam step on  E D(G(z)) - E D(x) + lambda E (||grad D(x^)||_2 - 1)^2
//     G: one Adam step on  -E D(G(z))
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "wgan-gp",
    .title = "Wasserstein GAN with gradient penalty",
    .citation = "Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("wasserstein", "gp", "dcgan",
                                       {{"d_norm", "none", ""},
                                        {"n_critic", int64_t{2}, "critic updates per generator update; the paper's: 5"},
                                        {"width", int64_t{32}, ""},
                                        {"lr_g", 1e-3, ""},
                                        {"lr_d", 1e-3, "learning rate of the critic; the paper's: 1e-4"},
                                        {"beta1", 0.0, ""},
                                        {"beta2", 0.9, ""}}),
    .presets = {{.name = "paper",
                 .help = "rates and critic updates of Algorithm 1, for long runs",
                 .values = {{"n_critic", "5"}, {"width", "64"}, {"lr_g", "1e-4"}, {"lr_d", "1e-4"}}},
                lucic_preset("1e-4", "0.5", "5")},
    .minutes = 7,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
