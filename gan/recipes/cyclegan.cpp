// CycleGAN: Zhu, Park, Isola, Efros, "Unpaired image-to-image translation using cycle-consistent adversarial networks",
// ICCV 2017, arXiv:1703.10593. Two domains without pairs; a translator each way, and a discriminator in each domain
// that also sees the last 50 fakes; what was translated there and back must be what it was.
//
//   repeat: a, b = batches of the two domains, drawn apart
//     AB, BA: one Adam step on their terms for AB(a) and BA(b), plus
//             lambda (E |BA(AB(a)) - a| + E |AB(BA(b)) - b|)              the cycle
//             lambda_identity (E |AB(b) - b| + E |BA(a) - a|)             what is of a domain already stays; only where
//                                                                         the domains share their colours: off at first
//     A, B:   one Adam step each on its terms for real and fake samples of its domain
#include "gan/adversary.h"
#include "gan/fidelity.h"
#include "gan/networks/arch.h"
#include "gan/networks/translator.h"
#include "gan/networks/unet.h"
#include "gan/recipe.h"

namespace forger::gan {
namespace {

class CycleGan : public Recipe {
 public:
  CycleGan(const Settings& settings, const Columns& columns)
      : Recipe(settings), lambda_(settings.number("lambda")), lambda_identity_(settings.number("lambda_identity")) {
    const Shape &a = need_column(settings, columns, "a.image").sample,
                &b = need_column(settings, columns, "b.image").sample;
    for (const Shape& image : {a, b}) require_images("cyclegan", image);
    check<UsageError>(a[0] == b[0] && a[1] == b[1], "cyclegan takes two domains of one size, not ", a, " and ", b);
    check<UsageError>(a[2] == b[2] || lambda_identity_ == 0, "a is of ", a[2], " channels and b of ", b[2],
                      ": nothing can stay as it is; give --lambda-identity 0");
    ab_ = network("ab", translator(settings, a, b), /*averaged=*/true);
    ba_ = network("ba", translator(settings, b, a), /*averaged=*/true);
    const int64_t width = settings.integer("width"), field = settings.integer("field");
    const DNorm norm = norm_of(settings, DNorm::batch);
    a_ = network("a", patch_discriminator(a[2], width, field, extent_of(a), norm, random_));
    b_ = network("b", patch_discriminator(b[2], width, field, extent_of(b), norm, random_));
    translators_ = player("g", {"ab", "ba"}, settings);
    game_a_ = Adversary(player("a", {"a"}, settings, "lr_d"), settings, random_, craft("a", settings, a));
    game_b_ = Adversary(player("b", {"b"}, settings, "lr_d"), settings, random_, craft("b", settings, b));
  }

  Readings step(const NextBatch& next) override {
    const Batch batch = next();
    const Tensor &a = batch["a.image"], &b = batch["b.image"];
    const Critic real_a = [&](const Tensor&x) { return (*a_)(x); }, real_b = [&](const Tensor&x) { return (*b_)(x); };
    Shared fake_a([&] { return (*ba_)(b); }), fake_b([&] { return (*ab_)(a); });
    const auto fool_a = game_a_.against(real_a, a), fool_b = game_b_.against(real_b, b);
    Terms terms{[&] {
      return Losses{{"adversarial", fool_a(fake_a()) + fool_b(fake_b())},
                    {"cycle", lambda_ * (l1_loss((*ba_)(fake_b()), a) + l1_loss((*ab_)(fake_a()), b))}};
    }};
    if (lambda_identity_ > 0) {
      terms.push_back([&] {
        return Losses{{"identity", lambda_identity_ * (l1_loss((*ab_)(b), b) + l1_loss((*ba_)(a), a))}};
      });
    }
    Readings readings = translators_->minimise(terms);
    readings = std::move(readings) + game_a_.update(real_a, a, fake_a);
    return std::move(readings) + game_b_.update(real_b, b, fake_b);
  }

  std::vector<View> views() override {
    return {view("a-to-b", "a", ab_, ba_, "b"), view("b-to-a", "b", ba_, ab_, "a")};
  }

  // Where the truth is known, how near each translation comes to it; and how much of a picture survives there and back.
  Readings test(const Batch& held_out) override {
    Readings readings;
    const auto measure = [&](const std::string& way, const std::string& from, const Translator& there,
                             const Translator& back) {
      const Tensor &given = held_out[from + ".image"], made = (*there)(given);
      if (held_out.has(from + ".truth"))
        readings = std::move(readings) + fidelity(made, given, held_out[from + ".truth"], way + ".");
      readings.push_back({way + ".cycle", l1_loss((*back)(made), given)});
    };
    measure("a-to-b", "a", ab_, ba_);
    measure("b-to-a", "b", ba_, ab_);
    return readings;
  }

 private:
  using Translator = nn::LayerPtr;

  Translator translator(const Settings& settings, const Shape& from, const Shape& into) {
    const int64_t width = settings.integer("width");
    const std::string& arch = settings.text("arch");
    if (arch == "unet") return std::make_shared<UNet>(from[2], into[2], width, extent_of(from), random_);
    check<UsageError>(arch == "resnet", "--arch '", arch, "' is no translator; there are: resnet, unet");
    return resnet_translator(from[2], into[2], width, settings.integer("blocks"), random_);
  }

  static View view(const std::string& name, const std::string& from, const Translator& there, const Translator& back,
                   const std::string& into) {
    return {.name = name,
            .given = {from + ".image"},
            .make =
                [=](const Batch& batch) {
                  const Tensor made = (*there)(batch[from + ".image"]);
                  return Batch().add(into + ".image", made).add("back", (*back)(made));
                },
            .like = into + ".image",
            .beside = from + ".truth"};
  }

  double lambda_, lambda_identity_;
  Translator ab_, ba_;
  std::shared_ptr<nn::Sequential> a_, b_;
  std::shared_ptr<Player> translators_;
  Adversary game_a_, game_b_;
};

const RegisterRecipe registered{{
    .name = "cyclegan",
    .title = "Cycle-consistent adversarial networks",
    .citation = "Zhu, Park, Isola, Efros 2017, arXiv:1703.10593",
    .data = "images of two domains, 16 to 256 pixels, without pairs",
    .needs = {"a.image", "b.image"},
    .settings = game_settings(
        "lsgan", "none",
        {d_norm_setting("auto"),
         {"batch", int64_t{16}, "rows of each domain"},
         {"data", "unpaired:negative:fashion-mnist", "two domains"},
         {"width", int64_t{16}, "channels of the first layer"},
         {"arch", "resnet", "of the translators: resnet, or unet"},
         {"blocks", int64_t{3}, "residual blocks of a ResNet translator; the paper has 6 for 128 pixels and 9 for 256",
          0, 64},
         {"field", int64_t{34}, "pixels of a patch that a discriminator judges: 1, 16, 34 or 70", 1, 70},
         {"lambda", 10.0, "weight of the cycle", 0, 1e6},
         {"lambda_identity", 0.0, "weight of leaving alone what is of the domain already: 5 keeps colours", 0, 1e6},
         {"replay", int64_t{50}, "past fakes that each discriminator sees again; 0: none"}}),
    .make = make_recipe<CycleGan>,
}};

}  // namespace
}  // namespace forger::gan
