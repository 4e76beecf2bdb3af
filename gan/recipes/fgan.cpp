// f-GAN: Nowozin, Cseke, Tomioka, "f-GAN: training generative neural samplers using variational divergence
// minimization", NeurIPS 2016, arXiv:1606.00709. Algorithm 1, a single gradient step of both players, for any of its
// divergences (gan/divergences.h): D is the variational function T = g(D), its loss the bound on D_f(P || Q).
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  -E g(D(x)) + E f*(g(D(G(z))))
//     G: one Adam step on  -E f*(g(D(G(z))))        (--g-form alternative: -E g(D(G(z))), section 3.2, as the
//                                                    non-saturating game is to the minimax one)
//
// The learning rate is 1e-3 for the reason that dcgan.cpp gives.
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "fgan",
    .title = "GAN of an f-divergence",
    .citation = "Nowozin, Cseke, Tomioka 2016, arXiv:1606.00709",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("fgan-kl", "none", "dcgan",
                                       {{"g_form", "alternative", "what G minimises: stated, or alternative"},
                                        {"lr_g", 1e-3, ""},
                                        {"lr_d", 1e-3, ""}}),
    .minutes = 2,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
