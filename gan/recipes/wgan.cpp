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
                                        {"n_critic", int64_t{5}, "critic updates per generator update"},
                                        {"lr_g", 5e-5, ""},
                                        {"lr_d", 5e-5, "learning rate of the critic"}}),
    .presets = {lucic_preset("5e-5", "0.5", "5")},
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
