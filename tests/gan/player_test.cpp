// The guarded optimiser step and the failure watch.
#include "gan/player.h"

#include <cmath>

#include "core/ops.h"
#include "gan/watch.h"
#include "tests/catch.h"

using namespace forger;
using namespace forger::gan;

namespace {

Tensor parameter(double value) {
  Tensor p = full({3}, value, DType::f64);
  p.set_requires_grad();
  return p;
}

}  // namespace

TEST_CASE("terms are summed: two halves of a loss step like the whole") {
  Tensor split = parameter(2), whole = parameter(2);
  nn::Sgd a({{"p", split}}, 0.1), b({{"p", whole}}, 0.1);
  const Update halves = minimise(a, {[&] { return sum(square(split)); }, [&] { return sum(split); }});
  const Update one = minimise(b, {[&] { return sum(square(whole)) + sum(whole); }});
  CHECK(halves.loss.item() == Approx(18));
  CHECK(halves.loss.item() == one.loss.item());
  CHECK(halves.grad_norm.item() == Approx(5 * std::sqrt(3.0)));
  CHECK(split.to_vector() == whole.to_vector());
  CHECK(split.to_vector()[0] == Approx(2 - 0.1 * 5));
}

TEST_CASE("gradients of several terms are added up, each parameter's by itself") {
  Tensor p = parameter(1), q = parameter(2);
  nn::Sgd sgd({{"p", p}, {"q", q}}, 1);
  minimise(sgd, {[&] { return sum(p + q); }, [&] { return sum(2 * p + q); }});  // one gradient for both, at first
  CHECK(p.to_vector() == std::vector<double>(3, 1 - 3));
  CHECK(q.to_vector() == std::vector<double>(3, 2 - 2));
}

TEST_CASE("a loss that is not finite names the op that made it and writes nothing") {
  Tensor p = parameter(-1);
  nn::Sgd sgd({{"p", p}}, 0.1);
  CHECK_THROWS_AS(minimise(sgd, {[&] { return sum(log(p)); }}), NonFiniteError);
  CHECK_THROWS_WITH(minimise(sgd, {[&] { return sum(log(p)); }}), Catch::Contains("[log]"));
  CHECK(p.to_vector() == std::vector<double>{-1, -1, -1});
}

TEST_CASE("a gradient that is not finite names its op though the loss is fine") {
  Tensor p = parameter(0);
  nn::Sgd sgd({{"p", p}}, 0.1);
  CHECK_THROWS_WITH(minimise(sgd, {[&] { return sum(sqrt(p)); }}),
                    Catch::Contains("gradient") && Catch::Contains("not finite"));
  CHECK(p.to_vector() == std::vector<double>{0, 0, 0});
}

TEST_CASE("an unchecked update looks at nothing") {
  Tensor p = parameter(-1);
  nn::Sgd sgd({{"p", p}}, 0.1);
  const UncheckedUpdates unchecked;
  const Update update = minimise(sgd, {[&] { return sum(log(p)); }});
  CHECK(std::isnan(update.loss.item()));
}

TEST_CASE("the watch speaks of a discriminator that has won, once") {
  FailureWatch watch;
  int warnings = 0;
  for (int i = 0; i < 300; i++) warnings += watch.look({{"loss_d", 1e-5}, {"loss_g", 9}}).has_value();
  CHECK(warnings == 1);
  CHECK_FALSE(watch.look({{"loss_d", 0.7}, {"loss_g", 1}}));
}

TEST_CASE("the watch speaks of steep gradients when they begin") {
  FailureWatch watch;
  CHECK_FALSE(watch.look({{"loss_d", 1}, {"grad_norm_g", 99}}));
  const auto warning = watch.look({{"loss_d", 1}, {"grad_norm_g", 101}});
  REQUIRE(warning);
  CHECK_THAT(*warning, Catch::Contains("grad_norm_g"));
  for (const double norm : {102.0, 50.0, 103.0}) CHECK_FALSE(watch.look({{"loss_d", 1}, {"grad_norm_g", norm}}));
  for (int i = 0; i < 500; i++) CHECK_FALSE(watch.look({{"loss_d", 1}, {"grad_norm_g", 9}}));
  CHECK(watch.look({{"loss_d", 1}, {"grad_norm_g", 101}}));  // calm for long: news again
}

TEST_CASE("the watch speaks of losses that begin to swing, and not of those that settle") {
  const auto stretch_of = [](FailureWatch& watch, double deviation) {
    std::string said;
    for (int i = 0; i < 500; i++) {
      const auto warning = watch.look({{"loss_d", 1 + (i % 2 == 0 ? deviation : -deviation)}, {"loss_g", 1}});
      if (warning) said += *warning;
    }
    return said;
  };
  FailureWatch watch;
  for (const double deviation : {0.8, 0.2, 0.1, 0.4}) CHECK(stretch_of(watch, deviation).empty());
  CHECK_THAT(stretch_of(watch, 0.6), Catch::Contains("loss_d swings 6 times"));
  CHECK(stretch_of(watch, 0.7).empty());  // said already
  CHECK(stretch_of(watch, 0.1).empty());
  CHECK_FALSE(stretch_of(watch, 0.7).empty());  // news again

  FailureWatch small;
  for (const double deviation : {0.001, 0.09}) CHECK(stretch_of(small, deviation).empty());  // nothing to speak of
}

TEST_CASE("the watch knows that losses of a large weight have steep gradients") {
  Settings settings = settings_for(find_recipe("dualgan"));
  settings.set("lambda", "100");
  FailureWatch watch(settings);
  CHECK_FALSE(watch.look({{"grad_norm_g", 999}}));
  CHECK_THAT(*watch.look({{"grad_norm_g", 1001}}), Catch::Contains("is over 1000"));
}

TEST_CASE("the watch speaks of samples that are all alike") {
  Random random(0);
  const Tensor reals = random.normal({16, 4, 4, 1}), varied = random.normal({16, 4, 4, 1});
  const Tensor alike = full({16, 4, 4, 1}, 0.5) + 0.001 * varied;
  FailureWatch watch;
  CHECK_FALSE(watch.look_at_samples(varied, reals));
  CHECK(watch.look_at_samples(alike, reals));
  CHECK_FALSE(watch.look_at_samples(alike, reals));  // said already
  // Pairs at distance 5: (0, 0) and (3, 4).
  CHECK(mean_pair_distance(from_values({2, 2}, std::vector<double>{0, 0, 3, 4})) == Approx(5));
}

TEST_CASE("settings that are known to go wrong are doubted, and their papers' are not") {
  const auto said = [](const std::string& recipe, std::initializer_list<std::pair<std::string, std::string>> set) {
    Settings settings = settings_for(find_recipe(recipe));
    for (const auto& [key, value] : set) settings.set(key, value);
    std::string all;
    for (const std::string& line : doubts(settings)) all += line + '\n';
    return all;
  };
  for (const RecipeEntry& recipe : recipes()) {
    INFO(recipe.name);
    CHECK(said(recipe.name, {}).empty());
    for (const Preset& preset : recipe.presets)
      for (const auto& [key, value] : preset.values) CHECK(settings_for(recipe).has(key));
  }
  CHECK_THAT(said("wgan-gp", {{"d_norm", "batch"}}), Catch::Contains("--d-norm layer or none"));
  CHECK_THAT(said("dcgan", {{"loss", "wasserstein"}}), Catch::Contains("runs away"));
  CHECK(said("sngan", {{"loss", "wasserstein"}}).empty());
  CHECK_THAT(said("wgan", {{"optimizer", "adam"}}), Catch::Contains("--optimizer rmsprop"));
}
