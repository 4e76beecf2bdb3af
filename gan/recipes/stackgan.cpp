// StackGAN, pictures from captions in two stages: Zhang, Xu, Li, Zhang, Wang, Huang, Metaxas, "StackGAN: text to
// photo-realistic image synthesis with stacked generative adversarial networks", ICCV 2017, arXiv:1612.03242. Stage I
// paints a picture of half the size, stage II sees it and the caption again, and paints what is missing. Both see the
// caption through conditioning augmentation. Discriminators, captions and wrong captions are gan-cls's.
//
//   repeat: (x, t) = a batch of the data, z and e ~ N(0, I), t' a caption of the batch that says something else
//     (mu, sigma) = A(phi(t)), c = mu + sigma e;  x1 = G1(z, c),  x2 = G2(x1, c)
//     D1, phi: one Adam step on its terms for real (x at half the size, t), fake (x1, t), mismatched (x, t')
//     D2:      one Adam step on the same at full size, phi being given
//     A, G1, G2: one Adam step on their terms for (x1, t) and (x2, t), plus lambda_kl KL(N(mu, sigma^2) || N(0, I))
//
// The paper trains stage I first and stage II on what came of it; here both learn in each step, as in its successor
// (StackGAN++, arXiv:1710.10916): all steps are alike, nothing has to be decided in between, and stage I hears of what
// stage II would need.
#include "core/autograd.h"
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/stage_two.h"
#include "gan/recipes/captioned.h"

namespace forger::gan {
namespace {

class StackGan : public CaptionedRecipe {
 public:
  StackGan(const Settings& settings, const Columns& columns)
      : CaptionedRecipe(settings, columns),
        latent_(settings.integer("latent")),
        augmented_(settings.integer("augmented")),
        lambda_kl_(settings.number("lambda_kl")) {
    const Shape& image = need_column(settings, columns, "image").sample;
    require_images("stackgan", image);
    const int64_t width = settings.integer("width"), channels = image[2];
    const Extent size = extent_of(image), half(size.height / 2, size.width / 2);
    a_ = network("a", std::make_shared<ConditioningAugmentation>(code(), augmented_, random_), /*averaged=*/true);
    g1_ = network("g1", dcgan_generator(latent_ + augmented_, width, channels, half, random_), /*averaged=*/true);
    g2_ = network("g2",
                  std::make_shared<StageTwo>(channels, augmented_, width, settings.integer("blocks"), size, random_),
                  /*averaged=*/true);
    player_g_ = player("g", {"a", "g1", "g2"}, settings);
    const auto game = [&](const std::string& name, const std::vector<std::string>& learns, Extent of, Stage& stage) {
      stage.d = network(name, std::make_shared<ConditionalDiscriminator>(caption_condition(settings),
                                                                         /*two_scores=*/false, code(), width, channels,
                                                                         of, norm_of(settings, DNorm::batch), random_));
      stage.game = Adversary(player(name, learns, settings, "lr_d"), settings, random_,
                             craft(name, settings, {of.height, of.width, channels}, Judged::with_label));
      stage.game.check_alone();
    };
    game("d1", {"d1", "e"}, half, one_);
    game("d2", {"d2"}, size, two_);
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &x = batch["image"], &t = batch["caption"], half = avg_pool2d(x), given = said(t),
                 z = noise(x.size(0), latent_, random_), e = noise(x.size(0), augmented_, random_), wrong = another(t);
    Shared gaussian([&] { return a_->parameters_of(given); });
    Shared c([&] { return ConditioningAugmentation::sample(gaussian(), e); });
    Shared small([&] { return first(z, c()); }), large([&] { return (*g2_)(small(), c()); });
    const auto code1 = [&] { return read(t); };
    const auto code2 = [&] { return given; };
    const Critic d1 = [&](const Tensor& picture) { return one_.d->score(picture, code1()); };
    const Critic d2 = [&](const Tensor& picture) { return two_.d->score(picture, code2()); };
    const auto learn = [&](Stage& stage, const Critic& d, const Tensor& real, Shared& fake,
                           const std::function<Tensor()>& code, const std::string& name) {
      const Lens seen = stage.game.lens(real);
      const auto mismatched = [&, seen] { return stage.d->score(seen(real), gather(code(), wrong)); };
      return stage.game.update(d, real, fake, {[&] { return Losses{{name, stage.game.refuse(mismatched())}}; }});
    };
    Readings readings = learn(one_, d1, half, small, code1, "mismatched1");
    readings = std::move(readings) + learn(two_, d2, x, large, code2, "mismatched2");
    const auto fool1 = one_.game.against(d1, half), fool2 = two_.game.against(d2, x);
    return std::move(readings) + player_g_->minimise({[&] {
      return Losses{{"small", fool1(small())},
                    {"large", fool2(large())},
                    {"kl", lambda_kl_ * ConditioningAugmentation::divergence(gaussian())}};
    }});
  }

  std::vector<View> views() override {
    return {sampling(
        [this](Batch& batch, int64_t n, Random& random) {
          batch.add("z", noise(n, latent_, random)).add("e", noise(n, augmented_, random));
        },
        [this](const Batch& from) {
          const Tensor c = ConditioningAugmentation::sample(a_->parameters_of(said(from["caption"])), from["e"]);
          const Tensor small = first(from["z"], c);
          return Batch().add("image", (*g2_)(small, c)).add("stage-1", upsample_nearest(small, 2));
        })};
  }

 private:
  struct Stage {
    std::shared_ptr<ConditionalDiscriminator> d;
    Adversary game;
  };
  Tensor first(const Tensor& z, const Tensor& c) { return (*g1_)(concat(std::vector<Tensor>{z, c}, 1)); }
  Tensor matching(const Tensor& picture, const Tensor& code) override { return two_.d->score(picture, code); }

  int64_t latent_, augmented_;
  double lambda_kl_;
  std::shared_ptr<ConditioningAugmentation> a_;
  std::shared_ptr<nn::Sequential> g1_;
  std::shared_ptr<StageTwo> g2_;
  std::shared_ptr<Player> player_g_;
  Stage one_, two_;
};

const RegisterRecipe registered{{
    .name = "stackgan",
    .title = "Stacked generative adversarial networks",
    .citation = "Zhang, Xu, Li, Zhang, Wang, Huang, Metaxas 2017, arXiv:1612.03242",
    .data = "images of 16 to 256 pixels with captions",
    .needs = {"image", "caption"},
    .settings = captioned_settings({{"augmented", int64_t{32}, "numbers of the augmented condition", 1, 4096},
                                    {"lambda_kl", 1.0, "weight of its KL divergence", 0, 1e6},
                                    {"blocks", int64_t{2}, "residual blocks of stage II", 0, 64}}),
    .minutes = 7,
    .make = make_recipe<StackGan>,
}};

}  // namespace
}  // namespace forger::gan
