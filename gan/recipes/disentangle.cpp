// What a picture shows apart from how it looks: Hadad, Wolf, Shahar, "A two-step disentanglement method", CVPR 2018,
// arXiv:1709.00199. Style (s) is known for every picture and content for none: the style code is what a classifier of
// styles needs, the content code is what else a decoder needs, and no classifier C may tell the style from it.
//
//   repeat: (x, s) = a batch of the data
//     S, styles: one Adam step on the cross-entropy of s and styles(S(x))
//     C:         n_critic Adam steps on the cross-entropy of s and C(E(x))
//     E, G:      one Adam step on |G(E(x), S(x)) - x|
//                + lambda times the cross-entropy of the uniform distribution and C(E(x))
//
// The paper trains S beforehand and leaves it then as it is; here, as in dtn, it learns beside the others, and no term
// of theirs reaches it. Its E maximises C's loss, which has no upper bound: here E is at its best where C is undecided
// (Tzeng et al. 2015, arXiv:1510.02192). The content's labels are for tests alone: what fresh classifiers find in either
// code (metrics/probe.h).
#include "gan/agreement.h"
#include "gan/networks/classes.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/mlp.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

// The column that says the style.
std::string style_of(const Settings& settings, const Columns& columns) {
  const std::string& name = settings.text("style");
  return name != "auto" ? name : find_column(columns, "font") != nullptr ? "font" : "label";
}

class Disentangle : public Recipe {
 public:
  Disentangle(const Settings& settings, const Columns& columns)
      : Recipe(settings),
        style_(style_of(settings, columns)),
        n_critic_(settings.integer("n_critic")),
        lambda_(settings.number("lambda")) {
    const Shape& image = need_column(settings, columns, "image").sample;
    require_images("disentangle", image);
    const Column& style = need_column(settings, columns, style_);
    check<UsageError>(style.dtype == DType::i64 && style.sample == Shape{} && style.words.size() >= 2, "--style ",
                      style_, ": it is to be a column of two labels or more");
    const int64_t width = settings.integer("width"), content = settings.integer("code"),
                  look = settings.integer("style_code"), styles = std::ssize(style.words), hidden = 4 * content;
    const Extent size = extent_of(image);
    eye_ = eye(styles);
    e_ = network("e", dcgan_encoder(content, width, image[2], size, DNorm::batch, random_), /*averaged=*/true);
    e_->append(nn::tanh());
    g_ = network("g", dcgan_generator(content + look, width, image[2], size, random_), /*averaged=*/true);
    s_ = network("s", dcgan_encoder(look, width, image[2], size, DNorm::batch, random_), /*averaged=*/true);
    s_->append(nn::tanh());
    styles_ = network("styles", std::make_shared<nn::Linear>(look, styles, random_), /*averaged=*/true);
    c_ = network("c", mlp_generator(content, hidden, {styles}, random_));
    player_s_ = player("s", {"s", "styles"}, settings, "lr_g");
    player_c_ = player("c", {"c"}, settings, "lr_d");
    player_g_ = player("g", {"e", "g"}, settings);
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &x = batch["image"], style = gather(eye_, batch[style_]);
    Readings readings = player_s_->minimise({[&] { return class_loss((*styles_)((*s_)(x)), style); }});
    Shared content([&] { return (*e_)(x); });
    Readings of_c;
    for (int64_t i = 0; i < n_critic_; i++)
      of_c = player_c_->minimise({[&] { return class_loss((*c_)(content().detach()), style); }});
    return std::move(readings) + of_c + player_g_->minimise({[&] {
      const Tensor rebuilt = decode(content(), (*s_)(x).detach());
      return Losses{{"rebuild", l1_loss(rebuilt, x)},
                    {"undecided", lambda_ * neg(mean(log_softmax((*c_)(content()))))}};
    }});
  }

  // "rebuild"; "swap", each picture's content in the style of the next one, which stands beside it; and the two codes.
  std::vector<View> views() override {
    const auto code = [this](const std::string& name, const std::shared_ptr<nn::Sequential>& encoder) {
      return View{.name = name, .given = {"image"}, .make = [encoder](const Batch& from) {
                    return Batch().add("code", (*encoder)(from["image"]));
                  }};
    };
    return {{.name = "swap",
             .given = {"image"},
             .make =
                 [this](const Batch& from) {
                   const Tensor &x = from["image"], look = moved_on(x);
                   return Batch().add("image", decode((*e_)(x), (*s_)(look))).add("look", look);
                 },
             .like = "image"},
            {.name = "rebuild",
             .given = {"image"},
             .make =
                 [this](const Batch& from) {
                   const Tensor& x = from["image"];
                   return Batch().add("image", decode((*e_)(x), (*s_)(x)));
                 },
             .like = "image"},
            code("content", e_),
            code("style", s_)};
  }

  // How far pictures come back from both codes; how often the style is named from its own code, from the content's by
  // C, and, of a picture in the style of the next one, as that one's.
  Readings test(const Batch& held_out) override {
    const Tensor &x = held_out["image"], style = gather(eye_, held_out[style_]), content = (*e_)(x), look = (*s_)(x);
    const Tensor swapped = decode(content, moved_on(look));
    const auto named = [&](const Tensor& logits, const Tensor& as) { return accuracy(logits, as, eye_); };
    return {{"rebuilt", l1_loss(decode(content, look), x)},
            {"style", named((*styles_)(look), style)},
            {"style_in_content", named((*c_)(content), style)},
            {"style_swapped", named((*styles_)((*s_)(swapped)), moved_on(style))}};
  }

 private:
  Tensor decode(const Tensor& content, const Tensor& look) {
    return (*g_)(concat(std::vector<Tensor>{content, look}, 1));
  }

  std::string style_;  // the column
  int64_t n_critic_;
  double lambda_;
  Tensor eye_;
  std::shared_ptr<nn::Sequential> e_, g_, s_;
  nn::LayerPtr styles_, c_;
  std::shared_ptr<Player> player_s_, player_c_, player_g_;
};

const RegisterRecipe registered{{
    .name = "disentangle",
    .title = "Content and style apart",
    .citation = "Hadad, Wolf, Shahar 2018, arXiv:1709.00199",
    .data = "images of 16 to 256 pixels, with a column of labels of their style",
    .needs = {"image", "label"},
    .settings = {{"data", "glyphs", "images with labels of their style"},
                 {"style", "auto", "the column that says the style; auto: font where there is one, else label"},
                 {"code", int64_t{32}, "numbers of the content", 1, 65536},
                 {"style_code", int64_t{16}, "numbers of the style", 1, 65536},
                 {"lambda", 0.1, "weight of the content not saying the style; 0: it may", 0, 1e6},
                 {"n_critic", int64_t{2}, "updates of C per update of E and G", 1, 1000},
                 {"lr_g", 1e-3, "learning rate of encoders and decoder", 0, 1},
                 {"lr_d", 1e-3, "learning rate of C, which finds the style in the content", 0, 1},
                 {"beta1", 0.9, "Adam's decay of the first moment", 0, 0.9999}},
    .minutes = 2,
    .make = make_recipe<Disentangle>,
}};

}  // namespace
}  // namespace forger::gan
