// InfoGAN: Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel, "InfoGAN: interpretable representation learning by
// information maximizing generative adversarial nets", NeurIPS 2016, arXiv:1606.03657, on DCGAN's networks. Beside its
// noise z a sample has a code: a category c of K, and numbers v in [-1, 1]. Q, a second head on D's body, reads the code
// in the sample; the better it can, the more information there is in the sample about its code:
//
//   I(c; G(z, c, v)) >= log K + E log Q(c | G(z, c, v)),    Q(c | x) = softmax, Q(v | x) = N(m(x), 1)
//
//   repeat: x = a batch of the data, z ~ N(0, I), c ~ categories, v ~ U(-1, 1), fake = G(z, c, v)
//     D, Q: one Adam step on D's terms for x and fake, plus
//           - lambda_category E log Q(c | fake) + lambda_code E |v - m(fake)|^2 / 2
//     G:    one Adam step on its term for fake, plus the same
//
// No label is ever seen: what the categories come to stand for is found out by looking (metrics/codes.h).
#include <cmath>

#include "gan/adversary.h"
#include "gan/networks/arch.h"
#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/recipe.h"
#include "gan/sweep.h"

namespace forger::gan {
namespace {

class InfoGan : public Recipe {
 public:
  InfoGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        latent_(settings.integer("latent")),
        categories_(settings.integer("categories")),
        codes_(settings.integer("codes")),
        lambda_category_(settings.number("lambda_category")),
        lambda_code_(settings.number("lambda_code")),
        eye_(eye(categories_)) {
    const Column& image = need_column(settings, columns, "image");
    require_images("infogan", image.sample);
    const int64_t width = settings.integer("width"), channels = image.sample[2];
    const Extent size = extent_of(image.sample);
    g_ = network("g", dcgan_generator(latent_ + categories_ + codes_, width, channels, size, random_),
                 /*averaged=*/true);
    d_ = network("d", std::make_shared<DiscriminatorInParts>(categories_ + codes_, width, channels, size,
                                                             norm_of(settings, DNorm::batch), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, image.sample));
  }

  Readings step(const NextBatch& next) override {
    const Tensor x = next()["image"];
    const Batch from = drawn(x.size(0), random_);
    const Critic d = [&](const Tensor& sample) { return score(sample); };
    Shared fake([&] { return generate(from); });
    Readings readings =
        game_.update(d, x, fake, {[&] { return unread(fake().detach(), from, "category_read", "code_read"); }});
    const auto fool = game_.against(d, x);
    return std::move(readings) + player_g_->minimise({[&] {
      const Tensor fooled = fool(fake());
      Losses losses = unread(fake(), from, "category", "code");
      losses.parts.push_back({"", fooled});
      return losses;
    }});
  }

  std::vector<View> views() override {
    const auto draw = [this](int64_t n, Random& random) { return drawn(n, random); };
    const auto make = [this](const Batch& from) { return Batch().add("image", generate(from)); };
    const auto judge = [this](const Batch& from) { return Batch().add("verdict", score(from["image"])); };
    const auto find = [this](const Batch& from) {
      const auto [category, code] = read(from["image"]);
      return Batch().add("category", softmax(category)).add("code", code);
    };
    std::vector<View> all{{.name = "sample", .draw = draw, .make = make, .like = "image"},
                          {.name = "read", .given = {"image"}, .make = find},
                          {.name = "judge", .given = {"image"}, .make = judge}};
    // Of one sample: itself as each category in turn, along one number from left to right.
    const auto draw_one = [this](int64_t n, Random& random) {
      return in_turn(drawn(1, random), "category", categories_, n);
    };
    for (int64_t k = 0; k < codes_; k++)
      all.push_back({.name = text("traverse-", k + 1), .draw = draw_one, .make = [this, k](const Batch& from) {
                       return sweep(from, "code", k, [this](const Batch& moved) { return generate(moved); });
                     }});
    return all;
  }

  // Of samples, how far Q reads their codes: nats of information about the category, of log K at the most; how often it
  // names it rightly, and how often one would by chance; the mean squared error of the numbers, and that of guessing 0.
  Readings test(const Batch& held_out) override {
    Random own(0);  // the same codes at any time
    const Batch from = drawn(held_out.rows(), own);
    const auto [category, code] = read(generate(from));
    const Tensor c = gather(eye_, from["category"]);
    return {{"information", std::log(static_cast<double>(categories_)) - class_loss(category, c)},
            {"named", accuracy(category, c, eye_)},
            {"named_chance", full({}, 1 / static_cast<double>(categories_), dtype(), device())},
            {"code_error", mse_loss(code, from["code"])},
            {"code_error_chance", mean(square(from["code"]))}};
  }

 private:
  // z, c as a number, v. Nothing is read from the device: c is the place of the largest of K uniform numbers.
  Batch drawn(int64_t n, Random& random) const {
    const Tensor z = noise(n, latent_, random), category = argmax(uniform(n, categories_, random));  // in this order
    return Batch().add("z", z).add("category", category).add("code", 2 * uniform(n, codes_, random) - 1);
  }
  Tensor generate(const Batch& from) {
    return (*g_)(concat(std::vector<Tensor>{from["z"], gather(eye_, from["category"]), from["code"]}, 1));
  }

  Tensor score(const Tensor& x) { return d_->score(d_->map(x)); }
  std::pair<Tensor, Tensor> read(const Tensor& x) {  // logits (N, K) and means (N, codes)
    const Tensor all = d_->read(d_->map(x));
    return {slice(all, 1, 0, categories_), slice(all, 1, categories_, categories_ + codes_)};
  }
  // What Q does not read in x, which was made from that: two losses of these names.
  Losses unread(const Tensor& x, const Batch& from, const char* of_category, const char* of_code) {
    const auto [category, code] = read(x);
    return {{of_category, lambda_category_ * class_loss(category, gather(eye_, from["category"]))},
            {of_code, lambda_code_ * mean(sum(0.5 * square(code - from["code"]), {1}))}};
  }

  int64_t latent_, categories_, codes_;
  double lambda_category_, lambda_code_;
  Tensor eye_;
  std::shared_ptr<nn::Sequential> g_;
  std::shared_ptr<DiscriminatorInParts> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "infogan",
    .title = "InfoGAN",
    .citation = "Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel 2016, arXiv:1606.03657",
    .data = "images of 16 to 256 pixels, square or not",
    .needs = {"image"},
    .settings = game_settings("non-saturating", "none",
                              {d_norm_setting("auto"),
                               {"categories", int64_t{10}, "kinds that a sample is drawn as one of", 2, 1000},
                               {"codes", int64_t{2}, "numbers from -1 to 1 that a sample is drawn with", 1, 64},
                               {"lambda_category", 1.0, "weight of the category being read in a sample", 0, 1e6},
                               {"lambda_code", 1.0, "weight of the numbers being read", 0, 1e6},
                               {"latent", int64_t{62}, "size of the noise beside the code"},
                               {"lr_g", 1e-3, ""},
                               {"lr_d", 1e-3, ""}}),
    .minutes = 4,
    .make = make_recipe<InfoGan>,
}};

}  // namespace
}  // namespace forger::gan
