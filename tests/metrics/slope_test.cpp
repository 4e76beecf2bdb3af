// How steep a critic is, of critics whose slope is known.
#include "metrics/slope.h"

#include "core/ops.h"
#include "nn/spectral_norm.h"
#include "tests/catch.h"
#include "tests/message_of.h"

using namespace forger;
using namespace forger::metrics;
using test::message_of;

namespace {

gan::Batch point(const Tensor& x) { return gan::Batch().add("point", x); }

// Makes normal points; its critic is the function it is given, behind a linear layer under spectral norm that has no
// part in it.
class Plane : public gan::Recipe {
 public:
  explicit Plane(std::function<Tensor(const Tensor&)> critic)
      : Recipe(gan::common_settings()), critic_(std::move(critic)) {
    normed = network("d", std::make_shared<nn::SpectralNorm>(std::make_shared<nn::Linear>(5, 3, random_), random_));
  }
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    std::vector<gan::View> views{{.name = "sample",
                                  .draw =
                                      [](int64_t n, Random& random) {
                                        return point(random.normal({n, 2}));
                                      },
                                  .make = [](const gan::Batch& from) { return from; },
                                  .like = "point"}};
    if (critic_)
      views.push_back({.name = "judge", .given = {"point"}, .make = [this](const gan::Batch& from) {
                         return gan::Batch().add("verdict", critic_(from["point"]));
                       }});
    return views;
  }
  std::shared_ptr<nn::SpectralNorm> normed;

 private:
  std::function<Tensor(const Tensor&)> critic_;
};

std::map<std::string, double> values_of(const gan::Score& score) { return {score.values.begin(), score.values.end()}; }

}  // namespace

TEST_CASE("slope: of a plane it is that of the plane, wherever it is looked at") {
  const Tensor w = from_values({2}, std::vector<double>{3, -4});
  Plane plane([&](const Tensor& x) { return sum(x * w, {1}); });
  const std::vector<gan::Score> scores = slope_scores(plane, *gan::open_data("ring8"), 200, 0);
  REQUIRE(scores.front().metric == "slope");
  CHECK(scores.front().fakes == 200);
  CHECK(gan::line_of(scores.front()) == "mean 5, p99 5, most 5  (200 fake)");
  for (const auto& [name, value] : scores.front().values) CHECK(value == Approx(5));
}

TEST_CASE("slope: fresh points lie between real and made ones") {
  // The slope of a third of |x|^3 is |x|^2. With real points at a distance of 2 and normal ones, whose squares are 2 in
  // the mean, E |x^|^2 = E u^2 4 + E (1 - u)^2 2 = 2.
  Plane bowl([](const Tensor& x) { return pow(sum(square(x), {1}), 1.5) / 3; });
  const auto values = values_of(slope_scores(bowl, *gan::open_data("ring8"), 4000, 1).front());
  CHECK(values.at("mean") == Approx(2).margin(0.1));
  CHECK(values.at("mean") < values.at("p99"));
  CHECK(values.at("p99") < values.at("most"));
}

TEST_CASE("slope: layers under spectral norm compute with matrices whose largest singular value is 1") {
  Plane plane([](const Tensor& x) { return sum(x, {1}); });
  const Tensor x = ones({1, 5});
  for (int i = 0; i < 200; i++) (*plane.normed)(x);
  const std::vector<gan::Score> scores = slope_scores(plane, *gan::open_data("ring8"), 10, 0);
  REQUIRE(scores.size() == 2);
  CHECK(scores[1].metric == "sigma");
  for (const auto& [name, value] : scores[1].values) CHECK(value == Approx(1).epsilon(1e-5));
  // One step away from where the power iterations ended, what they know is old.
  plane.normed->parameters().front().tensor.data<float>()[0] += 2;
  CHECK(values_of(slope_scores(plane, *gan::open_data("ring8"), 10, 0)[1]).at("most") > 1.01);
}

TEST_CASE("slope: a system without a critic is told so") {
  Plane none(nullptr);
  CHECK(message_of<UsageError>([&] { slope_scores(none, *gan::open_data("ring8"), 10, 0); }) ==
        "this system has no view 'judge', whose slope could be measured; it has sample");
}
