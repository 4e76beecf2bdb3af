#include "metrics/words.h"

#include <algorithm>
#include <cmath>

#include "core/ops.h"
#include "metrics/extractor.h"

namespace forger::metrics {
namespace {

constexpr size_t longest_gram = 4;
constexpr char32_t begin_mark = 0xffffffff, end_mark = 0xfffffffe;  // numbers of no letter

// What stands before each letter and before the end, and that letter or the mark of the end.
template <class F>
void for_each_gram(const Word& word, size_t n, const F& f) {
  const Word marked = Word(n - 1, begin_mark) + word + end_mark;
  for (size_t i = 0; i + n <= marked.size(); i++) f(marked.substr(i, n - 1), marked[i + n - 1]);
}

using Shares = std::map<Word, double>;

Shares shares_of(const std::vector<Word>& words, size_t n) {
  Shares shares;
  double count = 0;
  for (const Word& word : words)
    for_each_gram(word, n, [&](const Word& before, char32_t next) { shares[before + next]++, count++; });
  for (auto& [gram, share] : shares) share /= count;
  return shares;
}

// Half of KL(p || (p + q)/2).
double half_of(const Shares& p, const Shares& q) {
  double bits = 0;
  for (const auto& [gram, share] : p) {
    const auto other = q.find(gram);
    bits += 0.5 * share * std::log2(2 * share / (share + (other == q.end() ? 0 : other->second)));
  }
  return bits;
}

}  // namespace

std::vector<Word> words_of(const Tensor& tokens) {
  const Tensor here = to(tokens, Device::cpu);
  const int64_t length = here.size(1);
  std::vector<Word> words;
  for (int64_t i = 0; i < here.size(0); i++) {
    const int64_t* row = here.data<int64_t>() + i * length;
    Word word(row, row + length);
    word.resize(word.find_last_not_of(char32_t{0}) + 1);
    words.push_back(std::move(word));
  }
  return words;
}

double ngram_divergence(const std::vector<Word>& a, const std::vector<Word>& b, size_t n) {
  const Shares p = shares_of(a, n), q = shares_of(b, n);
  return half_of(p, q) + half_of(q, p);
}

NgramModel::NgramModel(const std::vector<Word>& words, size_t n) : n_(n) {
  for (const Word& word : words)
    for_each_gram(word, n, [&](const Word& before, char32_t next) { next_[before][next]++; });
}

Word NgramModel::sample(Random& random, size_t longest) const {
  Word marked(n_ - 1, begin_mark);
  while (marked.size() < n_ - 1 + longest) {
    const auto& next = next_.at(marked.substr(marked.size() + 1 - n_));
    uint64_t count = 0;
    for (const auto& [letter, times] : next) count += times;
    uint64_t left = random.below(count);
    auto chosen = next.begin();
    while (left >= chosen->second) left -= (chosen++)->second;
    if (chosen->first == end_mark) break;
    marked += chosen->first;
  }
  return marked.substr(n_ - 1);
}

WordComparison::WordComparison(const gan::DataSet& train, const gan::DataSet& held_out, const std::string& column)
    : longest_(static_cast<size_t>(gan::find_column(train.columns(), column)->sample.numel())),
      train_(words_of(gan::read_rows(train, 0, train.count(), {column})[column])),
      held_out_(words_of(gan::read_rows(held_out, 0, held_out.count(), {column})[column])),
      known_(train_.begin(), train_.end()),
      new_(held_out_.begin(), held_out_.end()) {
  std::erase_if(new_, [&](const Word& word) { return known_.contains(word); });
}

gan::Score WordComparison::score(const std::vector<Word>& made) const {
  gan::Score score{.metric = "words", .reals = std::ssize(held_out_), .fakes = std::ssize(made), .split = "test"};
  for (size_t n = longest_gram; n > 0; n--)
    score.values.emplace_back(text("js_", n), ngram_divergence(made, held_out_, n));
  const auto count = static_cast<double>(made.size());
  const auto share_in = [&](const std::set<Word>& those) {
    const auto is_there = [&](const Word& word) { return those.contains(word); };
    return static_cast<double>(std::ranges::count_if(made, is_there)) / count;
  };
  const double unseen = share_in(new_);
  score.values.emplace_back("listed", share_in(known_) + unseen);
  score.values.emplace_back("unseen", unseen);
  score.values.emplace_back("distinct", static_cast<double>(std::set<Word>(made.begin(), made.end()).size()) / count);
  score.remark = "n-grams' divergence from held-out words, in bits; shares of samples";
  return score;
}

std::vector<gan::Score> WordComparison::baselines(int64_t count, uint64_t seed) const {
  std::vector<gan::Score> scores;
  const auto add = [&](const std::string& name, const std::vector<Word>& made, const std::string& remark) {
    scores.push_back(score(made));
    scores.back().metric += "_" + name;
    scores.back().remark = remark;
  };
  Random random(seed, judged_stream);
  std::vector<Word> some = train_;
  for (size_t i = 0; i + 1 < some.size(); i++) std::swap(some[i], some[i + random.below(some.size() - i)]);
  some.resize(std::min(some.size(), static_cast<size_t>(count)));
  add("train", some, "training words: the floor");
  for (size_t n = 1; n <= longest_gram; n++) {
    const NgramModel model(train_, n);
    std::vector<Word> made;
    for (int64_t i = 0; i < count; i++) made.push_back(model.sample(random, longest_));
    add(text(n, "gram"), made, text("words that a model of the training words' ", n, "-grams makes"));
  }
  return scores;
}

}  // namespace forger::metrics
