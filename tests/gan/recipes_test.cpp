// What holds for every recipe, and what only some have: conditions, codes.
#include <cmath>

#include "gan/networks/dcgan.h"
#include "gan/recipe.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

constexpr int64_t rows = 4;

Columns columns_for(const RecipeEntry& recipe) {
  Columns columns;
  for (const std::string& need : recipe.needs) {
    if (need == "or") break;
    if (need == "image") columns.push_back({.name = need, .sample = {16, 16, 1}});
    if (need == "source" || need == "target") columns.push_back({.name = need, .sample = {16, 16, 1}});
    if (need == "label") columns.push_back({need, {}, DType::i64, {"a", "b", "c"}});
  }
  return columns;
}

Settings small(const RecipeEntry& recipe) {
  Settings settings = settings_for(recipe);
  for (const auto& [key, value] : {std::pair{"width", "4"}, {"latent", "6"}, {"batch", "4"}, {"n_critic", "1"}})
    settings.set(key, value);
  return settings;
}

Batch batch_of(const Columns& columns, Random& random) {
  Batch batch;
  for (const Column& column : columns) {
    const Tensor tensor = empty_rows(column, rows);
    if (column.dtype == DType::i64) {
      for (int64_t i = 0; i < rows; i++) tensor.data<int64_t>()[i] = i % std::ssize(column.words);
      batch.add(column.name, tensor);
    } else {
      batch.add(column.name, random.uniform(tensor.shape(), -1, 1));
    }
  }
  return batch;
}

std::vector<std::string> names(const Readings& readings) {
  std::vector<std::string> all;
  for (const Reading& reading : readings) all.push_back(reading.name);
  return all;
}

}  // namespace

TEST_CASE("recipes: every one steps, and its views make what they say") {
  REQUIRE(recipes().size() >= 6);
  for (const RecipeEntry& entry : recipes()) {
    INFO(entry.name);
    const Columns columns = columns_for(entry);
    const auto recipe = entry.make(small(entry), columns);
    Random random(1);
    const NextBatch next = [&] { return batch_of(columns, random); };
    const auto before = recipe->networks().front().module->parameters().front().tensor.to_vector();
    const Readings first = recipe->step(next);
    CHECK(names(recipe->step(next)) == names(first));
    for (const auto& [name, value] : look_at(first)) {
      INFO(name);
      CHECK(std::isfinite(value));
    }
    CHECK(recipe->networks().front().module->parameters().front().tensor.to_vector() != before);
    CHECK_FALSE(recipe->players().empty());

    bool compared = false;
    for (const View& view : recipe->views()) {
      INFO(view.name);
      Batch from = view.draw ? view.draw(rows, random) : Batch();
      for (const std::string& given : view.given) from.add(given, batch_of(columns, random)[given]);
      REQUIRE(from.rows() == rows);
      const Batch made = recipe->make(view, from);
      CHECK(made.rows() == rows);
      CHECK(recipe->networks().front().module->training());
      if (view.like.empty()) continue;
      compared = true;
      const Column* like = find_column(columns, view.like);
      REQUIRE(like != nullptr);
      CHECK(made.tensors.front().tensor.shape() == empty_rows(*like, rows).shape());
      // Nothing is remembered from call to call.
      CHECK(recipe->make(view, from).tensors.front().tensor.to_vector() == made.tensors.front().tensor.to_vector());
    }
    CHECK(compared);
    CHECK_FALSE(data_for(entry).empty());
  }
}

TEST_CASE("recipes: data that does not fit is refused, and what would do is named") {
  const RecipeEntry& cgan = find_recipe("cgan");
  const Columns images = {{.name = "image", .sample = {16, 16, 1}}};
  const std::string message = error_of<UsageError>([&] { require_fit(cgan, "photos", images); });
  CHECK(message == "cgan needs image label; photos has image; what would do: --data " + data_for(cgan));
  CHECK(message.find("fashion-mnist") != std::string::npos);
  CHECK(message.find("swiss-roll") == std::string::npos);
  CHECK_NOTHROW(require_fit(find_recipe("gan"), "ring8", {{.name = "point", .sample = {2}}}));
  CHECK(data_for(find_recipe("gan")).find("swiss-roll") != std::string::npos);
}

TEST_CASE("columns: written down and read again, whatever the words") {
  const Columns columns = {{.name = "image", .sample = {16, 24, 3}},
                           {"label", {}, DType::i64, {"a \"quoted\" one", "caf\xc3\xa9", ""}}};
  const Columns again = read_columns(written(columns));
  REQUIRE(again.size() == 2);
  CHECK(again[0].sample == columns[0].sample);
  CHECK(again[1].words == columns[1].words);
  CHECK(again[1].dtype == DType::i64);
  CHECK(names_of(columns) == "image and label");
  for (const char* damaged :
       {"", "[]", "{}", "[{\"name\":\"x\"}]", "[{\"name\":\"x\",\"sample\":[-1],\"dtype\":\"float32\"}]",
        "[{\"name\":\"x\",\"sample\":[2],\"dtype\":\"int3\"}]"}) {
    INFO(damaged);
    CHECK_THROWS_AS(read_columns(damaged), DataError);
  }
}

TEST_CASE("a discriminator of images and classes judges the class as it was told to") {
  Random random(1);
  const Tensor x = random.uniform({3, 16, 16, 1}, -1, 1);
  const auto one_hot = [](int64_t c) {
    const Tensor rows_ = zeros({3, 5});
    for (int64_t i = 0; i < 3; i++) rows_.data<float>()[5 * i + c] = 1;
    return rows_;
  };
  for (const Condition condition : {Condition::concat, Condition::projection, Condition::acgan}) {
    ConditionalDiscriminator d(condition, /*two_scores=*/false, 5, 4, 1, 16, random);
    d.eval();
    const Tensor under_one = d.score(x, one_hot(1));
    CHECK(under_one.shape() == Shape{3});
    CHECK((d.score(x, one_hot(2)).to_vector() == under_one.to_vector()) == (condition == Condition::acgan));
    if (condition == Condition::acgan) CHECK(d.logits(x).shape() == Shape{3, 5});
    CHECK_THROWS_AS(d.match(x, one_hot(1)), Error);
    if (condition == Condition::acgan) continue;
    ConditionalDiscriminator two(condition, /*two_scores=*/true, 5, 4, 1, 16, random);
    two.eval();
    CHECK(two.score(x, one_hot(1)).to_vector() == two.score(x, one_hot(2)).to_vector());
    CHECK(two.match(x, one_hot(1)).shape() == Shape{3});
    CHECK(two.match(x, one_hot(1)).to_vector() != two.match(x, one_hot(2)).to_vector());
  }
}

TEST_CASE("readings: losses first, norms of gradients last") {
  const Tensor one = ones({});
  const Readings d{{"loss_d", one}, {"penalty", one}, {"grad_norm_d", one}}, g{{"loss_g", one}, {"grad_norm_g", one}};
  CHECK(names(d + g) == std::vector<std::string>{"loss_d", "loss_g", "penalty", "grad_norm_d", "grad_norm_g"});
}
