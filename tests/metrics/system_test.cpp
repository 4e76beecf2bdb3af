// Scores of a system's views: which rows they start from, what is left out, what is refused.
#include "metrics/system.h"

#include "core/ops.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::contains;
using test::message_of;
using test::Scratch;

namespace {

// Copies what it is given, with a little noise of its own; makes depths, which no data of these tests has.
class Copier : public gan::Recipe {
 public:
  Copier() : Recipe(gan::common_settings()) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    return {{.name = "depths",
             .given = {"image"},
             .make = [](const gan::Batch& from) { return gan::Batch().add("depth", from["image"]); },
             .like = "depth"},
            {.name = "copy",
             .given = {"image"},
             .make = [](const gan::Batch& from) { return gan::Batch().add("image", from["image"]); },
             .like = "image"},
            {.name = "noisy",
             .given = {"image"},
             .draw =
                 [](int64_t n, Random& random) {
                   return gan::Batch().add("z", random.normal({n, 16, 16, 1}, 0, 0.1));
                 },
             .make = [](const gan::Batch& from) { return gan::Batch().add("image", from["image"] + from["z"]); },
             .like = "image"},
            {.name = "judge", .given = {"image"}, .make = [](const gan::Batch& from) { return from; }}};
  }
};

}  // namespace

TEST_CASE("a view starts from a choice of the held-out rows, or from all") {
  Copier system;
  const gan::DataSetPtr held_out = bars(100, 2);
  const Pictures reals = pictures_of(held_out, "bars");
  for (const int64_t count : {70, 1000}) {
    const Pictures copies = pictures_of(system, view_of(system, "copy"), *held_out, count, /*seed=*/5, "copies");
    REQUIRE(copies.count == std::min(count, held_out->count()));
    const Pictures chosen = reals.subset(copies.count, 5);
    bool same = true, in_order = true;
    for (int64_t i = 0; i < copies.count; i++) {
      same = same && copies.read(i).pixels == chosen.read(i).pixels;
      in_order = in_order && copies.read(i).pixels == reals.read(i).pixels;
    }
    CHECK(same);
    CHECK(in_order == (count > 100));  // sets are often sorted by class
  }
  const Pictures noisy = pictures_of(system, view_of(system, "noisy"), *held_out, 70, 5, "noisy"),
                 again = pictures_of(system, view_of(system, "noisy"), *held_out, 70, 5, "noisy");
  CHECK(noisy.count == 70);
  CHECK(noisy.read(69).pixels == again.read(69).pixels);
  CHECK(noisy.read(69).pixels != reals.subset(70, 5).read(69).pixels);
}

TEST_CASE("each view has its scores; one that cannot be scored is left out, unless it is asked for") {
  const Scratch cache;
  Copier system;
  const gan::DataSetPtr train = bars(400, 1), held_out = bars(240, 2);
  Request request;
  request.count = 240;
  request.cache = cache.path();
  SystemEvaluation all(system, train, held_out, request);
  REQUIRE(all.left_out().size() == 1);
  CHECK(contains(all.left_out().front(), "the view depths is not scored: bars-1 has no images called depth"));
  std::map<std::string, double> found;
  for (const gan::Score& score : all.scores("the copier")) found[score.key()] = score.value();
  CHECK(found.size() == 14);
  CHECK(found.at("copy.fcd") < 1e-6);  // all held-out rows, against themselves
  CHECK(found.at("noisy.fcd") > 1e-3);
  CHECK(all.networks().size() == 1);
  CHECK(all.first()->train() == train);

  SystemEvaluation one(system, train, held_out, request, "noisy");
  CHECK(one.scores("the copier").front().key() == "noisy.fcd");
  CHECK(one.scores("the copier").front().value() == found.at("noisy.fcd"));

  const auto refusal = [&](const std::string& metrics, const std::string& view) {
    Request named = request;
    if (!metrics.empty()) named.metrics = parse_metrics(metrics);
    return message_of<UsageError>([&] { SystemEvaluation(system, train, held_out, named, view); });
  };
  CHECK(contains(refusal("fcd", ""), "no images called depth"));
  CHECK(contains(refusal("", "depths"), "no images called depth"));
  CHECK(contains(refusal("", "judge"), "no view 'judge' of this system can be scored; there are: depths, copy, noisy"));
  CHECK(contains(refusal("asked", "copy"), "told which class to make"));
  request.count = 9;
  CHECK(contains(refusal("", ""), "at least 10 samples"));
}
