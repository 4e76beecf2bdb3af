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

std::unique_ptr<Recipe> make(const Settings& settings, const Columns& columns) {
  return std::make_unique<Unconditional>(settings, need_column(settings, columns, "image"), DNorm::spectral);
}

const RegisterRecipe registered{{
    .name = "sngan",
    .title = "GAN with spectral normalisation",
    .citation = "Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = {loss_setting("hinge"), arch_setting("sndcgan")},
    .make = make,
}};

}  // namespace
}  // namespace forger::gan
