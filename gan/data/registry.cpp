// The list of sources, filled while the program starts by the files beside this one, and what holds for all of them.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

constexpr std::string_view separator = "//";  // of the files in data_left_out: no path has an empty part

std::vector<DataSource>& registry() {
  static std::vector<DataSource> sources;  // built by whoever registers first: files start in no fixed order
  return sources;
}

std::string all_names() {
  std::string names;
  for (const DataSource& source : registry()) names += (names.empty() ? "" : ", ") + source.name;
  return names;
}

}  // namespace

void DataSet::read(int64_t i, float* out) const {
  std::vector<void*> cells(columns().size());
  cells[0] = out;
  read_row(i, cells);
}

int64_t DataSet::classes() const {
  const Column* label = find_column(columns(), "label");
  return label == nullptr ? 0 : std::ssize(label->words);
}

int64_t DataSet::label(int64_t i) const {
  const Column* column = find_column(columns(), "label");
  if (column == nullptr) return 0;
  int64_t label = 0;
  std::vector<void*> cells(columns().size());
  cells[static_cast<size_t>(column - columns().data())] = &label;
  read_row(i, cells);
  return label;
}

const std::string& DataSet::class_name(int64_t c) const {
  const Column* label = find_column(columns(), "label");
  check<Error>(label != nullptr, name(), " has no classes");
  return label->words.at(static_cast<size_t>(c));
}

RegisterDataSource::RegisterDataSource(DataSource source) {
  auto& sources = registry();
  const auto before = [](const DataSource& a, const DataSource& b) { return a.name < b.name; };
  sources.insert(std::upper_bound(sources.begin(), sources.end(), source, before), std::move(source));
}

const std::vector<DataSource>& data_sources() { return registry(); }

namespace {

const DataSource& source_of(const std::string& spec) {
  const auto& sources = registry();
  const auto source = std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.accepts(spec); });
  check<UsageError>(source != sources.end(), "data '", spec,
                    "' is neither a folder nor a data set; there are: ", all_names());
  return *source;
}

// 64x96, or 64 for both.
bool read_sides(const std::string& size, int64_t& height, int64_t& width) {
  const size_t by = size.find('x');
  if (!read_number(size.substr(0, by), height)) return false;
  if (by == size.npos) width = height;
  constexpr int64_t most = 1024;
  if (by != size.npos && !read_number(size.substr(by + 1), width)) return false;
  const bool as_they_are = height == 0 && width == 0;
  return as_they_are || (height > 0 && width > 0 && height <= most && width <= most);
}

Fit find_fit(const std::string& name) {
  if (name == "crop") return Fit::crop;
  if (name == "pad") return Fit::pad;
  check<UsageError>(name == "stretch", "--fit '", name, "' is not known; there are: crop, pad, stretch");
  return Fit::stretch;
}

}  // namespace

DataSetPtr open_data(const std::string& spec, const DataOptions& options, Subset subset) {
  check<UsageError>(options.height >= 0 && options.width >= 0, "the size of images cannot be ", options.height, 'x',
                    options.width);
  return source_of(spec).open(spec, options, subset);
}

std::string map_paths(const std::string& spec, const DataSource::OnPath& f) {
  const DataSource& source = source_of(spec);
  return source.map_paths ? source.map_paths(spec, f) : spec;
}

bool is_data_name(const std::string& word) {
  const auto& sources = registry();
  return std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return source.name == word; });
}

std::string absolute_spec(const std::string& spec) {
  return map_paths(spec,
                   [](const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); });
}

std::vector<std::string> paths_in(const std::string& spec) {
  std::vector<std::string> paths;
  map_paths(spec, [&](const std::string& path) {
    paths.push_back(path);
    return path;
  });
  return paths;
}

std::string prefixed_path(const std::string& spec, const DataSource::OnPath& f) {
  const size_t path = spec.find(':') + 1;  // 0 where the spec is nothing but a path
  return path == spec.size() ? spec : spec.substr(0, path) + f(spec.substr(path));
}

void require_same_words(const DataSet& train, const DataSet& held_out, const std::vector<std::string>& columns) {
  for (const std::string& name : columns) {
    const Column *known = find_column(train.columns(), name), *tested = find_column(held_out.columns(), name);
    if (known == nullptr) continue;
    check<DataError>(tested != nullptr, "the held-out rows of ", train.name(), " have no ", name, ", but ",
                     names_of(held_out.columns()));
    if (known->words == tested->words && known->sample == tested->sample) continue;
    const auto odd = std::ranges::find_if(tested->words, [&](const std::string& word) {
      return std::ranges::find(known->words, word) == known->words.end();
    });
    const std::string such = odd == tested->words.end() ? "" : text(", such as '", *odd, "'");
    throw DataError(text("the ", name, " of the held-out rows of ", train.name(),
                         " knows other words than that of the ", "training rows", such,
                         ": both need the same classes"));
  }
}

DataOptions data_options(const Settings& settings) {
  DataOptions options;
  const std::string& size = settings.text("size");
  check<UsageError>(read_sides(size, options.height, options.width), "--size must be like 64, or 64x96 (height and ",
                    "width), of at most 1024 pixels, or 0 (as they are); got '", size, "'");
  options.fit = find_fit(settings.text("fit"));
  if (!settings.has("data_left_out")) return options;
  std::string files = settings.text("data_left_out");
  for (size_t end; !files.empty(); files.erase(0, end == files.npos ? end : end + separator.size())) {
    end = files.find(separator);
    options.leave_out.push_back(files.substr(0, end));
  }
  return options;
}

}  // namespace forger::gan
