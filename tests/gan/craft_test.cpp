// The craft of training, trick by trick.
#include <cmath>
#include <set>

#include "core/autograd.h"
#include "gan/adversary.h"
#include "gan/craft/augment.h"
#include "gan/craft/labels.h"
#include "gan/craft/replay.h"
#include "nn/linear.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

// n samples of two numbers, all `value`.
Tensor samples(int64_t n, double value) { return full({n, 2}, value); }

Settings game(std::initializer_list<std::pair<std::string, std::string>> set) {
  Settings settings = settings_for(find_recipe("gan"));
  for (const auto& [key, value] : set) settings.set(key, value);
  return settings;
}

}  // namespace

TEST_CASE("replay: while the pool fills, fakes are shown as they are, and all are kept") {
  const Tensor pool = zeros({3, 4, 2}), filled = zeros({});
  Replay replay(pool, filled);
  Random random(1);
  for (int64_t round = 0; round < 3; round++) {
    const Tensor fakes = samples(4, static_cast<double>(round + 1));
    replay.draw(random);
    CHECK(replay.shown(fakes).to_vector() == fakes.to_vector());
    replay.keep(fakes);
    CHECK(filled.item() == static_cast<double>(round + 1));
  }
  for (int64_t round = 0; round < 3; round++) {
    const Tensor kept = slice(pool, 0, round, round + 1);
    CHECK(kept.to_vector() == samples(4, static_cast<double>(round + 1)).to_vector());
  }
}

TEST_CASE("replay: afterwards half of what is shown comes from the pool, in exchange for what was made") {
  constexpr int64_t rounds = 5, n = 40;
  const Tensor pool = zeros({rounds, n, 2}), filled = zeros({});
  Replay replay(pool, filled);
  Random random(2);
  std::multiset<double> there;
  int64_t swapped = 0, steps = 40;
  std::set<int64_t> ages;
  for (int64_t step = 0; step < rounds + steps; step++) {
    const Tensor fakes = samples(n, static_cast<double>(step));
    replay.draw(random);
    const std::vector<double> shown = replay.shown(fakes).to_vector();
    replay.keep(fakes);
    for (size_t i = 0; i < shown.size(); i += 2) {
      REQUIRE(shown[i] == shown[i + 1]);  // whole samples
      if (step < rounds) {
        there.insert(shown[i]);
        continue;
      }
      const bool old = shown[i] != static_cast<double>(step);
      swapped += old;
      ages.insert(step - static_cast<int64_t>(shown[i]));
      if (!old) continue;
      const auto found = there.find(shown[i]);
      REQUIRE(found != there.end());  // nothing is shown that was not there
      there.erase(found);
      there.insert(static_cast<double>(step));
    }
    std::multiset<double> now;
    const std::vector<double> values = pool.to_vector();
    for (size_t i = 0; i < values.size(); i += 2) now.insert(values[i]);
    if (step >= rounds) REQUIRE(now == there);  // and nothing is lost
  }
  const double share = static_cast<double>(swapped) / static_cast<double>(steps * n);
  CHECK(share == Approx(0.5).margin(0.05));
  CHECK(ages.size() > 10);  // from all over the past
}

TEST_CASE("replay: without a pool fakes pass, and nothing is drawn") {
  Replay none;
  Random random(3);
  none.draw(random);
  CHECK(random.block == 0);
  const Tensor fakes = samples(3, 1);
  CHECK(none.shown(fakes).storage() == fakes.storage());
  none.keep(fakes);
}

