// only:SET/CLASS,CLASS: the rows of a set that are of these classes, which are numbered anew. Words are compared by
// their letters and digits alone, in any case, so that they can be typed without quotes:
//
//   only:fashion-mnist/sandal      only:fashion-mnist/tshirttop,ankle-boot      only:folder:photos/cats,dogs
#include <algorithm>
#include <cctype>
#include <utility>

#include "gan/data/images.h"

namespace forger::gan {
namespace {

const std::string prefix = "only:";

// Rows whose labels go by other numbers.
class Renumbered : public DataSet {
 public:
  // number[old] is the new one
  Renumbered(DataSetPtr rows, std::string name, std::vector<std::string> words, std::vector<int64_t> number)
      : rows_(std::move(rows)), name_(std::move(name)), number_(std::move(number)), columns_(rows_->columns()) {
    for (size_t k = 0; k < columns_.size(); k++) {
      if (columns_[k].name != "label") continue;
      columns_[k].words = std::move(words);
      label_ = k;
    }
  }
  int64_t count() const override { return rows_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    rows_->read_row(i, cells);
    if (auto* label = static_cast<int64_t*>(cells[label_])) *label = number_[static_cast<size_t>(*label)];
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text(count(), " rows ", about_classes(*this), ", of ", rows_->name()); }
  std::vector<Broken> broken() const override { return rows_->broken(); }
  std::string hash() const override { return rows_->hash(); }

 private:
  DataSetPtr rows_;
  std::string name_;
  std::vector<int64_t> number_;
  Columns columns_;
  size_t label_ = 0;
};

std::string letters_of(const std::string& word) {
  std::string letters;
  for (const unsigned char c : word)
    if (std::isalnum(c) || c >= 0x80) letters += static_cast<char>(std::tolower(c));
  return letters;
}

std::string listed(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

// The numbers of the words that are named, ascending. UsageError for one that there is not, or that several might be.
std::vector<int64_t> chosen(const std::string& spec, const std::string& names, const std::vector<std::string>& words) {
  std::vector<int64_t> numbers;
  for (size_t begin = 0; begin <= names.size(); begin = names.find(',', begin) + 1) {
    const std::string name = names.substr(begin, names.find(',', begin) - begin);
    std::vector<int64_t> found;
    for (size_t k = 0; k < words.size(); k++)
      if (words[k] == name || letters_of(words[k]) == letters_of(name)) found.push_back(static_cast<int64_t>(k));
    check<UsageError>(!found.empty(), spec, ": there is no class '", name, "'; there are: ", listed(words));
    check<UsageError>(found.size() == 1, spec, ": '", name, "' may be any of ", found.size(), " classes of ",
                      listed(words));
    numbers.push_back(found.front());
    if (names.find(',', begin) == names.npos) break;
  }
  std::ranges::sort(numbers);
  check<UsageError>(std::ranges::adjacent_find(numbers) == numbers.end(), spec, ": a class is named twice");
  return numbers;
}

// SET and CLASS,CLASS: what stands before and behind the last slash.
std::pair<std::string, std::string> parts_of(const std::string& spec) {
  const size_t slash = spec.rfind('/');
  check<UsageError>(slash != spec.npos && slash > prefix.size() && slash + 1 < spec.size(), "'", spec,
                    "' names no classes: it is like only:fashion-mnist/sandal,bag");
  return {spec.substr(prefix.size(), slash - prefix.size()), spec.substr(slash + 1)};
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [set, names] = parts_of(spec);
  const DataSetPtr data = open_data(set, options, subset);
  check<UsageError>(data->classes() > 0, spec, ": ", set, " has ", names_of(data->columns()), ", and no classes");
  const Column& label = *find_column(data->columns(), "label");
  const std::vector<int64_t> kept = chosen(spec, names, label.words);
  std::vector<int64_t> number(label.words.size(), -1), rows;
  std::vector<std::string> words;
  for (const int64_t old : kept) {
    number[static_cast<size_t>(old)] = std::ssize(words);
    words.push_back(label.words[static_cast<size_t>(old)]);
  }
  for (int64_t i = 0; i < data->count(); i++)
    if (number[static_cast<size_t>(data->label(i))] >= 0) rows.push_back(i);
  check<UsageError>(!rows.empty(), spec, ": ", set, " has no row of ", names);
  return std::make_shared<Renumbered>(rows_of(data, std::move(rows)), spec, std::move(words), std::move(number));
}

const RegisterDataSource registered{{
    .name = "only",
    .help = "only:SET/CLASS,CLASS: the rows of some classes of a set, as only:fashion-mnist/sandal,ankle-boot",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths =
        [](const std::string& spec, const DataSource::OnPath& f) {
          const auto [set, names] = parts_of(spec);
          return prefix + map_paths(set, f) + "/" + names;
        },
}};

}  // namespace
}  // namespace forger::gan
