// DCGAN: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
// networks", ICLR 2016, arXiv:1511.06434. Settings of section 4: Adam(0.5, 0.999), batches of real and fake samples kept
// apart in the discriminator's batch norm. The paper's learning rate, 2e-4, is for long runs of wide networks; in a few
// thousand steps of narrow ones G does not come far by it, and 1e-3 halves the distance to the data (fcd), or more.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D: one Adam step on  -E log s(D(x)) - E log(1 - s(D(G(z))))
//     G: one Adam step on  -E log s(D(G(z)))                        (the same z: G runs forward once per step)
#include "gan/recipes/unconditional.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "dcgan",
    .title = "Deep convolutional GAN",
    .citation = "Radford, Metz, Chintala 2016, arXiv:1511.06434",
    .data = "images of 16 to 256 pixels, square or not; points with --arch mlp",
    .needs = {"image", "or", "point"},
    .settings = unconditional_settings("non-saturating", "none", "dcgan", {{"lr_g", 1e-3, ""}, {"lr_d", 1e-3, ""}}),
    .presets = {{.name = "best",
                 .help = "the best pictures of half an hour on two cores: longer, rates that fall to 0",
                 .values = {{"steps", "9000"}, {"schedule", "cosine"}}}},
    .minutes = 2,
    .make = make_unconditional,
}};

}  // namespace
}  // namespace forger::gan
