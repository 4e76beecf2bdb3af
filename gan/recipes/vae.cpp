// The variational autoencoder: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014, arXiv:1312.6114, on
// DCGAN's networks (the critic's body as encoder). No game: one player, who maximises a bound of the likelihood
//
//   log p(x) >= E_q log p(x|z) - KL(q(z|x) || N(0, I))
//   q(z|x) = N(m, s^2),  m, log s^2 = E(x),  p(x|z) = N(G(z), sigma^2)
//
//   repeat: x = a batch of the data, e ~ N(0, I), z = m + s e
//     E, G: one Adam step on  |x - G(z)|^2 / (2 sigma^2) + log sigma + log(2 pi)/2  -  (1 + log s^2 - m^2 - s^2)/2,
//           each summed over an image or a code and divided by the image's values: nats per dimension
#include <cmath>
#include <numbers>

#include "gan/fidelity.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/variational.h"
#include "gan/recipes/autoencoder.h"

namespace forger::gan {
namespace {

class Vae : public Recipe {
 public:
  Vae(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        sigma_(settings.number("sigma")),
        kl_weight_(settings.number("kl_weight")) {
    const Column& image = need_column(settings, columns, "image");
    require_images("vae", image.sample);
    const int64_t width = settings.integer("width"), channels = image.sample[2];
    const Extent size = extent_of(image.sample);
    dimensions_ = static_cast<double>(image.sample.numel());
    e_ = network("e", dcgan_encoder(2 * latent_, width, channels, size, DNorm::batch, random_), /*averaged=*/true);
    g_ = network("g", dcgan_generator(latent_, width, channels, size, random_), /*averaged=*/true);
    player_ = player("g", {"e", "g"}, settings);
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = next()["image"], e = noise(x.size(0), latent_, random_);
    return player_->minimise({[&] {
      const auto [reconstruction, kl] = costs(x, e);
      return Losses{{"reconstruction", reconstruction}, {"kl", kl_weight_ * kl}};
    }});
  }

  std::vector<View> views() override {
    return autoencoder_views([this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); },
                             [this](const Tensor& z) { return (*g_)(z); },
                             [this](const Tensor& x) { return code(x).mean; });
  }

  // In nats per image: what reconstruction and code cost, and the bound; and the reconstructions' PSNR beside that of
  // the batch's mean.
  Readings test(const Batch& held_out) override {
    const Tensor& x = held_out["image"];
    Random own(0);  // the same codes at any time
    const auto [reconstruction, kl] = costs(x, noise(x.size(0), latent_, own));
    return {{"reconstruction", dimensions_ * reconstruction},
            {"kl", dimensions_ * kl},
            {"elbo", -dimensions_ * (reconstruction + kl)},
            {"psnr", psnr((*g_)(code(x).mean), x)},
            {"psnr_mean", psnr(broadcast_to(mean(x, {0}, /*keepdim=*/true), x.shape()), x)}};
  }

 private:
  GaussianCode code(const Tensor& x) { return GaussianCode((*e_)(x)); }

  // The negative bound with one sample of z for each image, in nats per dimension.
  struct Costs {
    Tensor reconstruction, kl;
  };
  Costs costs(const Tensor& x, const Tensor& e) {
    const GaussianCode q = code(x);
    const Tensor again = (*g_)(q.drawn(e));
    const double constant = std::log(sigma_) + 0.5 * std::log(2 * std::numbers::pi);
    return {.reconstruction = affine(mse_loss(again, x), 0.5 / (sigma_ * sigma_), constant),
            .kl = (1 / dimensions_) * q.kl()};
  }

  int64_t latent_;
  double sigma_, kl_weight_, dimensions_ = 0;
  std::shared_ptr<nn::Sequential> e_, g_;
  std::shared_ptr<Player> player_;
};

const RegisterRecipe registered{{
    .name = "vae",
    .title = "Variational autoencoder",
    .citation = "Kingma, Welling 2014, arXiv:1312.6114",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = {{"sigma", 0.5, "standard deviation of a pixel around the decoder's, of a range from -1 to 1", 1e-3,
                  10},
                 {"kl_weight", 1.0, "of the KL divergence; above 1: beta-VAE", 0, 1000},
                 {"latent", int64_t{16}, "size of the code"},
                 {"lr_g", 1e-3, "learning rate of encoder and decoder", 0, 1},
                 {"beta1", 0.9, "Adam's decay of the first moment", 0, 0.9999}},
    .minutes = 1.4,
    .make = make_recipe<Vae>,
}};

}  // namespace
}  // namespace forger::gan
