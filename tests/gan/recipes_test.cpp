// What holds for every recipe, and what only some have: conditions, codes.
#include <cmath>
#include <limits>
#include <regex>
#include <set>

#include "gan/networks/dcgan.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;
using nn::NamedTensors;

namespace {

std::vector<std::string> names(const Readings& readings) {
  std::vector<std::string> all;
  for (const Reading& reading : readings) all.push_back(reading.name);
  return all;
}

}  // namespace

TEST_CASE("recipes: every one has a row, and every row a recipe") {
  std::set<std::string> tested, names;
  for_each_recipe([&](const RecipeCase& row) {
    if (row.simt) tested.insert(row.recipe);
    INFO(row.name);
    CHECK(names.insert(row.name).second);
    CHECK_NOTHROW(require_fit(find_recipe(row.recipe), row.name, row.columns));
  });
  REQUIRE(recipes().size() >= 7);
  for (const RecipeEntry& entry : recipes()) {
    INFO(entry.name << " has no row in tests/recipe_cases.h");
    CHECK(tested.contains(entry.name));
    CHECK_FALSE(data_for(entry).empty());
  }
}

TEST_CASE("recipes: every one steps, and its views make what they say") {
  for_each_recipe([](const RecipeCase& row) {
    INFO(row.name);
    const auto recipe = make(row, settings_of(row));
    Random random(1);
    const NextBatch next = [&] { return batch_of(row.columns, random); };
    const auto before = recipe->networks().front().module->parameters().front().tensor.to_vector();
    const Readings first = recipe->step(next);
    recipe->after_step(1);
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
      Batch from = view.draw ? view.draw(case_rows, random) : Batch();
      for (const std::string& given : view.given) from.add(given, batch_of(row.columns, random)[given]);
      REQUIRE(from.rows() == case_rows);
      const Batch made = recipe->make(view, from);
      CHECK(made.rows() == case_rows);
      CHECK(recipe->networks().front().module->training());
      if (view.like.empty()) continue;
      compared = true;
      const Column* like = find_column(row.columns, view.like);
      REQUIRE(like != nullptr);
      CHECK(made.tensors.front().tensor.shape() == empty_rows(*like, case_rows).shape());
      // Nothing is remembered from call to call.
      CHECK(recipe->make(view, from).tensors.front().tensor.to_vector() == made.tensors.front().tensor.to_vector());
    }
    // What makes nothing that could be compared with data has numbers of its own.
    if (!compared) CHECK_FALSE(recipe->measure(next()).empty());
  });
}

TEST_CASE("recipes: a NaN in the data ends every one's step, the op is named, and no weight has changed") {
  for_each_recipe([](const RecipeCase& row) {
    for (const Column& column : row.columns) {
      if (column.dtype == DType::i64) continue;
      INFO(row.name << ", " << column.name);
      const auto recipe = make(row, settings_of(row));
      std::vector<NamedTensors> before;
      for (const auto& network : recipe->networks()) before.push_back(copy_of(network.module->parameters()));
      Random random(1);
      const std::string message = error_of<NonFiniteError>([&] {
        recipe->step([&] {
          const Batch batch = batch_of(row.columns, random);
          batch[column.name].write<float>("test")[3] = std::numeric_limits<float>::quiet_NaN();
          return batch;
        });
      });
      INFO(message);
      CHECK(std::regex_search(message, std::regex(R"(\[\w+\])")));
      for (size_t i = 0; i < before.size(); i++)
        CHECK(identical(recipe->networks()[i].module->parameters(), before[i]));
    }
  });
}

