// Triple-GAN: Li, Xu, Zhu, Zhang, "Triple generative adversarial nets", NeurIPS 2017, arXiv:1703.02291. Classes from few
// labels. A classifier C gives pictures labels, a generator G gives labels pictures, and a discriminator D judges pairs:
// is a picture with this label as the data has them?
//
//   repeat: (a, y) = a batch of the labelled rows, b = one of all pictures, without labels; z ~ N(0, I)
//           b' = a half of b under the labels that C gives it; (x, c) = half of (a, y) and b' with its labels
//     D: one Adam step on its terms for real (x, c) and fake (G(z, c), c), and alpha times that for fake (b, C(b))
//     G: one Adam step on its term for (G(z, c), c)
//     C: one Adam step on  -E log C(y | a)  -  alpha_made E log C(c | G(z, c))
//                          + alpha E C(c' | b) log(1 - s(D(b, c'))),  c' = the label that C gives b
//                          + confidence E H(C(. | b))
//   --preset classifier: all three weights are 0, and C learns from labelled rows alone: the baseline
//
// That some of C's own labels stand among the real ones is a remedy of the paper's for labels so few that D would
// know them by heart; so is the entropy H. (The paper weighs G's pairs by 1 - alpha beside C's; here they count whole.)
// C has a norm of each sample by itself: one over the batch would answer each kind of picture by another mean.
#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/shared_stacks.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class TripleGan : public Recipe {
 public:
  TripleGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        classes_(std::ssize(need_column(settings, columns, "a.label").words)),
        alpha_(settings.number("alpha")),
        alpha_made_(settings.number("alpha_made")),
        confidence_(settings.number("confidence")),
        eye_(eye(classes_)) {
    const Shape& image = need_column(settings, columns, "a.image").sample;
    require_domains("triple-gan", image, need_column(settings, columns, "b.image").sample);
    const int64_t width = settings.integer("width"), channels = image[2];
    const Extent size = extent_of(image);
    c_ = network("c", dcgan_encoder(classes_, width, channels, size, DNorm::layer, random_), /*averaged=*/true);
    player_c_ = player("c", {"c"}, settings);
    g_ = network("g", dcgan_generator(latent_ + classes_, width, channels, size, random_), /*averaged=*/true);
    d_ = network(
        "d", std::make_shared<ConditionalDiscriminator>(Condition::projection, /*two_scores=*/false, classes_, width,
                                                        channels, size, norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, image, Judged::with_label));
    game_.check_alone();
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &a = batch["a.image"], &b = batch["b.image"], y = one_hot(batch["a.label"]);
    Tensor right;  // the share of a that is named as it should be
    const auto labelled = [&] {
      const Tensor named = (*c_)(a);
      right = accuracy(named.detach(), y, eye_);
      return Losses{{"class", class_loss(named, y)}};
    };
    const int64_t n = a.size(0), half = n / 2;
    const Tensor given = one_hot(argmax((*c_)(b))), z = noise(n, latent_, random_);
    const auto with_half = [&](const Tensor& of_a, const Tensor& of_b) {
      return concat(std::vector<Tensor>{slice(of_a, 0, 0, half), slice(of_b, 0, half, n)}, 0);
    };
    const Tensor x = with_half(a, b), c = with_half(y, given);
    const Critic d = [&](const Tensor& sample) { return d_->score(sample, c); };
    Shared fake([&] { return generate(z, c); });
    const Lens seen = game_.lens(b);
    Readings readings = game_.update(d, x, fake, {[&] {
                                       return Losses{{"named", alpha_ * game_.refuse(d_->score(seen(b), given))}};
                                     }});
    const auto fool = game_.against(d, x);
    readings = std::move(readings) + player_g_->minimise({[&] { return fool(fake()); }});
    const auto unlabelled = [&] {
      const Tensor log_p = log_softmax((*c_)(b)), p = exp(log_p), verdict = d_->score(b, given).detach();
      return Losses{{"class_made", alpha_made_ * class_loss((*c_)(fake().detach()), c)},
                    {"adversarial", -alpha_ * mean(sum(p * given, {1}) * softplus(verdict))},
                    {"entropy", -confidence_ * mean(sum(p * log_p, {1}))}};
    };
    readings = std::move(readings) + player_c_->minimise({labelled, unlabelled});
    return std::move(readings) + Readings{{"accuracy", right}};
  }

  // "sample", of classes at random or --set a.label=WORD; and pictures, beside each how likely each class is.
  std::vector<View> views() override {
    return {{.name = "sample",
             .draw =
                 [this](int64_t n, Random& random) {
                   const Tensor z = noise(n, latent_, random);  // drawn first
                   return Batch().add("z", z).add("a.label", numbers(n, classes_, random));
                 },
             .make =
                 [this](const Batch& from) {
                   return Batch().add("b.image", generate(from["z"], one_hot(from["a.label"])));
                 },
             .like = "b.image"},
            {.name = "classify", .given = {"b.image"}, .make = [this](const Batch& from) {
               return Batch().add("classes", as_stripes((*c_)(from["b.image"]), from["b.image"]));
             }}};
  }

  // How often C names the class; and how often it names a made picture as the class that was asked for.
  Readings test(const Batch& held_out) override {
    const Tensor y = one_hot(held_out["a.label"]);
    const auto named = [&](const Tensor& x) { return accuracy((*c_)(x), y, eye_); };
    Random own(0);  // the same pictures at any time
    return {{"accuracy", named(held_out["a.image"])}, {"named", named(generate(noise(y.size(0), latent_, own), y))}};
  }

 private:
  Tensor one_hot(const Tensor& label) const { return gather(eye_, label); }
  Tensor generate(const Tensor& z, const Tensor& c) { return (*g_)(concat(std::vector<Tensor>{z, c}, 1)); }

  int64_t latent_, classes_;
  double alpha_, alpha_made_, confidence_;
  Tensor eye_;
  std::shared_ptr<nn::Sequential> c_, g_;
  std::shared_ptr<ConditionalDiscriminator> d_;
  std::shared_ptr<Player> player_c_, player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "triple-gan",
    .title = "Triple-GAN: classes from few labels",
    .citation = "Li et al. 2017, arXiv:1703.02291",
    .data = "images of 16 to 256 pixels, some with classes, and more without",
    .needs = {"a.image", "a.label", "b.image"},
    .settings = game_settings(
        "non-saturating", "none",
        {d_norm_setting("auto"),
         {"data", "few-labels:100:fashion-mnist", "labelled images, and more without labels"},
         {"alpha", 0.5, "weight of the classifier's labels in D's loss, and of D's verdict in the classifier's", 0, 1},
         {"alpha_made", 0.1, "weight of made pictures among what the classifier learns from", 0, 1000},
         {"confidence", 0.1, "weight of the classifier being sure of pictures without labels", 0, 1000},
         {"lr_c", 1e-3, "learning rate of the classifier", 0, 1}}),
    .presets = {{.name = "classifier",
                 .help = "the classifier learns from its labels alone, to compare with",
                 .values = {{"alpha", "0"}, {"alpha_made", "0"}, {"confidence", "0"}}}},
    .minutes = 6,
    .make = make_recipe<TripleGan>,
}};

}  // namespace
}  // namespace forger::gan
