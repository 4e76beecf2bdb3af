// LSGAN: Mao, Li, Xie, Lau, Wang, Smolley, "Least squares generative adversarial networks", ICCV 2017,
// arXiv:1611.04076. Equation 9, the labels 0 and 1 (b = c = 1, a = 0); batch norm in both networks. Adam with beta1 =
// 0.5 as in its section 4; the learning rate is 1e-3 for the reason that dcgan.cpp gives, where the paper has 2e-4.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2
//     G: one Adam step on  1/2 E (D(G(z)) - 1)^2        a fake far on the right side of the boundary is pulled back, too
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "lsgan",
    .title = "Least squares GAN",
    .citation = "Mao, Li, Xie, Lau, Wang, Smolley 2017, arXiv:1611.04076",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("lsgan", "none", "dcgan", {{"lr_g", 1e-3, ""}, {"lr_d", 1e-3, ""}}),
    .presets = {lucic_preset("2e-4", "0.5", "1")},
    .minutes = 3,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
