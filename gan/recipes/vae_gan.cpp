// VAE/GAN: Larsen, Sonderby, Larochelle, Winther, "Autoencoding beyond pixels using a learned similarity metric", ICML
// 2016, arXiv:1512.09300, algorithm 1, on DCGAN's networks. A variational autoencoder whose decoder is a GAN's generator,
// and which rebuilds a picture not in its pixels but as D sees it: f is the last map of D's body, of F numbers.
//
//   repeat: x = a batch of the data, e ~ N(0, I), z = m + s e of q(z|x) = N(m, s^2) = E(x), z_p ~ N(0, I)
//     D: one Adam step on its terms for real x, fake G(z_p), and fake G(z), called "rebuilt"
//     E: one Adam step on  KL(q(z|x) || N(0, I)) / F  +  E |f(x) - f(G(z))|^2 / (2 F)
//     G: one Adam step on  gamma E |f(x) - f(G(z))|^2 / (2 F)  + its terms for G(z_p) and G(z)
//
// The paper sums over F numbers and weighs that by gamma; here all is a mean, nats for each number of the map. No one
// trains f to make pictures alike: it is what D needs to tell them from fakes.
#include "core/autograd.h"
#include "gan/adversary.h"
#include "gan/agreement.h"
#include "gan/fidelity.h"
#include "gan/networks/arch.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/variational.h"
#include "gan/recipes/autoencoder.h"

namespace forger::gan {
namespace {

class VaeGan : public Recipe {
 public:
  VaeGan(const Settings& settings, const Columns& columns)
      : Recipe(settings), latent_(settings.integer("latent")), gamma_(settings.number("gamma")) {
    const Column& image = need_column(settings, columns, "image");
    require_images("vae-gan", image.sample);
    const int64_t width = settings.integer("width"), channels = image.sample[2];
    const Extent size = extent_of(image.sample);
    e_ = network("e", dcgan_encoder(2 * latent_, width, channels, size, DNorm::batch, random_), /*averaged=*/true);
    g_ = network("g", dcgan_generator(latent_, width, channels, size, random_), /*averaged=*/true);
    d_ = network("d", std::make_shared<DiscriminatorInParts>(0, width, channels, size, norm_of(settings, DNorm::batch),
                                                             random_));
    player_e_ = player("e", {"e"}, settings, "lr_g");
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, image.sample));
    game_.check_alone();
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = next()["image"], e = noise(x.size(0), latent_, random_),
                 prior = noise(x.size(0), latent_, random_);
    const Critic d = [&](const Tensor& sample) { return d_->score(d_->map(sample)); };
    Shared encoded([&] { return (*e_)(x); });
    Shared fake([&] { return (*g_)(prior); });
    // G takes the codes as they are: E learns in its own step alone. Both see x as D sees it after its step.
    Shared rebuilt([&] { return (*g_)(GaussianCode(encoded()).drawn(e).detach()); });
    Shared map_of_x([&] {
      const NoGrad no_grad;
      return d_->map(x);
    });
    const Lens seen = game_.lens(x);
    Readings readings = game_.update(d, x, fake, {[&] {
                                       return Losses{{"rebuilt", game_.refuse(d(seen(rebuilt().detach())))}};
                                     }});
    readings = std::move(readings) + player_e_->minimise({[&] {
      const GaussianCode q(encoded());
      const auto numbers = static_cast<double>(map_of_x().numel() / x.size(0));
      return Losses{{"kl", (1 / numbers) * q.kl()}, {"apart", apart((*g_)(q.drawn(e)), map_of_x())}};
    }});
    const auto fool = game_.against(d, x);
    return std::move(readings) + player_g_->minimise({[&] {
      // In this order, in which D's running statistics see them.
      const Tensor fooled = fool(fake()), fooled_by_rebuilt = fool(rebuilt());
      return Losses{{"adversarial", fooled + fooled_by_rebuilt}, {"apart_g", gamma_ * apart(rebuilt(), map_of_x())}};
    }});
  }

  std::vector<View> views() override {
    std::vector<View> all = autoencoder_views(
        [this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); },
        [this](const Tensor& z) { return (*g_)(z); }, [this](const Tensor& x) { return code(x).mean; });
    all.push_back({.name = "judge", .given = {"image"}, .make = [this](const Batch& from) {
                     return Batch().add("verdict", d_->score(d_->map(from["image"])));
                   }});
    return all;
  }

  // Nats in the code; how far D sees pictures and what comes back of them apart, and pictures and the next ones; PSNR,
  // and that of the batch's mean.
  Readings test(const Batch& held_out) override {
    const Tensor& x = held_out["image"];
    const GaussianCode q = code(x);
    const Tensor again = (*g_)(q.mean), map = d_->map(x);
    return {{"kl", q.kl()},
            {"apart", apart(again, map)},
            {"apart_shuffled", apart(moved_on(x), map)},
            {"psnr", psnr(again, x)},
            {"psnr_mean", psnr(broadcast_to(mean(x, {0}, /*keepdim=*/true), x.shape()), x)}};
  }

 private:
  GaussianCode code(const Tensor& x) { return GaussianCode((*e_)(x)); }
  Tensor apart(const Tensor& made, const Tensor& map) { return 0.5 * mse_loss(d_->map(made), map); }

  int64_t latent_;
  double gamma_;
  std::shared_ptr<nn::Sequential> e_, g_;
  std::shared_ptr<DiscriminatorInParts> d_;
  std::shared_ptr<Player> player_e_, player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "vae-gan",
    .title = "Autoencoding beyond pixels (VAE/GAN)",
    .citation = "Larsen, Sonderby, Larochelle, Winther 2016, arXiv:1512.09300",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = game_settings("non-saturating", "none",
                              {d_norm_setting("auto"),
                               {"gamma", 10.0, "weight of G's pictures coming back beside its game", 0, 1e6},
                               {"latent", int64_t{16}, "size of the code"},
                               {"lr_g", 1e-3, "learning rate of encoder and generator", 0, 1},
                               {"lr_d", 1e-3, ""}}),
    .minutes = 7,
    .make = make_recipe<VaeGan>,
}};

}  // namespace
}  // namespace forger::gan
