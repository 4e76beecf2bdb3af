// DRAGAN: Kodali, Abernethy, Hays, Kira, "On convergence and stability of GANs", 2017, arXiv:1705.07215. Algorithm 1:
// the usual game, and D's slope held at 1 around real samples, lambda = 10; one update of D per update of G. Adam(0.5,
// 0.999) by Lucic et al. 2018; the learning rate is 1e-3 for the reason that dcgan.cpp gives, where they have 1e-4.
//
//   repeat: x = a batch of the data, z ~ N(0, I), d = 0.5 std(x) u, u ~ U(0, 1) for each number
//     D: one Adam step on  -E log s(D(x)) - E log(1 - s(D(G(z)))) + lambda E (||grad D(x + d)||_2 - 1)^2
//     G: one Adam step on  -E log s(D(G(z)))
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "dragan",
    .title = "GAN with a gradient penalty around the data",
    .citation = "Kodali, Abernethy, Hays, Kira 2017, arXiv:1705.07215",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("non-saturating", "dragan", "dcgan", {{"lr_g", 1e-3, ""}, {"lr_d", 1e-3, ""}}),
    .presets = {lucic_preset("1e-4", "0.5", "1")},
    .minutes = 4,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
