// Domains that stand side by side without belonging together, each drawn in an order of its own:
//
//   unpaired:SET:SET     the images of two sets: shoes and bags, two folders
//   unpaired:PAIRS       the sources of one half of the rows of a set of pairs and the targets of the other half:
//                        nothing in training is known to belong together, and on the rows that are held out the truth
//                        is known
//   unpaired:SET         the classes of a set of images, each a domain a, b, c, ...: kinds of garments, folders within
//                        a folder, or with domains:NAME,NAME,...:SET what transforms make, where the truth is known
#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/random.h"
#include "gan/data/side_by_side.h"

namespace forger::gan {
namespace {

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

DataSetPtr halves_apart(const std::string& spec, const DataSetPtr& pairs, Subset subset) {
  if (subset == Subset::test) {
    return renamed(spec, pairs,
                   {{"a.image", "source"},
                    {"a.label", "label"},
                    {"a.truth", "target"},
                    {"b.image", "target"},
                    {"b.label", "label"},
                    {"b.truth", "source"}});
  }
  check<UsageError>(pairs->count() >= 2, "unpaired: ", pairs->name(), " has one row, and two halves are made of it");
  const auto domain = [&](const char* column, int64_t first) {
    return rows_of(images_of(pairs, column), half(pairs->count(), first));
  };
  return side_by_side(spec, {domain("source", 0), domain("target", 1)});
}

// Where a row is known in all classes, its truth in b is "truth.b"; of two domains that of a.image is "a.truth", too.
DataSetPtr classes_apart(const std::string& spec, const DataSetPtr& set) {
  const auto classes = static_cast<size_t>(set->classes());
  constexpr size_t letters = 26;
  check<UsageError>(classes <= letters, "unpaired: ", set->name(), " has ", classes,
                    " classes; up to 26 can be domains (only:SET/CLASS,CLASS takes some)");
  if (const std::string first = "truth." + set->class_name(0); find_column(set->columns(), first) != nullptr) {
    Names names;
    const auto truth = [&](size_t c) { return "truth." + set->class_name(static_cast<int64_t>(c)); };
    for (size_t c = 0; c < classes; c++) {
      names.emplace_back(domain_name(c) + ".image", truth(c));
      names.emplace_back("truth." + domain_name(c), truth(c));
      if (classes == 2) names.emplace_back(domain_name(c) + ".truth", truth(1 - c));
    }
    return renamed(spec, set, names);
  }
  std::vector<std::vector<int64_t>> rows(classes);
  for (int64_t i = 0; i < set->count(); i++) rows[static_cast<size_t>(set->label(i))].push_back(i);
  std::vector<DataSetPtr> domains;
  for (size_t c = 0; c < classes; c++) {
    check<UsageError>(!rows[c].empty(), "unpaired: ", set->name(), " has no row of ",
                      set->class_name(static_cast<int64_t>(c)));
    domains.push_back(rows_of(images_of(set, "image"), rows[c]));
  }
  return side_by_side(spec, std::move(domains));
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [a, b] = sets_in(spec);
  if (!b.empty()) return side_by_side(spec, {images_in(a, options, subset), images_in(b, options, subset)});
  const DataSetPtr data = open_data(a, options, subset);
  const auto has = [&](const char* column) { return find_column(data->columns(), column) != nullptr; };
  if (has("source") && has("target")) return halves_apart(spec, data, subset);
  check<UsageError>(has("image") && data->classes() >= 2, "unpaired: ", a, " has ", names_of(data->columns()),
                    "; unpaired takes two sets of images (unpaired:SET:SET), one of pairs (unpaired:negative:SET), or "
                    "one with classes, each of which is a domain");
  return classes_apart(spec, data);
}

std::string map_sets(const std::string& spec, const DataSource::OnPath& f) {
  const auto [a, b] = sets_in(spec);
  std::string mapped = prefix + map_paths(a, f);  // a's paths before b's
  if (!b.empty()) mapped += ":" + map_paths(b, f);
  return mapped;
}

const RegisterDataSource registered{{
    .name = "unpaired",
    .help =
        "unpaired:SET:SET, unpaired:PAIRS, or unpaired:SET with classes: domains, each drawn in an order of its own",
    .gives = {"a.image", "b.image", "a.label", "b.label"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths = map_sets,
}};

}  // namespace
}  // namespace forger::gan
