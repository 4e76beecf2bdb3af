// Modes of a ring or a grid of points: which of them are found.
#include "metrics/mode_coverage.h"

#include "tests/catch.h"
#include "tests/message_of.h"
#include "tests/metrics/rows.h"

using namespace forger;
using namespace forger::metrics;
using test::from;
using test::message_of;
using test::not_a_number;

TEST_CASE("mode coverage: a sample is good within 3 standard deviations of the nearest mode") {
  const std::array<double, 2> centres[] = {{0, 0}, {1, 0}, {4, 4}};
  const Tensor points = from({7, 2}, {0, 0.125, 0.25, 0, 0.75, 0, 1, 0.375, 1, 0.376, 4, 5, 0.5, 0});
  const ModeCoverage m = mode_coverage(points, centres, 0.125);
  CHECK(m.modes == 3);
  CHECK(m.covered == 2);
  CHECK(m.samples == std::vector<int64_t>{2, 2, 0});
  CHECK(m.high_quality == Approx(4. / 7));
  CHECK(mode_coverage(points, centres, 0.2).samples == std::vector<int64_t>{3, 3, 0});  // between two: the first
  CHECK(message_of<ShapeError>([&] {
          mode_coverage(full({3, 3}, 0), centres, 1);
        }) == "[mode_coverage] points must be (N, 2), got 3x3");
  CHECK_THROWS_AS(mode_coverage(points, {}, 1), UsageError);
  CHECK_THROWS_AS(mode_coverage(points, centres, 0), UsageError);
  CHECK_THROWS_AS(mode_coverage(full({3, 2}, not_a_number), centres, 1), DataError);
}
