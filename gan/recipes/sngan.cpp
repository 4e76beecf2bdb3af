// SNGAN: Miyato, Kataoka, Koyama, Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
// arXiv:1802.05957. The networks of its table 3 (SNDCGAN) and settings C of its table 1: Adam(2e-4, 0.5, 0.999), one
// update of D per update of G.
//
//   repeat: x = a batch of the data, z ~ N(0, I), D's every weight divided by its largest singular value
//     D: one Adam step on  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))      (hinge; or non-saturating, ...)
//     G: one Adam step on  -E D(G(z))
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "sngan",
    .title = "GAN with spectral normalisation",
    .citation = "Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("hinge", "none", "sndcgan", {{"d_norm", "spectral", ""}}),
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
