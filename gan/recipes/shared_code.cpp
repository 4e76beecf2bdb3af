#include "gan/recipes/shared_code.h"

namespace forger::gan {

SharedCode::Crossing::Crossing(SharedCode& system, const Batch& batch, const Tensor& noise)
    : a(batch["a.image"]),
      b(batch["b.image"]),
      codes([&, this] { return system.e_->both(a, b); }),
      deep([&, this, noise] { return (*system.g_->shared)(noise.defined() ? codes() + noise : codes()); }),
      as_a([&, this] { return (*system.g_->own_a)(deep()); }),
      as_b([&, this] { return (*system.g_->own_b)(deep()); }),
      fake_a([this] { return second_half(as_a()); }),
      fake_b([this] { return first_half(as_b()); }) {}

Tensor SharedCode::Crossing::rebuilt() { return l1_loss(first_half(as_a()), a) + l1_loss(second_half(as_b()), b); }

SharedCode::SharedCode(const Settings& settings, const Columns& columns)
    : Recipe(settings),
      of_a_(need_column(settings, columns, "a.image").sample),
      of_b_(need_column(settings, columns, "b.image").sample),
      adversarial_(settings.number("adversarial")) {
  require_domains(settings.text("recipe"), of_a_, of_b_);
  const auto a_to_b = [this](const Tensor& x) { return g_->b(e_->a(x)); };
  const auto b_to_a = [this](const Tensor& x) { return g_->a(e_->b(x)); };
  ways_ = {{"a-to-b", "a.image", "b.image", "a.truth", a_to_b, b_to_a},
           {"b-to-a", "b.image", "a.image", "b.truth", b_to_a, a_to_b}};
}

void SharedCode::begin_game(const Settings& settings, std::vector<std::string> also) {
  also.insert(also.begin(), {"e", "g"});
  player_ = player("g", also, settings);
  if (adversarial_ == 0) return;
  a_ = network("a", domain_discriminator(settings, of_a_, random_));
  b_ = network("b", domain_discriminator(settings, of_b_, random_));
  game_a_ = Adversary(player("a", {"a"}, settings, "lr_d"), settings, random_, craft("a", settings, of_a_));
  game_b_ = Adversary(player("b", {"b"}, settings, "lr_d"), settings, random_, craft("b", settings, of_b_));
}

Readings SharedCode::play(Crossing& made, const std::function<Losses()>& losses) {
  if (adversarial_ == 0) return player_->minimise({losses});
  const Critic d_a = [&](const Tensor&x) { return (*a_)(x); }, d_b = [&](const Tensor&x) { return (*b_)(x); };
  const auto fool_a = game_a_.against(d_a, made.a), fool_b = game_b_.against(d_b, made.b);
  Readings readings = player_->minimise({[&] {
    Losses all = losses();
    all.parts.push_back({"adversarial", adversarial_ * (fool_a(made.fake_a()) + fool_b(made.fake_b()))});
    return all;
  }});
  readings = std::move(readings) + of_domain(game_a_.update(d_a, made.a, made.fake_a), "a");
  return std::move(readings) + of_domain(game_b_.update(d_b, made.b, made.fake_b), "b");
}

Readings SharedCode::test(const Batch& held_out) {
  const Tensor &a = held_out["a.image"], &b = held_out["b.image"];
  return test_of(ways_, held_out) +
         Readings{{"rebuilt", 0.5 * (l1_loss(g_->a(e_->a(a)), a) + l1_loss(g_->b(e_->b(b)), b))}};
}

std::vector<Setting> shared_code_settings(const std::vector<Setting>& own) {
  std::vector<Setting> all = domain_settings();
  all.push_back({"adversarial", 1.0, "weight of the two discriminators' terms; 0: there are none", 0, 1e6});
  all.insert(all.end(), own.begin(), own.end());
  return game_settings("lsgan", "none", all);
}

}  // namespace forger::gan
