// SNGAN: Miyato, Kataoka, Koyama, Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
// arXiv:1802.05957. The networks of its table 3 (SNDCGAN) and settings C of its table 1: Adam(2e-4, 0.5, 0.999), one
// update of D per update of G.
//
//   repeat: x = a batch of the data, z ~ N(0, I), D's every weight divided by its largest singular value
//     D: one Adam step on  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))      (hinge; or non-saturating, ...)
//     G: one Adam step on  -E D(G(z))
#include "gan/networks/sndcgan.h"
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

GanNetworks build(const Settings& settings, const Shape& sample, Random& random) {
  const int64_t width = settings.integer("width"), channels = sample[2];
  const Extent size{sample[0], sample[1]};
  return {sndcgan_generator(settings.integer("latent"), width, channels, size, random),
          sndcgan_discriminator(width, channels, size, random)};
}

const RegisterRecipe registered{{
    .name = "sngan",
    .title = "GAN with spectral normalisation",
    .citation = "Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = {loss_setting("hinge")},
    .make = gan_on_images(build),
}};

}  // namespace
}  // namespace forger::gan
