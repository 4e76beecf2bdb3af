// DiscoGAN: Kim, Cha, Kim, Lee, Kim, "Learning to discover cross-domain relations with generative adversarial
// networks", ICML 2017, arXiv:1703.05192. CycleGAN's game of whole images: translators are encoders and decoders with
// nothing past the narrow map between them, discriminators give one score for all of an image, and the cycle counts as
// much as the game. Finds what two sets have in common (shoes and bags of one colour), not a picture's every pixel.
//
//   repeat: a, b = batches of the two domains, drawn apart
//     AB, BA: one Adam step on  -E log s(B(AB(a))) - E log s(A(BA(b))) + lambda (E (BA(AB(a)) - a)^2
//                               + E (AB(BA(b)) - b)^2)
//     A, B:   one Adam step each on its terms for real and fake samples of its domain
#include "gan/recipes/unpaired.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "discogan",
    .title = "DiscoGAN: relations between domains",
    .citation = "Kim, Cha, Kim, Lee, Kim 2017, arXiv:1703.05192",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = unpaired_settings("non-saturating", "none",
                                  {{"arch", "encoder-decoder", ""},
                                   {"field", int64_t{0}, ""},
                                   {"lambda", 1.0, "weight of the cycle", 0, 1e6},
                                   {"distance", "mse", ""}}),
    .minutes = 0.8,
    .make = make_recipe<Unpaired>,
}};

}  // namespace
}  // namespace forger::gan
