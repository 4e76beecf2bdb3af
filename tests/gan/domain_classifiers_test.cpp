// Systems whose classifier learns from more than its own labels: the table of recipes (tests/recipe_cases.h) compares
// their steps with PyTorch's; here is what it cannot see.
#include <cmath>

#include "gan/agreement.h"
#include "gan/networks/classes.h"
#include "gan/networks/shared_stacks.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

const RecipeCase& row_of(const std::string& name) {
  return *std::ranges::find(recipe_cases(), name, &RecipeCase::name);
}

double reading(const Readings& readings, const std::string& name) {
  for (const auto& [key, value] : look_at(readings))
    if (key == name) return value;
  FAIL("no reading " << name);
  return 0;
}

// The first weights of the first network after a step in which all pictures of domain b are of one shade.
std::vector<double> weights_after(Recipe& recipe, const RecipeCase& row, double shade) {
  Random random(1);
  recipe.step([&] {
    Batch batch = batch_of(row.columns, random);
    copy_into(batch["b.image"], full(batch["b.image"].shape(), shade), "test");
    return batch;
  });
  return recipe.networks().front().module->parameters().front().tensor.to_vector();
}

}  // namespace

TEST_CASE("dann: lambda rises from 0 as in the paper, in the steps that are given, whatever the run's length") {
  for (const char* name : {"dann", "dann-alternating"}) {
    Settings settings = settings_of(row_of(name));
    settings.set("lambda", "2");
    settings.set("lambda_steps", "200");
    settings.set("steps", "7");
    const auto recipe = make(row_of(name), settings);
    Random random(1);
    const NextBatch next = [&] { return batch_of(row_of(name).columns, random); };
    CHECK(reading(recipe->step(next), "lambda") == 0);
    for (const int64_t step : {1, 50, 100, 200, 1000}) {
      INFO(name << " after step " << step);
      recipe->after_step(step);
      const double p = std::min(1.0, static_cast<double>(step) / 200);
      CHECK(reading(recipe->step(next), "lambda") == Approx(2 * (2 / (1 + std::exp(-10 * p)) - 1)).epsilon(1e-5));
    }
  }
}

TEST_CASE("dann: without lambda the other domain's pictures move no feature and no class") {
  for (const char* name : {"dann", "dann-alternating"}) {
    INFO(name);
    const RecipeCase& row = row_of(name);
    const auto moved = [&](const char* lambda, double shade) {  // the classifier's first weights after a step
      Settings settings = settings_of(row);
      settings.set("lambda", lambda);
      const auto recipe = make(row, settings);
      recipe->after_step(1000);
      return weights_after(*recipe, row, shade);
    };
    CHECK(moved("0", -0.5) == moved("0", 0.5));
    CHECK(moved("1", -0.5) != moved("1", 0.5));
  }
}

TEST_CASE("dann: b's classes are counted where they are a's") {
  const RecipeCase& row = row_of("dann");
  Random random(1);
  const Batch batch = batch_of(row.columns, random);
  const auto names = [&](const Columns& columns, const Batch& held_out) {
    std::string all;
    for (const auto& [name, value] : find_recipe("dann").make(settings_of(row), columns)->measure(held_out))
      all += name + " ";
    return all;
  };
  CHECK(names(row.columns, batch) == "accuracy_a accuracy_b domain_accuracy ");
  Columns others = row.columns;
  others.back().words = {"heel", "sole"};
  CHECK(names(others, batch) == "accuracy_a domain_accuracy ");
  Batch unknown = batch;
  unknown.tensors.pop_back();
  CHECK(names(row.columns, unknown) == "accuracy_a domain_accuracy ");
}

TEST_CASE("classes as stripes: as wide as each other, as bright as they are likely") {
  const Tensor logits = from_values({2, 4}, std::vector<double>{0, 0, 0, 0, 50, 0, 0, 0}, DType::f32);
  const Tensor stripes = as_stripes(logits, zeros({2, 3, 8, 3}));
  REQUIRE(stripes.shape() == Shape{2, 3, 8, 1});
  const std::vector<double> levels = stripes.to_vector();
  for (size_t i = 0; i < 24; i++) CHECK(levels[i] == Approx(-0.5));
  for (size_t i = 24; i < 48; i++) CHECK(levels[i] == Approx(i % 8 < 2 ? 1 : -1));
}

TEST_CASE("domains: what a classifier is to say of a's rows, then b's, and the share that it does") {
  const Tensor logits = from_values({4}, std::vector<double>{-1, 2, 3, -4}, DType::f32);
  CHECK(domains_of(logits).to_vector() == std::vector<double>{0, 0, 1, 1});
  CHECK(domain_accuracy(logits).item() == 0.5);
}

TEST_CASE("disentangle: a swapped picture is of its own content, in the style of the next one") {
  const RecipeCase& row = row_of("disentangle");
  const auto recipe = make(row, settings_of(row));
  const View swap = view_of(*recipe, "swap");
  Random random(1);
  Batch batch = batch_of(row.columns, random);
  const Batch before = recipe->make(swap, batch);
  CHECK(before["look"].to_vector() == moved_on(batch["image"]).to_vector());
  float* third = batch["image"].write<float>("test") + 3 * 256;
  std::fill(third, third + 256, 0.5f);
  const Batch after = recipe->make(swap, batch);
  for (int64_t k = 0; k < case_rows; k++) {
    const auto of = [&](const Batch& made) { return slice(made["image"], 0, k, k + 1).to_vector(); };
    CHECK((of(before) == of(after)) == (k != 2 && k != 3));
  }
}

TEST_CASE("disentangle: any column of labels is a style, and no other column is") {
  const RecipeCase& row = row_of("disentangle");
  const auto error = [&](const std::string& style) {
    Settings settings = settings_of(row);
    settings.set("style", style);
    return error_of<UsageError>([&] { make(row, settings); });
  };
  CHECK(error("class").empty());
  CHECK(error("image") == "--style image: it is to be a column of two labels or more");
  CHECK(error("font").find("disentangle needs font") == 0);
}

TEST_CASE("triple-gan: by --preset classifier, nothing but labelled rows moves the classifier") {
  const RecipeCase& row = row_of("triple-gan");
  const auto moved = [&](bool alone, double shade) {
    Settings settings = settings_of(row);
    for (const auto& [key, value] : find_preset(find_recipe("triple-gan"), "classifier").values)
      if (alone) settings.set(key, value);
    const auto recipe = make(row, settings);
    return weights_after(*recipe, row, shade);
  };
  CHECK(moved(true, -0.5) == moved(true, 0.5));
  CHECK(moved(false, -0.5) != moved(false, 0.5));
}
