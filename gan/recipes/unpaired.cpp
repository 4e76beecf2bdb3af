#include "gan/recipes/unpaired.h"

#include <algorithm>
#include <map>

#include "core/autograd.h"
#include "gan/fidelity.h"
#include "gan/networks/arch.h"
#include "gan/networks/dcgan.h"
#include "gan/networks/translator.h"
#include "gan/networks/unet.h"

namespace forger::gan {

std::vector<View> views_of(const std::vector<Way>& ways) {
  std::vector<View> views;
  for (const Way& way : ways) {
    views.push_back({.name = way.name,
                     .given = {way.given},
                     .make =
                         [way](const Batch& batch) {
                           const Tensor made = way.there(batch[way.given]);
                           return Batch().add(way.like, made).add("back", way.back(made));
                         },
                     .like = way.like,
                     .beside = way.truth});
  }
  return views;
}

Readings test_of(const std::vector<Way>& ways, const Batch& held_out) {
  Readings means;
  std::map<std::string, int> counts;
  for (const Way& way : ways) {
    if (!held_out.has(way.given)) continue;
    const Tensor &given = held_out[way.given], made = way.there(given);
    Readings found;
    if (held_out.has(way.truth)) found = fidelity(made, given, held_out[way.truth], way.name + ".");
    found.push_back({way.name + ".cycle", l1_loss(way.back(made), given)});
    for (const Reading& one : found) {
      const int count = ++counts[one.name];
      if (count == 1) {
        means.push_back(one);
        continue;
      }
      Tensor& mean = std::ranges::find(means, one.name, &Reading::name)->value;
      mean = mean + (one.value - mean) / count;
    }
  }
  return means;
}

nn::LayerPtr domain_discriminator(const Settings& settings, const Shape& image, Random& random) {
  const int64_t width = settings.integer("width"), field = settings.integer("field");
  const DNorm norm = norm_of(settings, DNorm::batch);
  if (field == 0) return dcgan_discriminator(width, image[2], extent_of(image), norm, random);
  return patch_discriminator(image[2], width, field, extent_of(image), norm, random);
}

Readings of_domain(Readings readings, const std::string& domain) {
  for (Reading& reading : readings)
    if (!reading.name.ends_with("_" + domain)) reading.name += "_" + domain;
  return readings;
}

Unpaired::Unpaired(const Settings& settings, const Columns& columns)
    : Recipe(settings),
      n_critic_(settings.integer("n_critic")),
      lambda_(settings.number("lambda")),
      lambda_identity_(settings.number("lambda_identity")),
      squared_(settings.choice("distance", {"l1", "mse"}) == "mse"),
      honest_(settings) {
  const std::string& who = settings.text("recipe");
  const Shape &a = need_column(settings, columns, "a.image").sample,
              &b = need_column(settings, columns, "b.image").sample;
  for (const Shape& image : {a, b}) require_images(who, image);
  check<UsageError>(find_column(columns, "c.image") == nullptr, who,
                    " takes two domains, and this data has more: train the recipe combogan");
  check<UsageError>(a[0] == b[0] && a[1] == b[1], who, " takes two domains of one size, not ", a, " and ", b);
  check<UsageError>(a[2] == b[2] || lambda_identity_ == 0, "a is of ", a[2], " channels and b of ", b[2],
                    ": nothing can stay as it is; give --lambda-identity 0");
  ab_ = network("ab", translator(settings, a, b), /*averaged=*/true);
  ba_ = network("ba", translator(settings, b, a), /*averaged=*/true);
  a_ = network("a", domain_discriminator(settings, a, random_));
  b_ = network("b", domain_discriminator(settings, b, random_));
  translators_ = player("g", {"ab", "ba"}, settings);
  game_a_ = Adversary(player("a", {"a"}, settings, "lr_d"), settings, random_, craft("a", settings, a));
  game_b_ = Adversary(player("b", {"b"}, settings, "lr_d"), settings, random_, craft("b", settings, b));
  const auto through = [](const nn::LayerPtr& net) { return [net](const Tensor& x) { return (*net)(x); }; };
  ways_ = {{"a-to-b", "a.image", "b.image", "a.truth", through(ab_), through(ba_)},
           {"b-to-a", "b.image", "a.image", "b.truth", through(ba_), through(ab_)}};
}

nn::LayerPtr Unpaired::translator(const Settings& settings, const Shape& from, const Shape& into) {
  const int64_t width = settings.integer("width");
  const std::string& arch = settings.choice("arch", {"resnet", "unet", "encoder-decoder"});
  if (arch == "unet") return std::make_shared<UNet>(from[2], into[2], width, extent_of(from), random_);
  if (arch == "resnet") return resnet_translator(from[2], into[2], width, settings.integer("blocks"), random_);
  return encoder_decoder(from[2], into[2], width, extent_of(from), random_);
}

Readings Unpaired::judge(const Tensor& a, const Tensor& b, Shared& fake_a, Shared& fake_b) {
  const Critic real_a = [&](const Tensor&x) { return (*a_)(x); }, real_b = [&](const Tensor&x) { return (*b_)(x); };
  Readings readings = of_domain(game_a_.update(real_a, a, fake_a), "a");
  return std::move(readings) + of_domain(game_b_.update(real_b, b, fake_b), "b");
}

Readings Unpaired::step(const NextBatch& next) {
  for (int64_t i = 1; i < n_critic_; i++) {
    const Batch batch = next();
    const Tensor &a = batch["a.image"], &b = batch["b.image"];
    const auto unrecorded = [](const nn::LayerPtr& net, const Tensor& x) {
      const NoGrad no_grad;
      return (*net)(x);
    };
    Shared fake_a([&] { return unrecorded(ba_, b); }), fake_b([&] { return unrecorded(ab_, a); });
    judge(a, b, fake_a, fake_b);
  }
  const Batch batch = next();
  const Tensor &a = batch["a.image"], &b = batch["b.image"];
  const Critic real_a = [&](const Tensor&x) { return (*a_)(x); }, real_b = [&](const Tensor&x) { return (*b_)(x); };
  Shared fake_a([&] { return (*ba_)(b); }), fake_b([&] { return (*ab_)(a); });
  const auto fool_a = game_a_.against(real_a, a), fool_b = game_b_.against(real_b, b);
  const Tensor noise_a = honest_.draw(a, random_), noise_b = honest_.draw(b, random_);
  Terms terms{[&] {
    return Losses{{"adversarial", fool_a(fake_a()) + fool_b(fake_b())},
                  {"cycle", lambda_ * (distance((*ba_)(honest_(fake_b(), noise_b)), a) +
                                       distance((*ab_)(honest_(fake_a(), noise_a)), b))}};
  }};
  if (lambda_identity_ > 0) {
    terms.push_back([&] {
      return Losses{{"identity", lambda_identity_ * (distance((*ab_)(b), b) + distance((*ba_)(a), a))}};
    });
  }
  Readings readings = translators_->minimise(terms);
  return std::move(readings) + judge(a, b, fake_a, fake_b);
}

std::vector<Setting> domain_settings() {
  return {d_norm_setting("auto"),
          {"batch", int64_t{16}, "rows of each domain"},
          {"data", "unpaired:negative:fashion-mnist", "the domains"},
          {"width", int64_t{16}, "channels of the first layer"},
          {"field", int64_t{34}, "pixels of a patch that a discriminator judges: 1, 16, 34 or 70; 0: the whole image",
           0, 70}};
}

std::vector<Setting> translation_settings(const std::string& loss, const std::string& penalty,
                                          const std::vector<Setting>& own) {
  std::vector<Setting> all = domain_settings();
  all.insert(all.end(), {{"blocks", int64_t{3},
                          "residual blocks of a ResNet translator; CycleGAN has 6 for 128 pixels and 9 for 256", 0, 64},
                         {"lambda", 10.0, "weight of the cycle", 0, 1e6},
                         {"lambda_identity", 0.0,
                          "weight of leaving alone what is of the domain already: 5 keeps colours", 0, 1e6}});
  all.insert(all.end(), own.begin(), own.end());
  return game_settings(loss, penalty, all);
}

std::vector<Setting> unpaired_settings(const std::string& loss, const std::string& penalty,
                                       const std::vector<Setting>& own) {
  std::vector<Setting> all{
      {"arch", "resnet", "of the translators: resnet, unet, or encoder-decoder"},
      {"n_critic", int64_t{1}, "updates of the discriminators per update of the translators", 1, 1000},
      {"distance", "l1", "of the cycle: l1, or mse"}};
  for (const Setting& setting : honest_cycle_settings()) all.push_back(setting);
  all.insert(all.end(), own.begin(), own.end());
  return translation_settings(loss, penalty, all);
}

}  // namespace forger::gan
