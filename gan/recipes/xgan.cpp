// XGAN: Royer, Bousmalis, Gouws, Bertsch, Mosseri, Cole, Murphy, "XGAN: unsupervised image-to-image translation for
// many-to-many mappings", 2017, arXiv:1711.05139. Two autoencoders in the shape of an X: what is drawn in the other
// domain must have the same code there, and no classifier may tell from a code which domain it came from.
//
//   repeat: a, b = batches of the two domains, drawn apart
//     E, G: one Adam step on
//             lambda_rebuild (|G_a(E_a(a)) - a| + |G_b(E_b(b)) - b|)
//             + lambda_semantic E (|E_b(G_b(E_a(a))) - E_a(a)|^2 + |E_a(G_a(E_b(b))) - E_b(b)|^2)
//             - lambda_domain times the loss of C, which tells codes of a from those of b (its gradient is reversed)
//             + their terms for G_b(E_a(a)) and G_a(E_b(b))
//     C:    in the same step, on its own loss
//     D_a, D_b: one Adam step each on its terms for real and translated pictures
//
// Codes have length 1, so that they cannot come near to each other by growing short. The paper's teacher, a network
// trained on other data, has no part here.
#include "gan/agreement.h"
#include "gan/networks/mlp.h"
#include "gan/recipes/shared_code.h"

namespace forger::gan {
namespace {

class XGan : public SharedCode {
 public:
  XGan(const Settings& settings, const Columns& columns)
      : SharedCode(settings, columns),
        code_(settings.integer("code")),
        lambda_rebuild_(settings.number("lambda_rebuild")),
        lambda_semantic_(settings.number("lambda_semantic")),
        lambda_domain_(settings.number("lambda_domain")) {
    const int64_t width = settings.integer("width"), shared = settings.integer("shared");
    e_ = network("e", shared_encoders(code_, width, shared, of_a_, of_b_, DNorm::batch, random_), /*averaged=*/true);
    g_ = network("g", shared_generators(code_, width, shared, of_a_, of_b_, random_), /*averaged=*/true);
    e_->shared->append(nn::fn([](const Tensor& x) { return x / norm(x, {1}, 1e-12, /*keepdim=*/true); }));
    c_ = network("c", mlp_discriminator(code_, {code_}, DNorm::none, random_));
    begin_game(settings, {"c"});
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    Crossing made(*this, batch);
    return play(made, [&] {
      const Tensor again = e_->both(made.fake_a(), made.fake_b());  // of what was b, then of what was a
      const Tensor domain = (*c_)(nn::reverse_gradient(made.codes(), lambda_domain_));
      return Losses{{"rebuild", lambda_rebuild_ * made.rebuilt()},
                    {"semantic", lambda_semantic_ * (apart(first_half(again), second_half(made.codes())) +
                                                     apart(second_half(again), first_half(made.codes())))},
                    {"domain", bce_with_logits(domain, domains_of(domain))}};
    });
  }

  // Beside the translations: how far codes are apart, 0 to 4, of a picture and of its translation, and of that of another
  // picture; how often C knows the domain, of codes that say nothing of it half the time.
  Readings test(const Batch& held_out) override {
    const Tensor &a = held_out["a.image"], codes = e_->both(a, held_out["b.image"]), own = first_half(codes);
    const Tensor made = g_->b(own), again = e_->b(made);
    return SharedCode::test(held_out) +
           Readings{{"semantic", apart(again, own)},
                    {"semantic_shuffled", apart(moved_on(again), own)},
                    {"domain_accuracy", domain_accuracy((*c_)(codes))}} +
           agreement(a, made, held_out);
  }

 private:
  Tensor apart(const Tensor& x, const Tensor& y) const { return static_cast<double>(code_) * mse_loss(x, y); }

  int64_t code_;
  double lambda_rebuild_, lambda_semantic_, lambda_domain_;
  nn::LayerPtr c_;
};

const RegisterRecipe registered{{
    .name = "xgan",
    .title = "XGAN: two autoencoders with one code",
    .citation = "Royer et al. 2017, arXiv:1711.05139",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = shared_code_settings(
        {{"shared", int64_t{2}, "stages that both domains go through, of the encoders and of the decoders", 1, 6},
         {"code", int64_t{64}, "numbers of a code", 2, 65536},
         {"lambda_rebuild", 10.0, "weight of a picture rebuilt from its code", 0, 1e6},
         {"lambda_semantic", 1.0, "weight of a translation having the code of what it was made from", 0, 1e6},
         {"lambda_domain", 1.0, "weight of codes not saying which domain they are of", 0, 1e6},
         {"lr_g", 1e-3, "learning rate of encoders and decoders", 0, 1}}),
    .minutes = 1.5,
    .make = make_recipe<XGan>,
}};

}  // namespace
}  // namespace forger::gan
