// A linear classifier of codes, on codes whose classes are known; a system whose encoder is.
#include "metrics/linear_probe.h"

#include "core/ops.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;

namespace {

// Encodes a picture as the brightness of its three bars, or as nothing but noise.
class Encoder : public gan::Recipe {
 public:
  explicit Encoder(bool sees) : Recipe(gan::common_settings()), sees_(sees) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    return {{.name = "encode", .given = {"image"}, .make = [this](const gan::Batch& from) {
               const Tensor x = reshape(from["image"], {from.rows(), 256});
               std::vector<Tensor> lit;
               for (const int64_t bar : {0, 1, 2}) lit.push_back(slice(x, 1, 5 * bar, 5 * bar + 1));
               return gan::Batch().add("code", sees_ ? concat(lit, 1) : random_.normal({from.rows(), 3}));
             }}};
  }

 private:
  bool sees_;
};

}  // namespace

TEST_CASE("linear probe: what is linear in a code is found, whatever its scale; what is not, is not") {
  Random random(1);
  const int64_t n = 400;
  const Tensor a = random.normal({n, 3}), b = random.normal({n, 3});
  const auto labels = [&](const Tensor& codes, bool linear) {
    std::vector<int64_t> all;
    const std::vector<double> x = codes.to_vector();
    for (size_t i = 0; i < x.size(); i += 3) all.push_back(linear ? x[i] + x[i + 1] > 0 : x[i] * x[i + 1] > 0);
    return all;
  };
  const Tensor scale = from_values({1, 3}, std::vector<double>{1e-4, 1e-4, 50}), shifted = a * scale + 7;
  CHECK(linear_probe(shifted, labels(a, true), b * scale + 7, labels(b, true), 2) > 0.95);
  const double chance = linear_probe(a, labels(a, false), b, labels(b, false), 2);
  CHECK((chance > 0.4 && chance < 0.6));
  // A number that never changes is no use and does no harm.
  const Tensor dull = concat(std::vector<Tensor>{a, ones({n, 1})}, 1),
               dull_b = concat(std::vector<Tensor>{b, ones({n, 1})}, 1);
  CHECK(linear_probe(dull, labels(a, true), dull_b, labels(b, true), 2) > 0.95);
}

TEST_CASE("linear probe: of a system, beside one that has learnt nothing") {
  Encoder sees(true), blind(false);
  const gan::DataSetPtr train = bars(200, 1), held_out = bars(90, 2);
  const std::vector<gan::Score> scores = linear_probe_scores(sees, blind, *train, *held_out, 150);
  REQUIRE(scores.size() == 1);
  CHECK(scores.front().value() == 1);
  CHECK(scores.front().values[1].first == "untrained");
  CHECK(scores.front().values[1].second < 0.6);
  CHECK(scores.front().reals == 90);
  CHECK(test::contains(scores.front().remark, "fitted on 150 others"));
  CHECK(linear_probe_scores(sees, blind, *bars(20, 1, 3, /*labelled=*/false), *held_out, 10).empty());
}
