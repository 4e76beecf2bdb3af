// What codes stand for: matchings beside all others, correlations that are known, a system whose codes are known.
#include "metrics/codes.h"

#include <numeric>

#include "core/ops.h"
#include "gan/captions.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"
#include "tests/metrics/bars.h"

using namespace forger;
using namespace forger::metrics;
using test::bars;
using test::Scratch;

namespace {

int64_t sum_of(const std::vector<int64_t>& counts, int64_t columns, const std::vector<int64_t>& column_of) {
  int64_t sum = 0;
  for (size_t i = 0; i < column_of.size(); i++)
    if (column_of[i] >= 0) sum += counts[i * static_cast<size_t>(columns) + static_cast<size_t>(column_of[i])];
  return sum;
}

// By trying all orders of the larger side.
int64_t best_sum(const std::vector<int64_t>& counts, int64_t rows, int64_t columns) {
  std::vector<int64_t> order(static_cast<size_t>(std::max(rows, columns)));
  std::iota(order.begin(), order.end(), int64_t{0});
  int64_t best = 0;
  do {
    std::vector<int64_t> column_of(static_cast<size_t>(rows), -1);
    for (int64_t i = 0; i < rows; i++)
      if (const int64_t j = order[static_cast<size_t>(i)]; j < columns) column_of[static_cast<size_t>(i)] = j;
    best = std::max(best, sum_of(counts, columns, column_of));
  } while (std::ranges::next_permutation(order).found);
  return best;
}

// Draws one of three bars and a number, which is how bright the bar is; the bars stand in another order than the
// classes of the data. Of one picture in `wrong` it makes another bar than it was told to.
class Bars : public gan::Recipe {
 public:
  explicit Bars(int64_t wrong) : Recipe(gan::common_settings()), wrong_(wrong) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    return {{.name = "sample",
             .draw =
                 [](int64_t n, Random& random) {
                   const Tensor category = argmax(random.uniform({n, 3}));
                   return gan::Batch().add("category", category).add("code", random.uniform({n, 2}, -1, 1));
                 },
             .make =
                 [this](const gan::Batch& from) {
                   const Tensor images = full({from.rows(), 16, 16, 1}, -0.7);
                   const std::vector<double> category = from["category"].to_vector(), code = from["code"].to_vector();
                   for (int64_t i = 0; i < from.rows(); i++) {
                     const auto at = static_cast<size_t>(i);
                     const int64_t bar = (static_cast<int64_t>(category[at]) + (i % wrong_ == 0 ? 2 : 1)) % 3;
                     for (int64_t p = 16; p < 240; p++)  // not in the corners, which tell what the background is
                       if (p % 16 / 5 == bar)
                         images.data<float>()[i * 256 + p] = 0.6F - 0.2F * static_cast<float>(code[2 * at]);
                   }
                   return gan::Batch().add("image", images);
                 },
             .like = "image"},
            {.name = "read", .given = {"image"}, .make = [](const gan::Batch& from) {
               const Tensor x = reshape(from["image"], {from.rows(), 256});
               std::vector<Tensor> lit;
               for (const int64_t bar : {1, 2, 0}) lit.push_back(slice(x, 1, 5 * bar, 5 * bar + 1));
               return gan::Batch().add("category", concat(lit, 1));
             }}};
  }

 private:
  int64_t wrong_;
};

}  // namespace

TEST_CASE("codes: the best matching is the best of all, whichever side is longer") {
  Random random(3);
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 4}, {4, 1}, {3, 3}, {5, 5}, {4, 6}, {6, 4}, {7, 7}}) {
    for (int trial = 0; trial < 8; trial++) {
      std::vector<int64_t> counts(static_cast<size_t>(rows * columns));
      for (int64_t& count : counts) count = static_cast<int64_t>(random.below(trial < 4 ? 4 : 1000));  // with ties, too
      const std::vector<int64_t> found = best_matching(counts, rows, columns);
      INFO(rows << " x " << columns << ", trial " << trial);
      REQUIRE(std::ssize(found) == rows);
      std::vector<int64_t> taken;
      for (const int64_t j : found)
        if (j >= 0) taken.push_back(j);
      CHECK(std::ssize(taken) == std::min(rows, columns));
      std::ranges::sort(taken);
      CHECK(std::ranges::adjacent_find(taken) == taken.end());
      CHECK((taken.empty() || taken.back() < columns));
      CHECK(sum_of(counts, columns, found) == best_sum(counts, rows, columns));
    }
  }
}

TEST_CASE("codes: a correlation is seen from the mean of each group") {
  const std::vector<double> x{1, 2, 3, 11, 12, 13}, y{1, 2, 3, -7, -6, -5}, z{3, 2, 1, -5, -6, -7}, same(6, 4.0);
  const std::vector<int64_t> one(6, 0), two{0, 0, 0, 1, 1, 1};
  CHECK(correlation_within(x, y, one) < -0.8);
  CHECK(correlation_within(x, y, two) == Approx(1));
  CHECK(correlation_within(x, z, two) == Approx(-1));
  CHECK(correlation_within(x, same, two) == 0);
}

TEST_CASE("codes: categories in another order than the classes agree as far as they are obeyed") {
  const Scratch cache;
  const gan::DataSetPtr train = bars(300, 1), held_out = bars(90, 2);
  const auto judge = Judge::of(train, held_out, 0, cache.path());
  Bars obedient(1'000'000), careless(8);  // the first rows of parts of 64: 8 in 64 are wrong
  const std::vector<gan::Score> scores = code_scores(obedient, *judge, *held_out, 640, 5);
  REQUIRE(scores.size() == 4);
  CHECK(scores[0].metric == "category");
  CHECK(scores[0].value() > 0.98);  // one of each part is wrong
  CHECK(scores[0].classes.size() == 3);
  CHECK(scores[0].classes[0].first == "0: bar 1");
  CHECK(scores[1].metric == "category.real");
  CHECK(scores[1].value() == 1);
  CHECK(scores[1].reals == 90);
  CHECK(scores[2].metric == "code-1");
  CHECK(scores[2].values.front().first == "tone");
  CHECK(scores[2].value() < -0.99);  // the larger, the darker
  CHECK(std::abs(scores[3].value()) < 0.15);
  CHECK(code_scores(careless, *judge, *held_out, 640, 5).front().value() == Approx(0.875).margin(0.01));
}

TEST_CASE("codes: a system that draws none has no such scores") {
  class None : public gan::Recipe {
   public:
    None() : Recipe(gan::common_settings()) {}
    gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
    std::vector<gan::View> views() override {
      return {{.name = "sample", .draw = [](int64_t n, Random& random) {
                 return gan::Batch().add("z", random.normal({n, 2}));
               }}};
    }
  } none;
  const Scratch cache;
  const gan::DataSetPtr set = bars(60, 1);
  CHECK(code_scores(none, *Judge::of(set, set, 0, cache.path()), *set, 10, 0).empty());
}
