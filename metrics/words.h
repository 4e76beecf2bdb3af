// How near made words come to those of a list (gan/words.h), by their n-grams, and by whether the list has them.
//
// An n-gram ends at each letter of a word and at its end, "." here, and has the n - 1 before it; what would stand before
// the first letter is a mark of its own: of "cat", n = 3, they are ^^c ^ca cat at. That is what an n-gram model knows.
// Two sets of words, whose n-grams have the shares p and q, are as far apart as
//
//   JS(p, q) = (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2, in bits: 0 for equal ones, 1 where none is in both
//
// (Jensen-Shannon divergence, as Gulrajani et al. 2017, arXiv:1704.00028, table 4 judge characters by.) Few words are
// some way from all others of their kind: training words stand beside as the floor.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "gan/data.h"
#include "gan/score.h"

namespace forger::metrics {

using Word = std::u32string;  // numbers of letters, without the blanks behind it

// The rows of i64 (N, L), which may lie anywhere.
std::vector<Word> words_of(const Tensor& tokens);

double ngram_divergence(const std::vector<Word>& a, const std::vector<Word>& b, size_t n);  // in bits

// After n - 1 letters each next one, or the end, as often as it comes there in the words that it is fitted to.
class NgramModel {
 public:
  NgramModel(const std::vector<Word>& words, size_t n);
  Word sample(Random& random, size_t longest) const;  // cut off where it does not end before

 private:
  size_t n_;
  std::map<Word, std::map<char32_t, uint64_t>> next_;  // how often, by what stands before
};

class WordComparison {
 public:
  // The sequences of one column of a set's two subsets.
  WordComparison(const gan::DataSet& train, const gan::DataSet& held_out, const std::string& column);

  // "words" of what was made: js_4 ... js_1, the divergences to the held-out words of n-grams; listed, the share of
  // words that either subset has; unseen, that which only the held-out one has; distinct, that of different ones.
  gan::Score score(const std::vector<Word>& made) const;
  // The same of `count` training words, "words_train", at most as many as there are, and of as many that n-gram models
  // of them make, "words_1gram" ... "words_4gram".
  std::vector<gan::Score> baselines(int64_t count, uint64_t seed) const;

 private:
  size_t longest_;
  std::vector<Word> train_, held_out_;
  std::set<Word> known_, new_;  // in the training words; in the held-out ones alone
};

}  // namespace forger::metrics
