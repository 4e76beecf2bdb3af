#include "gan/recipes/unconditional.h"

#include "core/autograd.h"

namespace forger::gan {

Unconditional::Unconditional(const Settings& settings, const Column& column, std::optional<DNorm> norm)
    : Recipe(settings),
      column_(column.name),
      latent_(settings.integer("latent")),
      batch_(settings.integer("batch")),
      n_critic_(settings.integer("n_critic")) {
  const GanNetworks networks = build_networks(settings, column.sample, random_, norm);
  g_ = network("g", networks.generator, /*averaged=*/true);
  d_ = network("d", networks.discriminator);
  player_g_ = player("g", {"g"}, settings);
  game_ = Adversary(player("d", {"d"}, settings), settings, random_, replay("d", settings, column.sample));
}

Readings Unconditional::step(const NextBatch& next) {
  const Critic d = [&](const Tensor& x) { return (*d_)(x); };
  Readings readings;
  Tensor z;
  Shared fake([&] { return (*g_)(z); });
  for (int64_t i = 0; i < n_critic_; i++) {
    const Tensor real = next()[column_];
    z = noise(real.size(0), latent_, random_);
    if (n_critic_ == 1) {
      readings = game_.update(d, real, fake);
    } else {
      Shared apart([&] {
        const NoGrad no_grad;
        return (*g_)(z);
      });
      readings = game_.update(d, real, apart);
    }
  }
  if (n_critic_ > 1) z = noise(batch_, latent_, random_);
  return std::move(readings) + player_g_->minimise({[&] { return game_.fool(d, fake()); }});
}

std::vector<View> Unconditional::views() {
  return {{.name = "sample",
           .draw = [this](int64_t n, Random& random) { return Batch().add("z", noise(n, latent_, random)); },
           .make = [this](const Batch& from) { return Batch().add(column_, (*g_)(from["z"])); },
           .like = column_},
          {.name = "judge", .given = {column_}, .make = [this](const Batch& from) {
             return Batch().add("verdict", (*d_)(from[column_]));
           }}};
}

std::unique_ptr<Recipe> make_unconditional(const Settings& settings, const Columns& columns) {
  const Column* points = find_column(columns, "point");
  return std::make_unique<Unconditional>(settings, points ? *points : need_column(settings, columns, "image"));
}

}  // namespace forger::gan
