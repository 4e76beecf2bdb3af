// BiGAN: Donahue, Krahenbuhl, Darrell, "Adversarial feature learning", ICLR 2017, arXiv:1605.09782; the same game as ALI:
// Dumoulin et al., "Adversarially learned inference", ICLR 2017, arXiv:1606.00704. On DCGAN's networks. An encoder E
// beside the generator G, and D judges a picture together with its code: which of them was made from the other? D cannot
// tell once E and G are each other's inverse, without a picture ever being compared with what comes back of it.
//
//   repeat: x = a batch of the data, z ~ N(0, I)
//     D:    one Adam step on its terms for real (x, E(x)) and fake (G(z), z)
//     E, G: one Adam step on D's opposite: G's term for (G(z), z), and D's for a fake of (x, E(x))
//
// A pair is judged as one row of numbers, the picture's and then the code's.
#include "gan/adversary.h"
#include "gan/agreement.h"
#include "gan/fidelity.h"
#include "gan/networks/arch.h"
#include "gan/networks/dcgan.h"
#include "gan/recipes/autoencoder.h"

namespace forger::gan {
namespace {

class BidirectionalGan : public Recipe {
 public:
  BidirectionalGan(const Settings& settings, const Columns& columns)
      : Recipe(settings), latent_(settings.integer("latent")) {
    const Column& image = need_column(settings, columns, "image");
    require_images("bigan", image.sample);
    picture_ = image.sample;
    const int64_t width = settings.integer("width"), channels = picture_[2];
    const Extent size = extent_of(picture_);
    e_ = network("e", dcgan_encoder(latent_, width, channels, size, DNorm::batch, random_), /*averaged=*/true);
    g_ = network("g", dcgan_generator(latent_, width, channels, size, random_), /*averaged=*/true);
    d_ = network("d",
                 std::make_shared<ConditionalDiscriminator>(Condition::joint, /*two_scores=*/false, latent_, width,
                                                            channels, size, norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"e", "g"}, settings);
    game_ =
        Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, {picture_.numel() + latent_}));
    game_.check_alone();
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = next()["image"], z = noise(x.size(0), latent_, random_);
    Shared real([&] { return pair(x, (*e_)(x)); }), fake([&] { return pair((*g_)(z), z); });
    const Critic d = [&](const Tensor& pairs) { return score(pairs); };
    Readings readings = game_.update(d, real().detach(), fake);
    const Lens seen = game_.lens(real().detach());
    const auto fool = game_.against(d, real().detach());
    return std::move(readings) + player_g_->minimise({[&] {
      // In this order, in which D's running statistics see them.
      const Tensor generated = fool(fake()), encoded = game_.refuse(d(seen(real())));
      return Losses{{"generated", generated}, {"encoded", encoded}};
    }});
  }

  std::vector<View> views() override {
    std::vector<View> all =
        autoencoder_views([this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); },
                          [this](const Tensor& z) { return (*g_)(z); }, [this](const Tensor& x) { return (*e_)(x); });
    all.push_back({.name = "judge", .given = {"image"}, .make = [this](const Batch& from) {
                     return Batch().add("verdict", d_->score(from["image"], (*e_)(from["image"])));
                   }});
    return all;
  }

  // PSNR of G(E(x)), and that of the batch's mean; mean |z - E(G(z))|, and that of codes of other pictures.
  Readings test(const Batch& held_out) override {
    const Tensor& x = held_out["image"];
    Random own(0);  // the same codes at any time
    const Tensor z = noise(x.size(0), latent_, own), back = (*e_)((*g_)(z));
    return {{"psnr", psnr((*g_)((*e_)(x)), x)},
            {"psnr_mean", psnr(broadcast_to(mean(x, {0}, /*keepdim=*/true), x.shape()), x)},
            {"code_l1", l1_loss(back, z)},
            {"code_l1_shuffled", l1_loss(moved_on(back), z)}};
  }

 private:
  static Tensor pair(const Tensor& x, const Tensor& z) { return concat(std::vector<Tensor>{flatten(x), z}, 1); }
  Tensor score(const Tensor& pairs) {  // (N, H W C + latent) -> (N)
    const int64_t n = pairs.size(0), numbers = picture_.numel();
    return d_->score(reshape(slice(pairs, 1, 0, numbers), {n, picture_[0], picture_[1], picture_[2]}),
                     slice(pairs, 1, numbers, numbers + latent_));
  }

  int64_t latent_;
  Shape picture_;
  std::shared_ptr<nn::Sequential> e_, g_;
  std::shared_ptr<ConditionalDiscriminator> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "bigan",
    .title = "Bidirectional GAN (adversarial feature learning, ALI)",
    .citation = "Donahue, Krahenbuhl, Darrell 2017, arXiv:1605.09782; Dumoulin et al. 2017, arXiv:1606.00704",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = game_settings("non-saturating", "none",
                              {d_norm_setting("auto"),
                               {"latent", int64_t{32}, "size of the code"},
                               {"lr_g", 1e-3, "learning rate of encoder and generator", 0, 1},
                               {"lr_d", 1e-3, ""}}),
    .minutes = 4,
    .make = make_recipe<BidirectionalGan>,
}};

}  // namespace
}  // namespace forger::gan
