// WGAN: Arjovsky, Chintala, Bottou, "Wasserstein GAN", ICML 2017, arXiv:1701.07875. Algorithm 1 with its settings:
// c = 0.01, n_critic = 5, RMSProp(5e-5) of batches of 64. No momentum: the critic's loss is not stationary.
//
//   repeat: n_critic times: x = a batch, z ~ N(0, I)
//       D: one RMSProp step on  E D(G(z)) - E D(x), then every weight into [-c, c]
//     G: one RMSProp step on  -E D(G(z))
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "wgan",
    .title = "Wasserstein GAN with clipped weights",
    .citation = "Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("wasserstein", "clip", "dcgan",
                                       {{"optimizer", "rmsprop", ""},
                                        {"n_critic", int64_t{2}, "critic updates per generator update; the paper's: 5"},
                                        {"width", int64_t{32}, ""},
                                        {"lr_g", 5e-4, ""},
                                        {"lr_d", 5e-4, "learning rate of the critic; the paper's: 5e-5"}}),
    .presets = {{.name = "paper",
                 .help = "rates and critic updates of Algorithm 1, for long runs",
                 .values = {{"n_critic", "5"}, {"width", "64"}, {"lr_g", "5e-5"}, {"lr_d", "5e-5"}}},
                lucic_preset("5e-5", "0.5", "5")},
    .minutes = 5,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
