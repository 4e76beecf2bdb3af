// Coupled GAN: Liu, Tuzel, "Coupled generative adversarial networks", NeurIPS 2016, arXiv:1606.07536. Pairs of pictures
// in two domains, learnt from pictures of each without a pair: two generators share the layers that make of z what a
// picture is of, two discriminators those that judge it, and what shares them makes one thing of one z.
//
//   repeat: a, b = batches of the two domains, drawn apart; z ~ N(0, I)
//     D: one Adam step on its terms for real a, fake G_a(z), real b and fake G_b(z)
//     G: one Adam step on its terms for G_a(z) and G_b(z)
//
// A pair is judged as one sample of two scores, D_a(a) and D_b(b), over which terms are means.
#include "gan/agreement.h"
#include "gan/networks/arch.h"
#include "gan/networks/shared_stacks.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class CoupledGan : public Recipe {
 public:
  CoupledGan(const Settings& settings, const Columns& columns) : Recipe(settings), latent_(settings.integer("latent")) {
    const Shape &a = need_column(settings, columns, "a.image").sample,
                &b = need_column(settings, columns, "b.image").sample;
    require_domains("cogan", a, b);
    check<UsageError>(settings.text("augment") == "none",
                      "--augment: the discriminator of cogan sees two pictures as one, whose colours would mix");
    const int64_t width = settings.integer("width"), shared = settings.integer("shared");
    g_ = network("g", shared_generators(latent_, width, shared, a, b, random_), /*averaged=*/true);
    d_ = network("d", shared_encoders(1, width, shared, a, b, norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"g"}, settings);
    channels_of_a_ = a[2];
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, {a[0], a[1], a[2] + b[2]}));
    game_.check_alone();  // a mean over scores of both domains would say nothing of either
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor pair = side_by_side(batch["a.image"], batch["b.image"]), z = noise(pair.size(0), latent_, random_);
    const Critic d = [&](const Tensor& x) { return scores(x); };
    Shared fake([&] {
      const Tensor deep = (*g_->shared)(z);
      return side_by_side((*g_->own_a)(deep), (*g_->own_b)(deep));
    });
    Readings readings = game_.update(d, pair, fake);
    const auto fool = game_.against(d, pair);
    return std::move(readings) + player_g_->minimise({[&] { return fool(fake()); }});
  }

  std::vector<View> views() override {
    const auto draw = [this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); };
    return {{.name = "sample",
             .draw = draw,
             .make =
                 [this](const Batch& from) {
                   return Batch().add("a.image", g_->a(from["z"])).add("b.image", g_->b(from["z"]));
                 },
             .like = "a.image"},
            {.name = "sample-b",
             .draw = draw,
             .make = [this](const Batch& from) { return Batch().add("b.image", g_->b(from["z"])); },
             .like = "b.image"}};
  }

  // Whether what is made of one z is one thing in both domains.
  Readings test(const Batch& held_out) override {
    Random own(0);  // the same pairs at any time
    const Tensor z = noise(held_out.rows(), latent_, own);
    return agreement(g_->a(z), g_->b(z), held_out);
  }

 private:
  static Tensor side_by_side(const Tensor& a, const Tensor& b) { return concat(std::vector<Tensor>{a, b}, 3); }
  Tensor scores(const Tensor& pair) {  // (N, 2)
    const int64_t n = pair.size(0);
    const Tensor a = slice(pair, 3, 0, channels_of_a_), b = slice(pair, 3, channels_of_a_, pair.size(3));
    return concat(std::vector<Tensor>{reshape(d_->a(a), {n, 1}), reshape(d_->b(b), {n, 1})}, 1);
  }

  int64_t latent_, channels_of_a_ = 0;
  std::shared_ptr<SharedFirst> g_;
  std::shared_ptr<SharedLast> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "cogan",
    .title = "Coupled GAN",
    .citation = "Liu, Tuzel 2016, arXiv:1606.07536",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = game_settings("non-saturating", "none",
                              {d_norm_setting("auto"),
                               {"data", "unpaired:negative:fashion-mnist", "two domains"},
                               {"shared", int64_t{2}, "stages that both domains go through, of G and of D", 1, 6}}),
    .minutes = 5,
    .make = make_recipe<CoupledGan>,
}};

}  // namespace
}  // namespace forger::gan
