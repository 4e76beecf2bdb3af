#include "gan/recipes/unconditional.h"

#include <algorithm>

#include "core/autograd.h"

namespace forger::gan {

Unconditional::Unconditional(const Settings& settings, const Column& column)
    : Recipe(settings),
      column_(column.name),
      latent_(settings.integer("latent")),
      batch_(settings.integer("batch")),
      n_critic_(settings.integer("n_critic")),
      past_every_(settings.integer("past")),
      uniform_(settings.choice("noise", {"normal", "uniform"}) == "uniform") {
  const int64_t count = settings.integer("generators");
  check<UsageError>(count == 1 || past_every_ == 0, "--past keeps a copy of one generator: --generators must be 1");
  check<UsageError>(count <= batch_, "--generators ", count, " of a --batch of ", batch_,
                    " would have nothing to make");
  Shape seen = column.sample;  // of what the networks make and judge
  if (settings.text("arch") == "msg" && column.sample.rank() == 3) {
    require_images("--arch msg", column.sample);
    scales_.emplace(column.sample[2], extent_of(column.sample));
    seen = {scales_->numel()};
  }
  std::vector<std::string> names;
  for (int64_t k = 0; k < count; k++) {
    names.push_back(k == 0 ? "g" : text("g", k + 1));
    g_.push_back(generator(names.back(), settings, column.sample, /*averaged=*/true));
  }
  if (count > 1) choices_ = eye(count);
  d_ = network("d", build_discriminator(settings, column.sample, random_));
  player_g_ = player("g", names, settings);
  game_ = Adversary(player("d", {"d"}, settings), settings, random_, craft("d", settings, seen));
  if (past_every_ == 0) return;
  past_g_ = generator("past_g", settings, column.sample, /*averaged=*/false);
  past_d_ = network("past_d", build_discriminator(settings, column.sample, random_));
  for (const nn::LayerPtr& old : {past_g_.network, past_d_}) old->set_requires_grad(false);
  after_step(0);
}

Unconditional::Generator Unconditional::generator(const std::string& name, const Settings& settings,
                                                  const Shape& sample, bool averaged) {
  Generator made;
  if (const double p = settings.number("g_dropout"); p > 0) made.dropout = std::make_shared<DropoutNoise>(p);
  made.network = network(name, build_generator(settings, sample, random_, made.dropout.get()), averaged);
  return made;
}

Batch Unconditional::drawn(int64_t n, Random& random) const {
  Batch from;
  from.add("z", uniform_ ? 2 * uniform(n, latent_, random) - 1 : noise(n, latent_, random));
  if (g_.front().dropout) from.add("dropout", uniform(n, g_.front().dropout->size(), random));
  return from;
}

Tensor Unconditional::make(const Generator& generator, const Batch& from) {
  if (generator.dropout) generator.dropout->set(from["dropout"]);
  return (*generator.network)(from["z"]);
}

Tensor Unconditional::make_shares(const Batch& from) {
  const auto count = std::ssize(g_);
  if (count == 1) return make(g_.front(), from);
  std::vector<Tensor> parts;
  for (int64_t k = 0; k < count; k++) {
    Batch share;
    for (const auto& [name, tensor] : from.tensors)
      share.add(name, slice(tensor, 0, k * from.rows() / count, (k + 1) * from.rows() / count));
    parts.push_back(make(g_[static_cast<size_t>(k)], share));
  }
  return concat(parts, 0);
}

Tensor Unconditional::make_chosen(const Batch& from) {
  if (g_.size() == 1) return make(g_.front(), from);
  const Tensor choice = gather(choices_, from["generator"]);  // (N, K)
  Tensor all;
  for (int64_t k = 0; k < std::ssize(g_); k++) {
    const Tensor made = make(g_[static_cast<size_t>(k)], from);
    const Tensor share = reshape(slice(choice, 1, k, k + 1), per_sample(made.shape())) * made;
    all = all.defined() ? all + share : share;
  }
  return all;
}

// The second half of the rows from the generator as it was.
Tensor Unconditional::with_past(const Tensor& fakes, const Batch& from) {
  if (past_every_ == 0) return fakes;
  const NoGrad no_grad;
  const int64_t half = fakes.size(0) / 2;
  return concat(std::vector<Tensor>{slice(fakes, 0, 0, half), slice(make(past_g_, from), 0, half, fakes.size(0))}, 0);
}

Readings Unconditional::step(const NextBatch& next) {
  const Critic d = [&](const Tensor& x) { return (*d_)(x); };
  Readings readings;
  Batch from;
  Tensor real;
  Shared fake([&] { return make_shares(from); });
  for (int64_t i = 0; i < n_critic_; i++) {
    real = as_seen(next()[column_]);
    from = drawn(real.size(0), random_);
    Shared shown([&] {
      if (n_critic_ == 1) return with_past(fake(), from);
      const NoGrad no_grad;
      return with_past(make_shares(from), from);
    });
    readings = game_.update(d, real, shown);
  }
  if (n_critic_ > 1) from = drawn(batch_, random_);
  if (past_every_ == 0) {
    const auto fool = game_.against(d, real);
    return std::move(readings) + player_g_->minimise({[&] { return fool(fake()); }});
  }
  const Critic old = [&](const Tensor& x) { return (*past_d_)(x); };
  const int64_t half = real.size(0) / 2;
  const auto fool = game_.against(d, slice(real, 0, 0, half)),
             fool_old = game_.against(old, slice(real, 0, half, real.size(0)));
  return std::move(readings) + player_g_->minimise({[&] {
    const Tensor& x = fake();
    return 0.5 * (fool(slice(x, 0, 0, half)) + fool_old(slice(x, 0, half, x.size(0))));
  }});
}

void Unconditional::after_step(int64_t step) {
  if (past_every_ == 0 || step % past_every_ != 0) return;
  nn::load_state(past_g_.network->state(), g_.front().network->state());
  nn::load_state(past_d_->state(), d_->state());
}

std::vector<View> Unconditional::views() {
  return {{.name = "sample",
           .draw =
               [this](int64_t n, Random& random) {
                 Batch from = drawn(n, random);
                 if (g_.size() == 1) return from;
                 return from.add("generator", numbers(n, std::ssize(g_), random));
               },
           .make =
               [this](const Batch& from) {
                 const Tensor made = make_chosen(from);
                 return Batch().add(column_, scales_ ? scales_->largest(made) : made);
               },
           .like = column_},
          {.name = "judge", .given = {column_}, .make = [this](const Batch& from) {
             return Batch().add("verdict", (*d_)(as_seen(from[column_])));
           }}};
}

std::vector<Setting> unconditional_settings(const std::string& loss, const std::string& penalty,
                                            const std::string& arch, const std::vector<Setting>& own) {
  std::vector<Setting> all = game_settings(loss, penalty);
  const auto add = [&](const std::vector<Setting>& more) { all.insert(all.end(), more.begin(), more.end()); };
  add(under("networks",
            {arch_setting(arch),
             d_norm_setting("auto"),
             {"noise", "normal", "what z is drawn from: normal, or uniform in [-1, 1]"},
             {"g_dropout", 0.0, "share of G's units dropped, also when it samples; against samples all alike", 0, 0.95},
             {"generators", int64_t{1}, "networks that G is made of; when one alone leaves out kinds", 1, 64}}));
  add(under(
      "game",
      {{"n_critic", int64_t{1}, "D's updates per update of G; more where D is to be near its best", 1, 1000},
       {"past", int64_t{0}, "steps between copies of G and D that play along; against going round; 0: none", 0, 1e9}}));
  add(own);
  return all;
}

Preset lucic_preset(const std::string& rate, const std::string& beta1, const std::string& n_critic) {
  return {.name = "lucic",
          .help = "networks, noise and length of Lucic et al. 2018, to compare objectives by",
          .values = {{"size", "28"},
                     {"arch", "plain"},
                     {"width", "64"},
                     {"latent", "64"},
                     {"noise", "uniform"},
                     {"batch", "64"},
                     {"steps", "15625"},
                     {"optimizer", "adam"},
                     {"lr_g", rate},
                     {"lr_d", rate},
                     {"beta1", beta1},
                     {"beta2", "0.999"},
                     {"n_critic", n_critic},
                     {"ema", "0"},
                     {"evaluate_count", "10000"}}};
}

std::unique_ptr<Recipe> make_unconditional(const Settings& settings, const Columns& columns) {
  const Column* points = find_column(columns, "point");
  return std::make_unique<Unconditional>(settings, points ? *points : need_column(settings, columns, "image"));
}

}  // namespace forger::gan
