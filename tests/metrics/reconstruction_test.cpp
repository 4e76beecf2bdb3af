// What comes back of pictures, by the judge: of systems that give back the picture, another one, or a blank.
#include "metrics/reconstruction.h"

#include "core/ops.h"
#include "gan/agreement.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::Scratch;

namespace {

class Mirror : public gan::Recipe {
 public:
  Mirror() : Recipe(gan::common_settings()) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    const auto view = [](const std::string& name, const std::string& like, std::function<Tensor(const Tensor&)> make) {
      return gan::View{
          .name = name,
          .given = {"image"},
          .make = [make](const gan::Batch& from) { return gan::Batch().add("image", make(from["image"])); },
          .like = like};
    };
    return {view("same", "image", [](const Tensor& x) { return x; }),
            view("next", "image", [](const Tensor& x) { return gan::moved_on(x); }),
            view("blank", "image", [](const Tensor& x) { return 0 * x - 1; }),
            view("elsewhere", "depth", [](const Tensor& x) { return x; }),
            view("unlike", "", [](const Tensor& x) { return x; })};
  }
};

}  // namespace

TEST_CASE("reconstruction: the picture itself is near and of its class, another one is not") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(90, 2);
  const auto judge = Judge::of(train, held_out, 0, cache.path());
  Mirror system;
  const std::vector<gan::Score> scores = reconstruction_scores(system, *judge, *held_out, 60);
  REQUIRE(scores.size() == 3);
  const auto value = [&](size_t k, size_t i) { return scores[k].values[i].second; };
  CHECK(scores[0].key() == "same.rebuilt");
  CHECK(scores[0].reals == 60);
  CHECK(value(0, 0) == 0);
  CHECK(value(0, 1) == 1);
  CHECK(scores[1].key() == "next.rebuilt");
  CHECK(value(1, 0) == Approx(1).margin(0.05));  // parts of 64 rows: the last one's next is the first
  CHECK(value(1, 1) == Approx(value(1, 2)).margin(0.05));
  CHECK(value(0, 2) < 0.5);  // one of three bars
  CHECK(value(2, 0) > 0.3);
  CHECK(value(2, 1) < 0.6);
}