TEST_CASE("labels: softened ones are a mixture of both losses, turned ones exchange them") {
  const Objective& objective = find_objective("non-saturating");
  const Tensor out = from_values({4}, std::vector<double>{-2, 0, 1, 3}, DType::f64);
  const double real = mean(objective.real(out)).item(), fake = mean(objective.fake(out)).item();
  const Labels plain(game({}), objective);
  CHECK(plain.real(objective, out).item() == Approx(real));
  CHECK(plain.fake(objective, out).item() == Approx(fake));
  const Labels soft(game({{"label_smoothing", "0.1"}}), objective);
  CHECK(soft.real(objective, out).item() == Approx(0.9 * real + 0.1 * fake).epsilon(1e-12));
  CHECK(soft.fake(objective, out).item() == Approx(fake));  // one-sided
  const Labels both(game({{"label_smoothing", "0.1"}, {"label_smoothing_fake", "0.2"}}), objective);
  CHECK(both.fake(objective, out).item() == Approx(0.8 * fake + 0.2 * real).epsilon(1e-12));

  // The best D under softened labels is as sure as they are: its loss has its minimum at log 0.9/0.1.
  Tensor sure = full({1}, std::log(9.0), DType::f64);
  sure.set_requires_grad();
  CHECK(grad(soft.real(objective, sure), sure).item() == Approx(0).margin(1e-12));

  Labels noisy(game({{"label_noise", "0.3"}}), objective);
  Random random(1);
  constexpr int64_t n = 4000;
  noisy.draw(zeros({n, 2}, DType::f64), random);
  // At an output of 2 a turned label costs 2 more: the mean tells how many are turned.
  const double share = (noisy.real(objective, full({n}, 2, DType::f64)).item() - std::log1p(std::exp(-2.0))) / 2;
  CHECK(share == Approx(0.3).margin(0.03));
  CHECK(noisy.real(objective, full({n, 3, 3, 1}, 2, DType::f64)).item() ==
        Approx(2 * share + std::log1p(std::exp(-2.0))).epsilon(1e-9));  // patches share their sample's label
  CHECK_THROWS_WITH(Labels(game({{"label_noise", "0.1"}}), find_objective("wasserstein")),
                    Catch::Contains("--loss wasserstein has no labels"));
}

namespace {

// A game with a linear D on two numbers, and what its updates read.
struct Game {
  explicit Game(const Settings& settings, Craft craft = {}) : adversary(player, settings, random, std::move(craft)) {}
  Scalars update(const Tensor& real, const Tensor& fake) {
    Shared shared([&] { return fake; });
    return look_at(adversary.update([&](const Tensor& x) { return d(x); }, real, shared));
  }
  Random random{1};
  nn::Linear linear{2, 1, random};
  std::vector<Tensor> seen;  // what D was shown
  Tensor d(const Tensor& x) {
    seen.push_back(x.detach());
    return reshape(linear(x), {x.size(0)});
  }
  std::shared_ptr<Player> player = std::make_shared<Player>("d", std::make_shared<nn::Sgd>(linear.parameters(), 1e-3));
  Adversary adversary;
};

double deviation(const Tensor& x) { return std::sqrt(variance(x).item()); }

}  // namespace

TEST_CASE("instance noise lies over all that D sees, in G's term, too, falls, and is gone at its last step") {
  for (const double steps : {0.0, 100.0, 200.0, 300.0}) {
    const double progress = std::min(1.0, steps / 200);
    Game one(game({{"instance_noise", "0.4"}, {"instance_noise_steps", "200"}}), {.steps = full({}, steps)});
    const Tensor real = ones({500, 2}), fake = zeros({500, 2});
    one.update(real, fake);
    REQUIRE(one.seen.size() == 2);
    CHECK(deviation(one.seen[0]) == Approx(0.4 * (1 - progress)).margin(0.03));
    CHECK(deviation(one.seen[1]) == Approx(0.4 * (1 - progress)).margin(0.03));
    CHECK(mean(one.seen[0]).item() == Approx(1).margin(0.05));
    const auto fool = one.adversary.against([&](const Tensor& x) { return one.d(x); }, real);
    CHECK(fool(fake).item() == fool(fake).item());  // drawn once
    CHECK(deviation(one.seen.back()) == Approx(0.4 * (1 - progress)).margin(0.03));
  }
}

TEST_CASE("clipping keeps every weight within bounds") {
  Game one(game({{"loss", "wasserstein"}, {"penalty", "clip"}, {"clip", "0.02"}}), {.steps = zeros({})});
  one.update(ones({4, 2}), zeros({4, 2}));
  for (const auto& [name, tensor] : one.linear.parameters()) CHECK(max(abs(tensor)).item() <= Approx(0.02));
}

TEST_CASE("a relative average: D's loss is of scores beside the other kind's mean, and G's is the same, exchanged") {
  Game one(game({{"loss", "ra-hinge"}}), {.steps = zeros({})});
  const Tensor real = from_values({2, 2}, std::vector<double>{1, 2, -1, 0.5}),
               fake = from_values({2, 2}, std::vector<double>{0.3, 0, 2, -1});
  const auto scores = [&](const Tensor& x) { return reshape(one.linear(x), {2}).to_vector(); };
  const std::vector<double> r = scores(real), f = scores(fake);
  const auto loss = [](const std::vector<double>& up, const std::vector<double>& down) {
    double total = 0;
    const double mean_up = (up[0] + up[1]) / 2, mean_down = (down[0] + down[1]) / 2;
    for (const double x : up) total += std::max(0.0, 1 - (x - mean_down)) / 2;
    for (const double x : down) total += std::max(0.0, 1 + (x - mean_up)) / 2;
    return total;
  };
  const auto fool = one.adversary.against([&](const Tensor& x) { return one.d(x); }, real);
  CHECK(fool(fake).item() == Approx(loss(f, r)).epsilon(1e-5));
  CHECK(one.update(real, fake).front().value == Approx(loss(r, f)).epsilon(1e-5));
  CHECK_THROWS_WITH(one.adversary.accept(real), Catch::Contains("--loss ra-hinge"));
}

