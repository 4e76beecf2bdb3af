// DualGAN: Yi, Zhang, Tan, Gong, "DualGAN: unsupervised dual learning for image-to-image translation", ICCV 2017,
// arXiv:1704.02510. CycleGAN's game as Wasserstein's: critics with clipped weights that learn more often than the
// translators, which are U-Nets; RMSProp without momentum; nothing holds a picture that is of the domain already. The
// paper's further noise, dropout in the translators, is left out: a picture has one translation.
//
//   repeat: n_critic times: a, b = batches of the two domains, drawn apart
//       A, B: one RMSProp step each on  E D(fake) - E D(real), then every weight into [-c, c]
//     AB, BA: one RMSProp step on  -E B(AB(a)) - E A(BA(b)) + lambda (E |BA(AB(a)) - a| + E |AB(BA(b)) - b|)
#include "gan/recipes/unpaired.h"

namespace forger::gan {
namespace {

const RegisterRecipe registered{{
    .name = "dualgan",
    .title = "DualGAN: dual learning by Wasserstein's game",
    .citation = "Yi, Zhang, Tan, Gong 2017, arXiv:1704.02510",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = unpaired_settings("wasserstein", "clip",
                                  {{"arch", "unet", ""},
                                   {"optimizer", "rmsprop", ""},
                                   {"lr_g", 5e-5, ""},
                                   {"lr_d", 5e-5, "learning rate of the critics"},
                                   {"n_critic", int64_t{3}, "updates of the critics per update of the translators"},
                                   {"lambda", 100.0, "weight of the cycle; the paper's are 100 to 1000", 0, 1e6}}),
    .minutes = 4,
    .make = make_recipe<Unpaired>,
}};

}  // namespace
}  // namespace forger::gan