TEST_CASE("recipes: float64 is another precision of the same run, and views give float32 all the same") {
  for_each_recipe([](const RecipeCase& row) {
    INFO(row.name);
    Settings settings = settings_of(row);
    const auto narrow = make(row, settings);
    settings.set("dtype", "float64");
    const auto wide = make(row, settings);
    Random one(1), two(1);
    const Scalars a = look_at(narrow->step([&] { return batch_of(row.columns, one); })),
                  b = look_at(wide->step([&] { return wide->here(batch_of(row.columns, two)); }));
    for (size_t i = 0; i < a.size(); i++) {
      INFO(a[i].name);
      CHECK(a[i].value == Approx(b[i].value).epsilon(1e-3).margin(1e-5));
    }
    CHECK(narrow->random().block == wide->random().block);
    for (const View& view : wide->views()) {
      Batch from = view.draw ? view.draw(case_rows, one) : Batch();
      for (const std::string& given : view.given) from.add(given, batch_of(row.columns, one)[given]);
      const Column* like = find_column(row.columns, view.like);
      CHECK(wide->make(view, from).tensors.front().tensor.dtype() == (like != nullptr ? like->dtype : DType::f32));
    }
  });
  Settings unknown = settings_of(recipe_cases().front());
  unknown.set("dtype", "float16");
  CHECK(error_of<UsageError>([&] { make(recipe_cases().front(), unknown); }) ==
        "--dtype 'float16' is not known; there are: float32, float64");
}

TEST_CASE("recipes: data that does not fit is refused, and what would do is named") {
  const RecipeEntry& cgan = find_recipe("cgan");
  const Columns images = {{.name = "image", .sample = {16, 16, 1}}};
  const std::string message = error_of<UsageError>([&] { require_fit(cgan, "photos", images); });
  CHECK(message == "cgan needs image, label; photos has image; what would do: --data " + data_for(cgan));
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
    ConditionalDiscriminator d(condition, /*two_scores=*/false, 5, 4, 1, 16, DNorm::batch, random);
    d.eval();
    const Tensor under_one = d.score(x, one_hot(1));
    CHECK(under_one.shape() == Shape{3});
    CHECK((d.score(x, one_hot(2)).to_vector() == under_one.to_vector()) == (condition == Condition::acgan));
    if (condition == Condition::acgan) CHECK(d.logits(x).shape() == Shape{3, 5});
    CHECK_THROWS_AS(d.match(x, one_hot(1)), Error);
    if (condition == Condition::acgan) continue;
    ConditionalDiscriminator two(condition, /*two_scores=*/true, 5, 4, 1, 16, DNorm::batch, random);
    two.eval();
    CHECK(two.score(x, one_hot(1)).to_vector() == two.score(x, one_hot(2)).to_vector());
    CHECK(two.match(x, one_hot(1)).shape() == Shape{3});
    // What one class is worth more than another depends on the image.
    const auto preferred = (two.match(x, one_hot(1)) - two.match(x, one_hot(2))).to_vector();
    CHECK(std::abs(preferred[0] - preferred[1]) > 1e-6);
  }
}

TEST_CASE("readings: losses first, norms of gradients last") {
  const Tensor one = ones({});
  const Readings d{{"loss_d", one}, {"penalty", one}, {"grad_norm_d", one}}, g{{"loss_g", one}, {"grad_norm_g", one}};
  CHECK(names(d + g) == std::vector<std::string>{"loss_d", "loss_g", "penalty", "grad_norm_d", "grad_norm_g"});
}

TEST_CASE("an objective that knows no score by itself is refused before training where scores are asked for alone") {
  const Columns classes{{.name = "image", .sample = {16, 16, 1}}, {"label", {}, DType::i64, {"coat", "bag"}}};
  const auto error = [&](std::initializer_list<std::pair<std::string, std::string>> more) {
    RecipeCase row{"cgan", "cgan", classes, "", {{"loss", "ra-gan"}}};
    row.settings.insert(row.settings.end(), more.begin(), more.end());
    return error_of<UsageError>([&] { make(row, settings_of(row)); });
  };
  CHECK(error({}).starts_with("--loss ra-gan: scores that are not of real beside fake samples"));
  CHECK_FALSE(error({{"scores", "two"}}).empty());
  CHECK(error({{"mismatched", "false"}}).empty());
  CHECK(error({{"condition", "acgan"}}).empty());
}
