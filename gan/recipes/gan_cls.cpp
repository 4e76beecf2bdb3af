// GAN-CLS, pictures from captions: Reed, Akata, Yan, Logeswaran, Schiele, Lee, "Generative adversarial text to image
// synthesis", ICML 2016, arXiv:1605.05396, algorithm 1, on DCGAN's networks. D is matching-aware: a real picture under a
// wrong caption is a negative beside the fakes; without it D may judge the picture alone.
//
//   repeat: (x, t) = a batch of the data, z ~ N(0, I), t' a caption of the batch that says something else
//     D, phi: one Adam step on D's terms for real (x, phi(t)), fake (G(z, phi(t)), phi(t)) and mismatched (x, phi(t'))
//     G:      one Adam step on its term for (G(z, phi(t)), phi(t))
//   --scores two: D(x) says whether a picture is real; a second score, whether it goes with the caption, learns from
//     (x, phi(t)) and (x, phi(t')) alone; G minimises its terms of both
//
// Where the paper has phi learnt beforehand, here D learns to read while it learns to judge; for G the code is a
// constant. The paper's weight of one half on either negative is 1 here, as in cgan.
#include "core/autograd.h"
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/dcgan.h"
#include "gan/recipes/captioned.h"

namespace forger::gan {
namespace {

class GanCls : public CaptionedRecipe {
 public:
  GanCls(const Settings& settings, const Columns& columns)
      : CaptionedRecipe(settings, columns),
        latent_(settings.integer("latent")),
        two_scores_(settings.choice("scores", {"one", "two"}) == "two") {
    const Shape& image = need_column(settings, columns, "image").sample;
    require_images("gan-cls", image);
    const int64_t width = settings.integer("width"), channels = image[2];
    g_ = network("g", dcgan_generator(latent_ + code(), width, channels, extent_of(image), random_), /*averaged=*/true);
    d_ = network("d", std::make_shared<ConditionalDiscriminator>(caption_condition(settings), two_scores_, code(),
                                                                 width, channels, extent_of(image),
                                                                 norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d", "e"}, settings), settings, random_,
                      craft("d", settings, image, Judged::with_label));
    game_.check_alone();
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &x = batch["image"], &t = batch["caption"], z = noise(x.size(0), latent_, random_), wrong = another(t);
    const Critic d = [&](const Tensor& picture) { return d_->score(picture, read(t)); };
    Critic match;
    if (two_scores_) match = [&](const Tensor& picture) { return d_->match(picture, read(t)); };
    Shared fake([&] { return generate(z, t); });
    const Lens seen = game_.lens(x);
    Terms more;
    if (match) more.push_back([&] { return Losses{{"matched", game_.accept(match(seen(x)))}}; });
    more.push_back([&] { return Losses{{"mismatched", game_.refuse(matching(seen(x), gather(read(t), wrong)))}}; });
    Readings readings = game_.update(d, x, fake, more);
    const auto fool = game_.against(d, match, x);
    return std::move(readings) + player_g_->minimise({[&] { return fool(fake()); }});
  }

  std::vector<View> views() override {
    return {sampling([this](Batch& batch, int64_t n, Random& random) { batch.add("z", noise(n, latent_, random)); },
                     [this](const Batch& from) { return Batch().add("image", generate(from["z"], from["caption"])); })};
  }

 private:
  Tensor generate(const Tensor& z, const Tensor& t) { return (*g_)(concat(std::vector<Tensor>{z, said(t)}, 1)); }
  Tensor matching(const Tensor& picture, const Tensor& code) override {
    return two_scores_ ? d_->match(picture, code) : d_->score(picture, code);
  }

  int64_t latent_;
  bool two_scores_;
  std::shared_ptr<nn::Sequential> g_;
  std::shared_ptr<ConditionalDiscriminator> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "gan-cls",
    .title = "Generative adversarial text to image synthesis",
    .citation = "Reed, Akata, Yan, Logeswaran, Schiele, Lee 2016, arXiv:1605.05396",
    .data = "images of 16 to 256 pixels with captions",
    .needs = {"image", "caption"},
    .settings = captioned_settings(
        {{"scores", "one", "of D: one of picture and caption, or two: is it real, and does it go with the caption"},
         {"lr_g", 1e-3, ""},
         {"lr_d", 1e-3, ""}}),
    .minutes = 4,
    .make = make_recipe<GanCls>,
}};

}  // namespace
}  // namespace forger::gan
