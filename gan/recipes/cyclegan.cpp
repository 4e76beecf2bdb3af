// CycleGAN: Zhu, Park, Isola, Efros, "Unpaired image-to-image translation using cycle-consistent adversarial networks",
// ICCV 2017, arXiv:1703.10593. Two domains without pairs; a translator each way, and a discriminator in each domain
// that also sees the last 50 fakes; what was translated there and back must be what it was.
//
//   repeat: a, b = batches of the two domains, drawn apart
//     AB, BA: one Adam step on  1/2 E (B(AB(a)) - 1)^2 + 1/2 E (A(BA(b)) - 1)^2
//                               + 10 (E |BA(AB(a)) - a| + E |AB(BA(b)) - b|)
//     A, B:   one Adam step each on its terms for real and fake samples of its domain (gan/recipes/unpaired.h)
#include "gan/recipes/unpaired.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "cyclegan",
    .title = "Cycle-consistent adversarial networks",
    .citation = "Zhu, Park, Isola, Efros 2017, arXiv:1703.10593",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = unpaired_settings("lsgan", "none",
                                  {{"replay", int64_t{50}, "past fakes that each discriminator sees again; 0: none"}}),
    .minutes = 7,
    .make = make_recipe<Unpaired>,
}};

}  // namespace
}  // namespace forger::gan