TEST_CASE("gradients longer than --clip-grad are shortened to it, others are as they are") {
  for (const double most : {0.0, 0.5, 100.0}) {
    Random random(2);
    nn::Linear net(3, 1, random);
    const Tensor x = from_values({1, 3}, std::vector<double>{3, 0, 4}), before = clone(net.weight.detach());
    nn::Sgd sgd(net.parameters(), 1);
    const Update update = minimise(sgd, {[&] { return Losses(sum(net(x))); }}, most);
    const double length = std::sqrt(9 + 16 + 1.0);  // of the weight's and the bias's
    CHECK(update.grad_norm.item() == Approx(length));
    const double factor = most > 0 && most < length ? most / length : 1;
    CHECK(norm(net.weight.detach() - before).item() == Approx(5 * factor).epsilon(1e-5));
  }
}

namespace {

Settings augmented(const std::string& by, const std::string& way = "fixed") {
  Settings settings = settings_for(find_recipe("dcgan"));
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"augment", way}, {"augment_by", by}})
    settings.set(key, value);
  return settings;
}

}  // namespace

TEST_CASE("augment: at strength 0 nothing changes, at 1 everything, and one draw is one transform") {
  Random random(3);
  const Tensor x = random.uniform({6, 16, 24, 3}, -1, 1);
  for (const char* by : {"flip", "geometry", "colour", "cutout", "flip,geometry,colour,cutout"}) {
    INFO(by);
    const Augment none(augmented(by), zeros({}), {16, 24}), all(augmented(by), ones({}), {16, 24});
    CHECK(max(abs(none.draw(x, random)(x) - x)).item() < 1e-5);
    const Lens lens = all.draw(x, random);
    const Tensor seen = lens(x);
    CHECK(seen.shape() == x.shape());
    CHECK(max(abs(seen - x)).item() > 0.1);
    CHECK(lens(x).to_vector() == seen.to_vector());
    // Linear in the picture, but for what is added: the gradient reaches it.
    Tensor at = x.detach();
    at.set_requires_grad();
    CHECK(max(abs(grad(sum(square(lens(at))), at))).item() > 0);
  }
  CHECK_THROWS_WITH(Augment(augmented("flip,turn"), zeros({}), 16), Catch::Contains("'turn' is not known"));
  CHECK_THROWS_WITH(Augment::first_strength(augmented("flip", "much")), Catch::Contains("none, fixed, ada"));
  CHECK_FALSE(Augment::first_strength(augmented("flip", "none")));
}

TEST_CASE("augment: a flip mirrors half of those it happens to, left and right exchanged, and nothing else") {
  Random random(4);
  constexpr int64_t n = 400, side = 8;
  const Tensor x = random.uniform({n, side, side, 1}, -1, 1),
               seen = Augment(augmented("flip"), ones({}), side).draw(x, random)(x);
  const std::vector<double> was = x.to_vector(), is = seen.to_vector();
  int64_t flipped = 0;
  for (int64_t i = 0; i < n; i++) {
    double same = 0, mirrored = 0;
    for (int64_t h = 0; h < side; h++)
      for (int64_t w = 0; w < side; w++) {
        const auto at = [&](int64_t column) { return static_cast<size_t>((i * side + h) * side + column); };
        same = std::max(same, std::abs(is[at(w)] - was[at(w)]));
        mirrored = std::max(mirrored, std::abs(is[at(w)] - was[at(side - 1 - w)]));
      }
    REQUIRE(std::min(same, mirrored) < 1e-5);
    flipped += mirrored < same;
  }
  CHECK(static_cast<double>(flipped) / n == Approx(0.5).margin(0.1));
}

TEST_CASE("augment: geometry keeps a plain picture plain, whatever lies beyond its edges") {
  Random random(5);
  const Tensor x = full({50, 16, 16, 1}, 0.7);
  CHECK(max(abs(Augment(augmented("geometry"), ones({}), 16).draw(x, random)(x) - x)).item() < 1e-4);
}

