// StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: unified generative adversarial networks for multi-domain
// image-to-image translation", CVPR 2018, arXiv:1711.09020. One translator G(x, c) for all domains c, the classes of a
// set: c stands at every pixel beside the image. D judges patches, and a second head names the domain of the whole
// image: D learns to name real ones, G to be named the domain asked for.
//
//   repeat: n_critic times: (x, c) = a batch of the data, c' = domains at random
//       D: one Adam step on its terms for x and G(x, c'), its penalty, and -class_weight E log D(c | x)
//     G: one Adam step on its term for the last G(x, c'), plus -class_weight E log D(c' | G(x, c'))
//        + cycle_weight E |G(G(x, c'), c) - x|
#include "core/autograd.h"
#include "gan/agreement.h"
#include "gan/networks/arch.h"
#include "gan/networks/classes.h"
#include "gan/networks/star.h"
#include "gan/networks/translator.h"
#include "gan/recipes/unpaired.h"

namespace forger::gan {
namespace {

class StarGan : public Recipe {
 public:
  StarGan(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        words_(need_column(settings, columns, "label").words),
        n_critic_(settings.integer("n_critic")),
        cycle_weight_(settings.number("cycle_weight")),
        class_weight_(settings.number("class_weight")),
        eye_(eye(domains())) {
    const Shape& image = need_column(settings, columns, "image").sample;
    require_images("stargan", image);
    check<UsageError>(domains() >= 2, "stargan needs data of two classes or more, each of which is a domain");
    const int64_t width = settings.integer("width"), channels = image[2];
    g_ = network("g", resnet_translator(channels + domains(), channels, width, settings.integer("blocks"), random_),
                 /*averaged=*/true);
    d_ = network("d", std::make_shared<StarDiscriminator>(domains(), width, channels, extent_of(image),
                                                          norm_of(settings, DNorm::none), random_));
    player_g_ = player("g", {"g"}, settings);
    game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, image));
  }

  Readings step(const NextBatch& next) override {
    const Critic d = [&](const Tensor& sample) { return d_->score(sample); };
    Readings readings;
    Tensor x, c, into;
    Shared fake([&] { return translate(x, into); });
    for (int64_t i = 1; i <= n_critic_; i++) {
      const Batch batch = next();
      x = batch["image"], c = gather(eye_, batch["label"]);
      into = gather(eye_, argmax(uniform(x.size(0), domains(), random_)));
      Shared shown([&] {
        if (i == n_critic_) return fake();
        const NoGrad no_grad;
        return translate(x, into);
      });
      const Lens seen = game_.lens(x);
      readings = game_.update(d, x, shown, {[&] {
                                return Losses{{"class_real", class_weight_ * class_loss(d_->logits(seen(x)), c)}};
                              }});
    }
    const auto fool = game_.against(d, x);
    const Lens seen = game_.lens(x);
    return std::move(readings) + player_g_->minimise({[&] {
      return Losses{{"adversarial", fool(fake())},
                    {"class", class_weight_ * class_loss(d_->logits(seen(fake())), into)},
                    {"cycle", cycle_weight_ * l1_loss(translate(fake(), c), x)}};
    }});
  }

  // "translate" into domains at random, or --set label=WORD; and into each of them, beside the truth where it is known.
  std::vector<View> views() override {
    std::vector<View> all{
        {.name = "translate",
         .given = {"image"},
         .draw = [this](int64_t n, Random& random) { return Batch().add("label", numbers(n, domains(), random)); },
         .make =
             [this](const Batch& from) {
               return Batch().add("image", translate(from["image"], gather(eye_, from["label"])));
             },
         .like = "image"}};
    for (int64_t k = 0; k < domains(); k++) {
      all.push_back({.name = "to-" + word(k), .given = {"image"}, .make = [this, k](const Batch& from) {
                       return Batch().add("image", translate(from["image"], all_of(k, from.rows())));
                     }});
      all.back().beside = "truth." + word(k);
    }
    return all;
  }

  // Into each domain from all others, where the truth is known. And whether D's head names what was made of a picture
  // for the domain before its own as it was asked for, beside how it names that picture.
  Readings test(const Batch& held_out) override {
    std::vector<Way> ways;
    for (int64_t to = 0; to < domains(); to++)
      for (int64_t from = 0; from < domains(); from++)
        if (from != to) ways.push_back(way(from, to));
    const Tensor &x = held_out["image"], &label = held_out["label"], other = gather(moved_on(eye_), label),
                 made = translate(x, other);
    const auto named = [&](const Tensor& image) { return accuracy(d_->logits(image), other, eye_); };
    return test_of(ways, held_out) + Readings{{"cycle", l1_loss(translate(made, gather(eye_, label)), x)},
                                              {"named", named(made)},
                                              {"named_identity", named(x)}};
  }

 private:
  int64_t domains() const { return std::ssize(words_); }
  const std::string& word(int64_t k) const { return words_[static_cast<size_t>(k)]; }
  Tensor translate(const Tensor& x, const Tensor& c) { return (*g_)(with_planes(x, c)); }
  Tensor all_of(int64_t domain, int64_t n) const {
    return broadcast_to(slice(eye_, 0, domain, domain + 1), {n, domains()});
  }
  Way way(int64_t from, int64_t to) {
    const auto into = [this](int64_t k) {
      return [this, k](const Tensor& x) { return translate(x, all_of(k, x.size(0))); };
    };
    return {"to-" + word(to), "truth." + word(from), "image", "truth." + word(to), into(to), into(from)};
  }

  std::vector<std::string> words_;  // of the domains
  int64_t n_critic_;
  double cycle_weight_, class_weight_;
  Tensor eye_;
  nn::LayerPtr g_;
  std::shared_ptr<StarDiscriminator> d_;
  std::shared_ptr<Player> player_g_;
  Adversary game_;
};

const RegisterRecipe registered{{
    .name = "stargan",
    .title = "StarGAN: one translator for all domains",
    .citation = "Choi, Choi, Kim, Ha, Kim, Choo 2018, arXiv:1711.09020",
    .data = "images of 16 to 256 pixels with classes, which are the domains",
    .needs = {"image", "label"},
    .settings = game_settings("wasserstein", "gp",
                              {d_norm_setting("auto"),
                               {"batch", int64_t{16}, ""},
                               {"data", "domains:plain,negative,red:fashion-mnist", "images of several domains"},
                               {"lr_g", 1e-4, ""},
                               {"lr_d", 1e-4, ""},
                               {"width", int64_t{16}, "channels of the first layer"},
                               {"blocks", int64_t{3}, "residual blocks of G; the paper has 6 for 128 pixels", 0, 64},
                               {"n_critic", int64_t{5}, "D's updates per update of G", 1, 1000},
                               {"cycle_weight", 10.0, "of what is translated there and back", 0, 1e6},
                               {"class_weight", 1.0, "of the domain's name, in both losses", 0, 1e6}}),
    .minutes = 10,
    .make = make_recipe<StarGan>,
}};

}  // namespace
}  // namespace forger::gan
