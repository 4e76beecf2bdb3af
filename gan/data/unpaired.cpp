// Two domains that stand side by side without belonging together, each drawn in an order of its own:
//
//   unpaired:SET:SET     the images of two sets: shoes and bags, two folders
//   unpaired:PAIRS       the sources of one half of the rows of a set of pairs and the targets of the other half:
//                        nothing in training is known to belong together, and on the rows that are held out the truth
//                        is known
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <tuple>
#include <utility>

#include "core/random.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

// Columns of two sets under "a." and "b.". Row i is a row of each.
class SideBySide : public DataSet {
 public:
  SideBySide(std::string name, DataSetPtr a, DataSetPtr b)
      : name_(std::move(name)), a_(std::move(a)), b_(std::move(b)) {
    for (const auto& [prefix, data] : {std::pair("a.", a_), std::pair("b.", b_)}) {
      for (Column column : data->columns()) {
        column.name = prefix + column.name;
        columns_.push_back(column);
      }
    }
  }
  int64_t count() const override { return std::min(a_->count(), b_->count()); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const size_t of_a = a_->columns().size();
    a_->read_row(i % a_->count(), cells.first(of_a));
    b_->read_row(i % b_->count(), cells.subspan(of_a));
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text("a: ", a_->about(), "; b: ", b_->about()); }
  std::vector<Broken> broken() const override {
    std::vector<Broken> all = a_->broken();
    for (const Broken& file : b_->broken()) all.push_back(file);
    return all;
  }
  std::string hash() const override {
    Fnv fnv;
    fnv.add(a_->hash());
    fnv.add(b_->hash());
    return fnv.hex();
  }
  std::vector<Domain> domains() const override { return {{"a", a_}, {"b", b_}}; }

 private:
  std::string name_;
  DataSetPtr a_, b_;
  Columns columns_;
};

// Held-out pairs as two domains in which row i is one pair, and the other half of it the truth.
class KnownPairs : public DataSet {
 public:
  explicit KnownPairs(std::string name, DataSetPtr pairs) : name_(std::move(name)), pairs_(std::move(pairs)) {
    const Column &source = *find_column(pairs_->columns(), "source"),
                 &target = *find_column(pairs_->columns(), "target");
    const Column* label = find_column(pairs_->columns(), "label");
    for (const auto& [domain, image, truth] : {std::tuple("a.", source, target), std::tuple("b.", target, source)}) {
      columns_.push_back(renamed(image, domain, "image"));
      if (label != nullptr) columns_.push_back(renamed(*label, domain, "label"));
      columns_.push_back(renamed(truth, domain, "truth"));
    }
  }
  int64_t count() const override { return pairs_->count(); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const auto wanted = [&](const char* name) { return cells[find_column(columns_, name) - columns_.data()]; };
    std::vector<void*> from;
    std::vector<std::pair<void*, size_t>> again;  // what else wants the same, and how large it is
    for (const Column& column : pairs_->columns()) {
      const bool source = column.name == "source", target = column.name == "target", label = column.name == "label";
      void *first = nullptr, *second = nullptr;
      if (source) first = wanted("a.image"), second = wanted("b.truth");
      if (target) first = wanted("b.image"), second = wanted("a.truth");
      if (label) first = wanted("a.label"), second = wanted("b.label");
      if (first == nullptr) std::swap(first, second);
      from.push_back(first);
      again.emplace_back(second, static_cast<size_t>(column.sample.numel()) * size_of(column.dtype));
    }
    pairs_->read_row(i, from);
    for (size_t k = 0; k < from.size(); k++)
      if (again[k].first != nullptr) std::memcpy(again[k].first, from[k], again[k].second);
  }
  std::string name() const override { return name_; }
  std::string about() const override { return text("as domains a and b: ", pairs_->about()); }
  std::vector<Broken> broken() const override { return pairs_->broken(); }
  std::string hash() const override { return pairs_->hash(); }

 private:
  static Column renamed(Column column, const std::string& domain, const std::string& name) {
    column.name = domain + name;
    return column;
  }
  std::string name_;
  DataSetPtr pairs_;
  Columns columns_;
};

// ---- the spec -------------------------------------------------------------------------------------------------------

const std::string prefix = "unpaired:";

// Whether it is the spec of a set as far as can be seen without opening it: of a known source, and its paths are there.
bool is_likely(const std::string& spec) {
  try {
    for (const std::string& path : paths_in(spec))
      if (std::error_code error; !std::filesystem::exists(path, error)) return false;
    return true;
  } catch (const UsageError&) {
    return false;
  }
}

// SET and SET, or PAIRS and nothing. A set's own spec may hold colons: the colon between them is one with a set on
// either side.
std::pair<std::string, std::string> sets_in(const std::string& spec) {
  const std::string rest = spec.substr(prefix.size());
  for (size_t colon = rest.find(':'); colon != rest.npos; colon = rest.find(':', colon + 1))
    if (is_likely(rest.substr(0, colon)) && is_likely(rest.substr(colon + 1)))
      return {rest.substr(0, colon), rest.substr(colon + 1)};
  return {rest, ""};
}

DataSetPtr images_in(const std::string& spec, const DataOptions& options, Subset subset) {
  const DataSetPtr data = open_data(spec, options, subset);
  check<UsageError>(find_column(data->columns(), "image") != nullptr, "unpaired: ", spec, " has ",
                    names_of(data->columns()), ", and a domain is made of images");
  return images_of(data, "image");
}

// Every other row of a fixed shuffle, in the set's order: from the first one on, or from the second.
std::vector<int64_t> half(int64_t count, int64_t first) {
  constexpr uint64_t seed = 0, stream = 0x68616c66;
  const std::vector<int64_t> shuffled = Random(seed, stream).permutation(count);
  std::vector<int64_t> rows;
  for (int64_t i = first; i < count; i += 2) rows.push_back(shuffled[static_cast<size_t>(i)]);
  std::ranges::sort(rows);
  return rows;
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [a, b] = sets_in(spec);
  if (!b.empty())
    return std::make_shared<SideBySide>(spec, images_in(a, options, subset), images_in(b, options, subset));
  const DataSetPtr pairs = open_data(a, options, subset);
  const bool paired = find_column(pairs->columns(), "source") != nullptr && find_column(pairs->columns(), "target");
  check<UsageError>(paired, "unpaired: ", a, " has ", names_of(pairs->columns()),
                    "; unpaired takes two sets of images (unpaired:SET:SET) or one of pairs (unpaired:negative:SET)");
  if (subset == Subset::test) return std::make_shared<KnownPairs>(spec, pairs);
  check<UsageError>(pairs->count() >= 2, "unpaired: ", a, " has one row, and two halves are made of it");
  const auto domain = [&](const char* column, int64_t first) {
    return rows_of(images_of(pairs, column), half(pairs->count(), first));
  };
  return std::make_shared<SideBySide>(spec, domain("source", 0), domain("target", 1));
}

std::string map_sets(const std::string& spec, const DataSource::OnPath& f) {
  const auto [a, b] = sets_in(spec);
  std::string mapped = prefix + map_paths(a, f);  // a's paths before b's
  if (!b.empty()) mapped += ":" + map_paths(b, f);
  return mapped;
}

const RegisterDataSource registered{{
    .name = "unpaired",
    .help = "unpaired:SET:SET, or unpaired:PAIRS: two domains, each drawn in an order of its own",
    .gives = {"a.image", "b.image", "a.label", "b.label"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths = map_sets,
}};

}  // namespace
}  // namespace forger::gan
