// UNIT: Liu, Breuel, Kautz, "Unsupervised image-to-image translation networks", NeurIPS 2017, arXiv:1703.00848. A VAE
// with a discriminator in each of two domains, whose codes are one space: pictures that belong together are to have one
// code. q(z|x) = N(E(x), I), the prior is N(0, I), z is a map.
//
//   repeat: a, b = batches of the two domains, drawn apart; z_a = E_a(a) + e, z_b = E_b(b) + e', e ~ N(0, I)
//     E, G: one Adam step on their terms for G_b(z_a) and G_a(z_b), plus
//           lambda_rebuild (|G_a(z_a) - a| + |G_b(z_b) - b|) + lambda_kl (E_a(a)^2 + E_b(b)^2)/2
//           and the same of a and b there and back:
//           lambda_cycle (|G_a(E_b(G_b(z_a)) + e'') - a| + ...) + lambda_kl (E_b(G_b(z_a))^2 + ...)/2
//     D_a, D_b: one Adam step each on its terms for real and translated pictures
//
// Each term is a mean over pixels or over numbers of a code; the weights are the paper's, 10 : 100 : 0.1, through 10.
#include "gan/agreement.h"
#include "gan/recipes/shared_code.h"

namespace forger::gan {
namespace {

class Unit : public SharedCode {
 public:
  Unit(const Settings& settings, const Columns& columns)
      : SharedCode(settings, columns),
        lambda_rebuild_(settings.number("lambda_rebuild")),
        lambda_cycle_(settings.number("lambda_cycle")),
        lambda_kl_(settings.number("lambda_kl")) {
    const int64_t width = settings.integer("width"), blocks = settings.integer("blocks"),
                  shared = settings.integer("shared");
    code_ = map_code(width, of_a_);
    e_ = network("e", map_encoders(width, blocks, shared, of_a_, of_b_, random_), /*averaged=*/true);
    g_ = network("g", map_decoders(width, blocks, shared, of_a_, of_b_, random_), /*averaged=*/true);
    begin_game(settings);
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const int64_t n = batch.rows();
    const Tensor e = normal(2 * n, random_), e_again = normal(2 * n, random_);
    Crossing made(*this, batch, e);
    return play(made, [&] {
      const Tensor& codes = made.codes();
      const Tensor again = e_->both(made.fake_a(), made.fake_b()), z = again + e_again;  // of what was b, then a
      const Tensor cycle = l1_loss(g_->a(second_half(z)), made.a) + l1_loss(g_->b(first_half(z)), made.b);
      return Losses{{"rebuild", lambda_rebuild_ * made.rebuilt()},
                    {"cycle", lambda_cycle_ * cycle},
                    {"kl", lambda_kl_ * (mean(square(codes)) + mean(square(again)))}};
    });
  }

  std::vector<View> views() override {
    std::vector<View> all = SharedCode::views();
    all.push_back({.name = "sample",
                   .draw = [this](int64_t n, Random& random) { return Batch().add("z", normal(n, random)); },
                   .make =
                       [this](const Batch& from) {
                         return Batch().add("a.image", g_->a(from["z"])).add("b.image", g_->b(from["z"]));
                       },
                   .like = "a.image"});
    return all;
  }

  Readings test(const Batch& held_out) override {
    Random own(0);  // the same pairs at any time
    const Tensor z = normal(held_out.rows(), own);
    return SharedCode::test(held_out) + agreement(g_->a(z), g_->b(z), held_out);
  }

 private:
  Tensor normal(int64_t n, Random& random) const {
    return reshape(noise(n, code_.numel(), random), {n, code_[0], code_[1], code_[2]});
  }

  double lambda_rebuild_, lambda_cycle_, lambda_kl_;
  Shape code_;  // of a sample
};

const RegisterRecipe registered{{
    .name = "unit",
    .title = "Unsupervised image-to-image translation networks",
    .citation = "Liu, Breuel, Kautz 2017, arXiv:1703.00848",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = shared_code_settings(
        {{"blocks", int64_t{1}, "residual blocks of an encoder, and of a decoder, beside the shared ones", 0, 64},
         {"shared", int64_t{1}, "residual blocks that both domains go through, of the encoders and the decoders", 1,
          64},
         {"lambda_rebuild", 10.0, "weight of a picture rebuilt from its code", 0, 1e6},
         {"lambda_cycle", 10.0, "weight of a picture rebuilt from its translation", 0, 1e6},
         {"lambda_kl", 0.01, "weight of codes being N(0, I)", 0, 1e6}}),
    .minutes = 11,
    .make = make_recipe<Unit>,
}};

}  // namespace
}  // namespace forger::gan
