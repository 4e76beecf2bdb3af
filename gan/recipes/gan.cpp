// The original GAN: Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio, "Generative
// adversarial nets", NeurIPS 2014, arXiv:1406.2661. Algorithm 1 with k = 1, on fully connected networks, for images and
// for points in the plane, where what it covers and what it drops is seen at a glance.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  -E log s(D(x)) - E log(1 - s(D(G(z))))
//     G: one Adam step on  -E log s(D(G(z)))          (--loss minimax: E log(1 - s(D(G(z)))), the game as it is stated)
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "gan",
    .title = "Generative adversarial network",
    .citation = "Goodfellow et al. 2014, arXiv:1406.2661",
    .data = "images of any size, and points",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings(
        "non-saturating", "none", "mlp",
        {{"width", int64_t{256}, "units of a hidden layer; channels beside the image of other networks"},
         {"latent", int64_t{32}, "dimensions of the noise"},
         {"steps", int64_t{15000}, ""},
         {"lr_g", 1e-3, ""},
         {"lr_d", 1e-3, ""}}),
    .presets = {lucic_preset("5e-5", "0", "1")},
    .minutes = 1.4,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
