// SNGAN: Miyato, Kataoka, Koyama, Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
// arXiv:1802.05957. The networks of its table 3 (SNDCGAN), one update of D per update of G; with --preset paper
// settings C of its table 1, Adam(2e-4, 0.5, 0.999).
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
    .settings = unconditional_settings("hinge", "none", "sndcgan",
                                       {{"d_norm", "spectral", ""},
                                        {"width", int64_t{16}, ""},
                                        {"lr_g", 1e-3, ""},
                                        {"lr_d", 2e-3, ""},
                                        {"beta1", 0.0, ""}}),
    .presets = {{.name = "paper",
                 .help = "its settings C, for long runs",
                 .values = {{"width", "64"}, {"lr_g", "2e-4"}, {"lr_d", "2e-4"}, {"beta1", "0.5"}}}},
    .minutes = 5,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
