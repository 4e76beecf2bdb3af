// pix2pix: Isola, Zhu, Zhou, Efros, "Image-to-image translation with conditional adversarial networks", CVPR 2017,
// arXiv:1611.07004. From a source to its target, known in pairs: a U-Net whose noise z is dropout, a PatchGAN that sees
// source and target together, lambda = 100.
//
//   repeat: (s, t) = a batch of pairs, z ~ U(0, 1)
//     D: one Adam step on its terms for real (s, t) and fake (s, G(s, z))
//     G: one Adam step on its term for (s, G(s, z)), plus lambda E |t - G(s, z)|
//   --mode close: no D, the distance alone      --mode gan: no distance
#include "gan/adversary.h"
#include "gan/fidelity.h"
#include "gan/networks/arch.h"
#include "gan/networks/unet.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class Pix2pix : public Recipe {
 public:
  Pix2pix(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        mode_(settings.choice("mode", {"gan+close", "gan", "close"})),
        lambda_(settings.number("lambda")) {
    const Shape &source = need_column(settings, columns, "source").sample,
                &target = need_column(settings, columns, "target").sample;
    require_images("pix2pix", target);
    const int64_t width = settings.integer("width");
    g_ = network("g", std::make_shared<UNet>(source[2], target[2], width, extent_of(target), random_),
                 /*averaged=*/true);
    player_g_ = player("g", {"g"}, settings);
    if (mode_ == "close") return;
    d_ = network("d", patch_discriminator(source[2] + target[2], width, settings.integer("field"), extent_of(target),
                                          norm_of(settings, DNorm::batch), random_));
    game_ = Adversary(player("d", {"d"}, settings), settings, random_,
                      craft("d", settings, target, Judged::beside_picture));
  }

  Readings step(const NextBatch& next) override {
    const Batch pair = next();
    const Tensor &source = pair["source"], &target = pair["target"], z = dropout(source.size(0), random_);
    Shared fake([&] { return g_->forward(source, z); });
    const auto distance = [&] { return lambda_ * l1_loss(fake(), target); };
    if (mode_ == "close") return player_g_->minimise({[&] { return distance(); }});
    const Critic d = [&](const Tensor& x) { return (*d_)(concat(std::vector<Tensor>{source, x}, 3)); };
    Readings readings = game_.update(d, target, fake);
    const auto fool = game_.against(d, target);
    return std::move(readings) + player_g_->minimise({[&] {
      const Tensor fooled = fool(fake());
      if (mode_ == "gan") return Losses(fooled);
      return Losses{{"adversarial", fooled}, {"close", distance()}};
    }});
  }

  std::vector<View> views() override {
    return {
        {.name = "translate",
         .given = {"source"},
         .draw = [this](int64_t n, Random& random) { return Batch().add("z", dropout(n, random)); },
         .make = [this](const Batch& from) { return Batch().add("target", g_->forward(from["source"], from["z"])); },
         .like = "target",
         .beside = "target"}};
  }

  Readings test(const Batch& held_out) override {
    const Tensor& source = held_out["source"];
    return fidelity((*g_)(source), source, held_out["target"]);
  }

 private:
  Tensor dropout(int64_t n, Random& random) const { return uniform(n, g_->noise(), random); }

  std::string mode_;
  double lambda_;
  std::shared_ptr<UNet> g_;
  std::shared_ptr<nn::Sequential> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "pix2pix",
    .title = "Image-to-image translation with conditional adversarial networks",
    .citation = "Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004",
    .data = "pairs of images of 16 to 256 pixels",
    .needs = {"source", "target"},
    .settings = game_settings("non-saturating", "none",
                              {d_norm_setting("auto"),
                               {"data", "edges:fashion-mnist", "pairs"},
                               {"mode", "gan+close", "what G minimises: gan+close, gan, or close (the distance alone)"},
                               {"lambda", 100.0, "weight of the distance", 0, 1e6},
                               {"field", int64_t{16}, "pixels of a patch that D judges: 1, 16, 34 or 70", 1, 70}}),
    .minutes = 9,
    .make = make_recipe<Pix2pix>,
}};

}  // namespace
}  // namespace forger::gan
