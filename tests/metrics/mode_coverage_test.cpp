// Modes of a ring or a grid of points: which of them are found.
#include "metrics/mode_coverage.h"

#include "gan/recipe.h"
#include "metrics/system.h"

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

TEST_CASE("the mixture's score of its own points is full, and that of other points is not") {
  const gan::DataSetPtr grid = gan::open_data("grid25", {}, gan::Subset::test);
  const auto mixture = grid->mixture();
  REQUIRE(mixture);
  CHECK(mixture->centres.size() == 25);
  const Tensor points = gan::read_rows(*grid, 0, 5000, {"point"})["point"];
  const gan::Score score = mixture_score(points, *mixture);
  CHECK(score.value() == 25);
  CHECK(score.values[1].first == "quality");
  CHECK(score.values[1].second == Approx(1 - std::exp(-4.5)).margin(0.005));  // of a round Gaussian in the plane
  CHECK(mixture_score(full({10, 2}, 1), *mixture).value() == 0);
  CHECK_FALSE(gan::open_data("moons")->mixture());
  CHECK_FALSE(gan::open_data("swiss-roll")->mixture());
}

TEST_CASE("points are scored by their mixture, and by nothing else") {
  gan::Settings settings = gan::settings_for(gan::find_recipe("gan"));
  const auto system = gan::find_recipe("gan").make(settings, {{.name = "point", .sample = {2}}});
  const auto evaluate = [&](const char* data, const std::vector<std::string>& metrics) {
    Request request;
    request.metrics = metrics;
    request.count = 100;
    SystemEvaluation evaluation(*system, gan::open_data(data), gan::open_data(data, {}, gan::Subset::test), request);
    auto scores = evaluation.scores("test");
    return scores.empty() ? evaluation.left_out().front() : scores.front().key();
  };
  CHECK(evaluate("ring8", {}) == "mixture");
  CHECK(evaluate("ring8", {"mixture"}) == "mixture");
  CHECK(evaluate("moons", {}) ==
        "the view sample is not scored: moons holds points of no known mixture, which no metric "
        "scores");
  CHECK(message_of<UsageError>([&] { evaluate("ring8", {"fcd"}); }) ==
        "ring8 holds points, which only the metric 'mixture' scores");
}
