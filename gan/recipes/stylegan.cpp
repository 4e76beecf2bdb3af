// StyleGAN2, small (Karras et al. 2020, arXiv:1912.04958; the game of Mescheder et al. 2018, arXiv:1801.04406): the
// non-saturating game of its networks (gan/networks/style.h) under R1,
//
//   D: minimise  E softplus(-D(x)) + E softplus(D(G(z))) + lambda/2 E |grad_x D(x)|^2,      G: E softplus(-D(G(z)))
//
// by Adam without a first moment, at one relative speed for all weights.
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "stylegan",
    .title = "Style-based GAN",
    .citation = "Karras, Laine, Aittala, Hellsten, Lehtinen, Aila 2020, arXiv:1912.04958",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings =
        unconditional_settings("non-saturating", "r1", "style",
                               {{"width", int64_t{16}, "channels at full size, 8 times as many at the smallest"},
                                {"steps", int64_t{1000}, ""},
                                {"lambda", 0.1, ""},
                                {"lr_g", 2e-3, ""},
                                {"lr_d", 2e-3, ""},
                                {"beta1", 0.0, ""},
                                {"beta2", 0.99, ""}}),
    .minutes = 9,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
