// Conditional GAN: Mirza, Osindero, "Conditional generative adversarial nets", 2014, arXiv:1411.1784, on DCGAN's
// networks. G sees the class beside the noise; D sees it as --condition says (gan/networks/dcgan.h). A real picture
// under a wrong class is a negative, too (Reed et al. 2016, arXiv:1605.05396): without it D may judge the picture
// alone.
//
//   repeat: (x, c) = a batch of the data, z ~ N(0, I), c' another class than c, at random
//     D: one Adam step on its terms for real (x, c), fake (G(z, c), c) and mismatched (x, c')
//     G: one Adam step on its term for (G(z, c), c)
//   acgan: D(x) alone; D learns to name the class of real and fake samples, G, by --class-weight, to be named right
//   --scores two: D(x) says whether a sample is real; a second score, whether it is of its class, learns from real
//     (x, c) and (x, c') alone; G minimises its terms of both
//
// The learning rate is 1e-3 for the reason that dcgan.cpp gives.
#include "core/autograd.h"
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

Condition find_condition(const Settings& settings) {
  const std::string& name = settings.choice("condition", {"concat", "projection", "acgan"});
  return name == "concat" ? Condition::concat : name == "projection" ? Condition::projection : Condition::acgan;
}

// Whether there are two scores; that needs pictures under a wrong class.
bool find_scores(const Settings& settings, Condition condition) {
  if (settings.choice("scores", {"one", "two"}) == "one") return false;
  check<UsageError>(condition != Condition::acgan, "--scores two: acgan's second head is a classifier already");
  check<UsageError>(settings.flag("mismatched"),
                    "--scores two: a match is learnt beside pairs that do not match, so --no-mismatched cannot be");
  return true;
}

class ConditionalGan : public Recipe {
 public:
  ConditionalGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        classes_(std::ssize(need_column(settings, columns, "label").words)),
        condition_(find_condition(settings)),
        two_scores_(find_scores(settings, condition_)),
        mismatched_(settings.flag("mismatched") && condition_ != Condition::acgan),
        class_weight_(settings.number("class_weight")),
        eye_(eye(classes_)) {
    const Column& image = need_column(settings, columns, "image");
    require_images("cgan", image.sample);
    const int64_t width = settings.integer("width"), channels = image.sample[2];
    const Extent size = extent_of(image.sample);
    g_ = network("g", dcgan_generator(latent_ + classes_, width, channels, size, random_), /*averaged=*/true);
    d_ = network("d", std::make_shared<ConditionalDiscriminator>(condition_, two_scores_, classes_, width, channels,
                                                                 size, norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_,
                      craft("d", settings, image.sample, Judged::with_label));
    if (two_scores_ || mismatched_) game_.check_alone();
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &x = batch["image"], &label = batch["label"], c = one_hot(label),
                 z = noise(x.size(0), latent_, random_);
    const Critic d = [&](const Tensor& sample) { return d_->score(sample, c); };
    Critic match;
    if (two_scores_) match = [&](const Tensor& sample) { return d_->match(sample, c); };
    Shared fake([&] { return generate(z, c); });
    const Lens seen = game_.lens(x);
    Terms more;
    if (match) more.push_back([&] { return Losses{{"matched", game_.accept(match(seen(x)))}}; });
    if (mismatched_) {
      const Tensor wrong = another(c);
      more.push_back([&, wrong] {
        return Losses{
            {"mismatched", game_.refuse(two_scores_ ? d_->match(seen(x), wrong) : d_->score(seen(x), wrong))}};
      });
    }
    if (condition_ == Condition::acgan) {
      more.push_back([&] { return Losses{{"class_real", class_loss(d_->logits(seen(x)), c)}}; });
      more.push_back([&] { return Losses{{"class_fake", class_loss(d_->logits(seen(fake().detach())), c)}}; });
    }
    Readings readings = game_.update(d, x, fake, more);
    const auto fool = game_.against(d, match, x);
    return std::move(readings) + player_g_->minimise({[&] {
      Losses losses = fool(fake());
      if (condition_ == Condition::acgan)
        losses.parts.push_back({"class", class_weight_ * class_loss(d_->logits(seen(fake())), c)});
      return losses;
    }});
  }

  std::vector<View> views() override {
    return {
        {.name = "sample",
         .draw = [this](int64_t n, Random& random) { return drawn(n, random); },
         .make =
             [this](const Batch& from) { return Batch().add("image", generate(from["z"], one_hot(from["label"]))); },
         .like = "image"}};
  }

 private:
  Tensor one_hot(const Tensor& label) const { return gather(eye_, label); }
  Tensor generate(const Tensor& z, const Tensor& c) { return (*g_)(concat(std::vector<Tensor>{z, c}, 1)); }
  // Rows of another class each, all others being as likely: the largest of uniform numbers, its own pushed below them.
  Tensor another(const Tensor& c) {
    const NoGrad no_grad;
    return one_hot(argmax(uniform(c.size(0), classes_, random_) - 2 * c));
  }
  Batch drawn(int64_t n, Random& random) const {
    const Tensor z = noise(n, latent_, random);  // drawn first
    return Batch().add("z", z).add("label", numbers(n, classes_, random));
  }

  int64_t latent_, classes_;
  Condition condition_;
  bool two_scores_, mismatched_;
  double class_weight_;
  Tensor eye_;
  std::shared_ptr<nn::Sequential> g_;
  std::shared_ptr<ConditionalDiscriminator> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "cgan",
    .title = "Conditional GAN",
    .citation = "Mirza, Osindero 2014, arXiv:1411.1784",
    .data = "images of 16 to 256 pixels with classes",
    .needs = {"image", "label"},
    .settings = game_settings(
        "non-saturating", "none",
        {d_norm_setting("auto"),
         {"condition", "projection", "how D sees the class: concat, projection, or acgan (it names the class)"},
         {"scores", "one", "of D: one of image and class, or two: is it real, and is it of its class"},
         {"mismatched", true, "real pictures under a wrong class are negatives, too (not acgan)"},
         {"class_weight", 1.0, "of the class beside the objective in G's loss (acgan)"},
         {"lr_g", 1e-3, ""},
         {"lr_d", 1e-3, ""}}),
    .minutes = 3,
    .make = make_recipe<ConditionalGan>,
}};

}  // namespace
}  // namespace forger::gan
