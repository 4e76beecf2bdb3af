// Scores of words: divergences that are known, models that know what they were fitted to, shares of a list.
#include "metrics/words.h"

#include <cmath>

#include "gan/words.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::metrics;

namespace {

Word letters(const std::string& word) { return {word.begin(), word.end()}; }
std::vector<Word> all_letters(const std::vector<std::string>& words) {
  std::vector<Word> all;
  for (const std::string& word : words) all.push_back(letters(word));
  return all;
}

double value_of(const gan::Score& score, const std::string& name) {
  for (const auto& [each, value] : score.values)
    if (each == name) return value;
  FAIL(name);
  return 0;
}

}  // namespace

TEST_CASE("words: the divergence of n-grams is what it is by hand") {
  const auto a = all_letters({"ab"}), b = all_letters({"ac"});
  CHECK(ngram_divergence(a, a, 3) == 0);
  // Thirds on a, b and the end, against a, c and the end: a third of either is in one alone.
  CHECK(ngram_divergence(a, b, 1) == Approx(1.0 / 3));
  // ^a, ab, b. against ^a, ac, c.
  CHECK(ngram_divergence(a, b, 2) == Approx(2.0 / 3));
  CHECK(ngram_divergence(all_letters({"aa"}), all_letters({"bb"}), 3) == Approx(1));
  // a a . against a .: shares 2/3, 1/3 and 1/2, 1/2.
  const auto kl = [](double p, double q) { return p * std::log2(p / q); };
  const double x = (2.0 / 3 + 0.5) / 2, y = (1.0 / 3 + 0.5) / 2;
  CHECK(ngram_divergence(all_letters({"aa"}), all_letters({"a"}), 1) ==
        Approx((kl(2.0 / 3, x) + kl(1.0 / 3, y) + kl(0.5, x) + kl(0.5, y)) / 2));
  CHECK(ngram_divergence(a, b, 2) == ngram_divergence(b, a, 2));
}

TEST_CASE("words: rows of letters without what fills them") {
  const Tensor tokens = reshape(from_indices(std::vector<int64_t>{1, 0, 2, 0, 3, 4, 5, 6, 0, 0, 0, 0}), {3, 4});
  CHECK(words_of(tokens) == std::vector<Word>{{1, 0, 2}, {3, 4, 5, 6}, {}});
}

TEST_CASE("words: an n-gram model makes what follows n - 1 letters, as often as it does") {
  Random random(5);
  const auto words = all_letters({"abab", "abc", "abc", "abc"});
  const NgramModel whole(words, 5);
  int64_t abab = 0;
  constexpr int64_t count = 4000;
  for (int64_t i = 0; i < count; i++) {
    const Word made = whole.sample(random, 4);
    REQUIRE(std::ranges::find(words, made) != words.end());  // so much context is all of a word
    abab += made == words.front();
  }
  CHECK(static_cast<double>(abab) / count == Approx(0.25).margin(0.03));
  const NgramModel pairs(words, 2);
  std::vector<Word> made;
  for (int64_t i = 0; i < count; i++) made.push_back(pairs.sample(random, 20));
  CHECK(std::ranges::find(made, letters(std::string("ababab"))) != made.end());
  CHECK(ngram_divergence(made, words, 2) < 0.01);
  CHECK(ngram_divergence(made, words, 4) > 0.05);
  const NgramModel single(words, 1);
  for (int64_t i = 0; i < 100; i++) CHECK(single.sample(random, 3).size() <= 3);
}

TEST_CASE("words: shares of the list, of what was held out, of different ones; models come nearer with n") {
  const std::string list = std::string("words:") + GOLDEN_DIR + "/words.txt";
  const gan::DataSetPtr train = gan::open_data(list), held_out = gan::open_data(list, {}, gan::Subset::test);
  const WordComparison comparison(*train, *held_out, "tokens");
  const auto rows = [](const gan::DataSet& data) { return words_of(gan::read_rows(data, 0, data.count())["tokens"]); };
  const std::vector<Word> known = rows(*train), unknown = rows(*held_out);
  const gan::Score score =
      comparison.score({known[0], known[1], known[0], unknown[0], letters(std::string("\1\1\1\1"))});
  CHECK(score.metric == "words");
  CHECK(score.values.front().first == "js_4");
  CHECK(value_of(score, "listed") == Approx(0.8));
  CHECK(value_of(score, "unseen") == Approx(0.2));
  CHECK(value_of(score, "distinct") == Approx(0.8));
  CHECK(score.reals == held_out->count());
  CHECK(comparison.score(unknown).value() == 0);
  const std::vector<gan::Score> beside = comparison.baselines(2000, 0);
  REQUIRE(beside.size() == 5);
  CHECK(beside[0].metric == "words_train");
  CHECK(beside[0].fakes == train->count());  // no more than there are
  CHECK(value_of(beside[0], "listed") == 1);
  CHECK(value_of(beside[0], "unseen") == 0);
  CHECK(beside[4].metric == "words_4gram");
  // So few words are held out that models hardly differ by them: by those that they were fitted to.
  const std::vector<gan::Score> fitted = WordComparison(*train, *train, "tokens").baselines(2000, 0);
  for (size_t n = 2; n <= 4; n++) {
    CHECK(value_of(fitted[n], text("js_", n)) < value_of(fitted[n - 1], text("js_", n)));
    CHECK(value_of(fitted[n], "listed") >= value_of(fitted[n - 1], "listed"));
  }
  CHECK(value_of(fitted[4], "listed") > value_of(fitted[2], "listed"));
  CHECK(comparison.baselines(2000, 0)[3].values == beside[3].values);
  CHECK(comparison.baselines(2000, 1)[3].values != beside[3].values);
}