TEST_CASE("augment: ada rises while D knows its data by heart, falls when it does not, and never leaks") {
  const Tensor strength = full({}, 0.1);
  Settings settings = augmented("flip", "ada");
  settings.set("augment_ramp", "1000");
  Augment ada(settings, strength, 16);
  ada.adapt(full({50}, 3), 0);
  CHECK(strength.item() == Approx(0.1 + 50 / 1000.0));
  ada.adapt(full({50}, -1), 0);
  CHECK(strength.item() == Approx(0.1));
  ada.adapt(full({50}, 0.7), 0.5);  // beyond where its D is undecided
  CHECK(strength.item() == Approx(0.15));
  for (int i = 0; i < 100; i++) ada.adapt(full({50}, 3), 0);
  CHECK(strength.item() == Approx(0.8));
  for (int i = 0; i < 100; i++) ada.adapt(full({50}, -3), 0);
  CHECK(strength.item() == 0);
  const Tensor kept = full({}, 0.3);
  Augment fixed(augmented("flip"), kept, 16);
  fixed.adapt(full({50}, 3), 0);
  CHECK(kept.item() == Approx(0.3));
}

TEST_CASE("past copies are those of some steps ago, and a mixture samples from all of its generators") {
  RecipeCase row{"gan", "gan", {{.name = "point", .sample = {2}}}, "", {{"past", "3"}, {"width", "8"}}};
  const auto recipe = make(row, settings_of(row));
  Random random(1);
  const auto named = [&](const std::string& name) {
    for (const auto& network : recipe->networks())
      if (network.name == name) return copy_of(network.module->state());
    return nn::NamedTensors();
  };
  CHECK(identical(named("past_g"), named("g")));
  nn::NamedTensors third;
  for (int64_t step = 1; step <= 5; step++) {
    recipe->step([&] { return batch_of(row.columns, random); });
    recipe->after_step(step);
    if (step == 3) third = named("d");
    CHECK(identical(named("past_d"), named("d")) == (step == 3));
  }
  CHECK(identical(named("past_d"), third));

  RecipeCase mixed{"gan", "gan", {{.name = "point", .sample = {2}}}, "", {{"generators", "3"}, {"width", "8"}}};
  const auto mixture = make(mixed, settings_of(mixed));
  const View sample = view_of(*mixture, "sample");
  Batch from = sample.draw(60, random);
  const Tensor which = from["generator"];
  std::set<int64_t> drawn(which.data<int64_t>(), which.data<int64_t>() + 60);
  CHECK(drawn == std::set<int64_t>{0, 1, 2});
  const auto whole = mixture->make(sample, from)["point"].to_vector();
  const Tensor alone = (*std::static_pointer_cast<nn::Layer>(mixture->networks()[2].module))(from["z"]);  // the last
  for (size_t i = 0; i < 60; i++)
    CHECK((std::abs(alone.to_vector()[2 * i] - whole[2 * i]) < 1e-6) == (which.data<int64_t>()[i] == 2));
}

TEST_CASE("ebgan: while D is trained alone, fakes teach it nothing and G stays as it is") {
  RecipeCase row{"ebgan", "ebgan", {{.name = "point", .sample = {2}}}, "", {{"arch", "mlp"}, {"width", "8"}}};
  row.settings.emplace_back("pretrain", "3");
  Random random(1);
  const auto step = [&](Recipe& recipe, int64_t number) {
    recipe.step([&] { return batch_of(row.columns, random); });
    recipe.after_step(number);
  };
  const auto state = [](const Recipe& recipe, size_t i) { return copy_of(recipe.networks()[i].module->state()); };
  const auto d_beside = [&](double g_scale) {  // D after three steps, and whether G stayed
    const auto recipe = make(row, settings_of(row));
    for (const auto& [name, weight] : recipe->networks()[0].module->parameters())
      copy_into(weight, (weight * g_scale).detach(), "a test");
    const nn::NamedTensors g = state(*recipe, 0), first_d = state(*recipe, 1);
    random = Random(1);
    for (int64_t number = 1; number <= 3; number++) step(*recipe, number);
    CHECK(identical(state(*recipe, 0), g));
    const nn::NamedTensors d = state(*recipe, 1);
    CHECK_FALSE(identical(d, first_d));
    step(*recipe, 4);
    CHECK_FALSE(identical(state(*recipe, 0), g));
    return d;
  };
  CHECK(identical(d_beside(1), d_beside(3)));
}
