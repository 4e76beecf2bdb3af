// Directions in noise: towards a class, and along what pictures answer to most.
#include "metrics/directions.h"

#include "core/ops.h"
#include "metrics/linear_algebra.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::metrics;
using namespace forger::test;

TEST_CASE("directions: towards a class is where its samples lie") {
  Random random(1);
  const Tensor z = random.normal({3000, 4});
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < 3000; i++) {
    const float* row = z.data<float>() + 4 * i;
    classes.push_back(0.6 * row[0] - 0.8 * row[2] > 1 ? 2 : i % 2);
  }
  const std::vector<double> found = towards_class(z, classes, 2, "bag").to_vector();
  CHECK(0.6 * found[0] - 0.8 * found[2] > 0.99);
  CHECK(found[0] * found[0] + found[1] * found[1] + found[2] * found[2] + found[3] * found[3] == Approx(1));
  CHECK(message_of<UsageError>([&] { towards_class(z, classes, 5, "shoe"); }) ==
        "of 3000 samples the judge takes 0 for shoe: a direction towards it takes at least 5, and as many others");
}

TEST_CASE("directions: the axes of a symmetric matrix, largest first") {
  // 5 along (1, 1)/sqrt 2, 1 along (1, -1)/sqrt 2, 9 along the third
  const std::vector<double> axes = principal_axes({3, 2, 0, 2, 3, 0, 0, 0, 9}, 3, 2);
  REQUIRE(axes.size() == 6);
  CHECK(axes[2] == Approx(1));
  CHECK(axes[3] == Approx(std::sqrt(0.5)));
  CHECK(axes[4] == Approx(std::sqrt(0.5)));
}

TEST_CASE("directions: the principal ones are those that move pictures most, bent as the generator may be") {
  const RecipeCase row{"gan", "gan", {{.name = "image", .sample = {16, 16, 1}}}, "", {{"width", "8"}}};
  const auto recipe = make(row, settings_of(row));
  gan::View view = gan::sampling_view(*recipe);
  // Pixels k are tanh of z_k, by 0.2, 1 and 0.5; there are two of the last: sqrt 2 times as far.
  const Tensor spread = from_values({3, 4}, std::vector<double>{0.2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5, 0.5});
  view.draw = [](int64_t n, Random& random) { return gan::Batch().add("z", random.normal({n, 3}, 0, 0.3)); };
  view.make = [&](const gan::Batch& from) {
    return gan::Batch().add("image", reshape(tanh(matmul(from["z"], spread)), {from.rows(), 2, 2, 1}));
  };
  Random random(3);
  const std::vector<double> found = principal_directions(*recipe, view, 3, random).to_vector();
  CHECK(found[1] == Approx(1).epsilon(1e-3));
  CHECK(found[5] == Approx(1).epsilon(1e-3));
  CHECK(found[6] == Approx(1).epsilon(1e-3));
  CHECK(message_of<UsageError>([&] { principal_directions(*recipe, view, 4, random); }) ==
        "z has 3 dimensions: there is no direction 4");
}

TEST_CASE("directions: the judge names samples") {
  const Scratch scratch;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(90, 2);
  const auto judge = Judge::of(train, held_out, 0, scratch.path());
  const std::vector<int64_t> classes = classes_of(*judge, gan::read_rows(*held_out, 0, 30)["image"]);
  int64_t right = 0;
  for (int64_t i = 0; i < 30; i++) right += classes[static_cast<size_t>(i)] == i % 3;
  CHECK(right >= 28);
}
