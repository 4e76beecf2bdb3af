// Words as sequences of letters (gan/words.h): column tokens, i64 (L).
//
//   words         those of 3 to 10 letters a to z of the system's list (Debian: wamerican), each once; L = 10. The list
//                 is looked for in the folder FORGER_DATA first, then in /usr/share/dict
//   words:FILE    a word, or a short line, on each line of a file in UTF-8, as often as it stands there; L letters as
//                 the longest that is taken, of at most 32. A blank within a line is the one that fills it
//
// The letters are those of all words. One word in ten is held out; which ones is a function of the word alone, so that
// none is in both subsets.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "core/file.h"
#include "core/random.h"
#include "gan/data/images.h"
#include "gan/words.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

const std::string listed = "words";
constexpr size_t shortest = 3, longest = 10;             // letters of the system's words
constexpr size_t longest_line = 32, most_letters = 256;  // of a file: characters; different ones
const std::string blank = " ", blanks = " \t\r";         // what ends and begins a line is no part of it

std::string system_list() {
  const char* elsewhere = std::getenv("FORGER_DATA");
  for (const fs::path folder : {elsewhere == nullptr ? "" : elsewhere, "/usr/share/dict"})
    for (const char* file : {"american-english", "words"}) {
      std::error_code unreadable;
      if (!folder.empty() && fs::exists(folder / file, unreadable)) return folder / file;
    }
  throw DataError("words: no list of words in /usr/share/dict; install it with: apt-get install wamerican");
}

bool is_held_out(const std::string& word) {
  Fnv fnv;
  fnv.add(word);
  const uint64_t hash = std::stoull(fnv.hex(), nullptr, 16);
  return philox({static_cast<uint32_t>(hash), static_cast<uint32_t>(hash >> 32), 0, 0}, {0x776f7264, 0x73})[0] % 10 ==
         0;
}

using Letters = std::vector<std::string>;

bool is_plain(const Letters& word) {
  return word.size() >= shortest && word.size() <= longest && std::ranges::all_of(word, [](const std::string& letter) {
           return letter.size() == 1 && letter.front() >= 'a' && letter.front() <= 'z';
         });
}

class Words : public DataSet {
 public:
  Words(std::string spec, const std::string& path, Subset subset) : spec_(std::move(spec)) {
    const bool plain_only = spec_ == listed;
    const std::vector<Letters> all = plain_only ? plain(path) : lines(path);
    std::set<std::string> alphabet;
    for (const Letters& word : all) alphabet.insert(word.begin(), word.end());
    alphabet.erase(blank);
    check<DataError>(alphabet.size() <= most_letters, spec_, ": '", path, "' has ", alphabet.size(),
                     " different characters; a sequence may be of at most ", most_letters);
    Column column{.name = "tokens", .dtype = DType::i64, .words = {blank}};
    column.words.insert(column.words.end(), alphabet.begin(), alphabet.end());
    least_ = longest_line;
    for (const Letters& word : all) least_ = std::min(least_, word.size()), most_ = std::max(most_, word.size());
    column.sample = {static_cast<int64_t>(plain_only ? longest : most_)};
    columns_ = {column};

    int64_t held_out = 0;
    for (const Letters& word : all) {
      std::string text;
      for (const std::string& letter : word) text += letter;
      const bool out = is_held_out(text);
      held_out += out;
      if (out != (subset == Subset::test)) continue;
      contents_.add(text);
      std::vector<int64_t> row(static_cast<size_t>(column.sample[0]), 0);
      std::ranges::transform(word, row.begin(), [&](const std::string& letter) {
        return letter == blank ? 0
                               : std::ranges::lower_bound(column.words.begin() + 1, column.words.end(), letter) -
                                     column.words.begin();
      });
      tokens_.insert(tokens_.end(), row.begin(), row.end());
    }
    check<DataError>(held_out > 0 && held_out < std::ssize(all), spec_, ": of the ", all.size(), " words in '", path,
                     "' ", held_out == 0 ? "none" : "all",
                     " would be held out, of which one in ten is: a list of more "
                     "words has some of either");
  }

  int64_t count() const override { return std::ssize(tokens_) / sample()[0]; }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const int64_t length = sample()[0];
    if (cells[0] != nullptr)
      std::copy_n(&tokens_[static_cast<size_t>(i * length)], length, static_cast<int64_t*>(cells[0]));
  }
  std::string name() const override { return spec_; }
  std::string about() const override {
    std::string line =
        text(count(), " words of ", least_, " to ", most_, " letters out of ", columns_[0].words.size() - 1);
    std::string out;
    for (const auto& [count, what] :
         {std::pair{too_long_, text(" of more than ", longest_line, " characters")},
          {not_text_, " that are no UTF-8 or have control characters"},
          {not_plain_, text(" that are not ", shortest, " to ", longest, " letters a to z")}})
      if (count > 0) out += text(out.empty() ? "; left out: " : ", ", count, what);
    return line + out;
  }
  std::string hash() const override { return contents_.hex(); }

 private:
  std::vector<Letters> plain(const std::string& path) {
    std::vector<Letters> all = lines(path);
    not_plain_ = too_long_ + not_text_ +
                 static_cast<int64_t>(std::erase_if(all, [](const Letters& word) { return !is_plain(word); }));
    too_long_ = not_text_ = 0;
    check<DataError>(!all.empty(), spec_, ": '", path, "' has no word of ", shortest, " to ", longest,
                     " letters a to z");
    return all;
  }

  std::vector<Letters> lines(const std::string& path) {
    std::istringstream in(read_file(path));
    std::vector<Letters> all;
    for (std::string line; std::getline(in, line);) {
      const size_t first = line.find_first_not_of(blanks);
      if (first == line.npos) continue;
      Letters letters = letters_of(line.substr(first, line.find_last_not_of(blanks) + 1 - first));
      not_text_ += letters.empty();
      too_long_ += letters.size() > longest_line;
      if (!letters.empty() && letters.size() <= longest_line) all.push_back(std::move(letters));
    }
    check<DataError>(!all.empty(), spec_, ": '", path, "' has no line of 1 to ", longest_line, " characters of UTF-8");
    return all;
  }

  std::string spec_;
  int64_t not_plain_ = 0, too_long_ = 0, not_text_ = 0;
  size_t least_ = 0, most_ = 0;
  Columns columns_;
  std::vector<int64_t> tokens_;  // (count, L)
  Fnv contents_;
};

const std::string prefix = listed + ":";

const RegisterDataSource registered{{
    .name = listed,
    .help = "words, words:FILE: words as sequences of letters, of the system's list (wamerican), or one a line",
    .gives = {"tokens"},
    .accepts = [](const std::string& spec) { return spec == listed || spec.starts_with(prefix); },
    .open = [](const std::string& spec, const DataOptions&, Subset subset) -> DataSetPtr {
      const std::string path = spec == listed ? system_list() : spec.substr(prefix.size());
      check<UsageError>(!path.empty(), "'", spec,
                        "' is to name a file, as words:names.txt; words alone is the system's list");
      return std::make_shared<Words>(spec, path, subset);
    },
    .map_paths = [](const std::string& spec,
                    const DataSource::OnPath& f) { return spec == listed ? spec : prefixed_path(spec, f); },
}};

}  // namespace
}  // namespace forger::gan
