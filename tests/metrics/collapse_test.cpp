// Variety: against sums by hand, and a generator of which the support is known.
#include "metrics/collapse.h"

#include "core/ops.h"
#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/rows.h"

using namespace forger;
using namespace forger::metrics;
using test::from;
using test::message_of;
using test::not_a_number;

TEST_CASE("collapse: diversity and duplicates by definition") {
  const Tensor real = from({4, 1}, {0, 1, 3, 7}, DType::f32);             // distances 1 3 7 2 6 4: mean 23/6
  const Tensor fake = from({4, 1}, {0, 0.25, 0.625, 0.625}, DType::f32);  // .25 .625 .625 .375 .375 0: 2.25/6
  const Collapse c = collapse(real, fake);
  CHECK(c.diversity == Approx(2.25 / 23));
  CHECK(c.threshold == 0.5);
  CHECK(c.duplicates == 4);
  CHECK(c.support == Approx(6. / 4));
  CHECK(!c.support_is_bound);
  const Collapse none = collapse(real, real * 2);
  CHECK(none.diversity == Approx(2));
  CHECK(none.duplicates == 0);
  CHECK(none.support == 6);
  CHECK(none.support_is_bound);
}

TEST_CASE("collapse: the support of a generator with so many different samples") {
  Random random(20);
  const Tensor real = random.normal({900, 8, 8, 1}), images = random.normal({300, 8, 8, 1});
  std::vector<int64_t> drawn;
  for (int i = 0; i < 900; i++) drawn.push_back(static_cast<int64_t>(random.below(300)));
  const Tensor fake = test::rows_at(images, drawn) + random.normal({900, 8, 8, 1}, 0, 0.01);
  const Collapse c = collapse(real, fake);
  CHECK(c.support == Approx(300).epsilon(0.15));
  CHECK(c.diversity == Approx(1).epsilon(0.05));
  CHECK(collapse(real, full({50, 8, 8, 1}, 0.3)).diversity == 0);
  CHECK(collapse(real, full({50, 8, 8, 1}, 0.3)).support == 1);
  // A copy among the reals does not set the threshold to 0.
  CHECK(collapse(concat(std::vector{real, slice(real, 0, 0, 1)}, 0), fake).duplicates == c.duplicates);
  const test::Threads one(1);
  const Collapse again = collapse(real, fake);
  CHECK(again.diversity == c.diversity);
  CHECK(again.threshold == c.threshold);
}

TEST_CASE("collapse: what is wrong, in a line") {
  const Tensor two = from({2, 1}, {0, 1}, DType::f32);
  CHECK(message_of<DataError>([&] {
          collapse(full({5, 3}, 0.1), full({5, 3}, 0));
        }) == "[collapse] all real rows are the same");
  CHECK(message_of<DataError>([&] { collapse(two, slice(two, 0, 0, 1)); }) ==
        "[collapse] fake needs at least 2 rows, has 1");
  CHECK_THROWS_AS(collapse(two, full({2, 2}, 0)), ShapeError);
  CHECK_THROWS_AS(collapse(two, full({2, 1}, not_a_number)), DataError);
}
