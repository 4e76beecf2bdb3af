// The list of sources, filled while the program starts by the files beside this one, and what holds for all of them.
#include <algorithm>
#include <utility>

#include "core/error.h"
#include "gan/data.h"

namespace forger::gan {
namespace {

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

RegisterDataSource::RegisterDataSource(DataSource source) {
  auto& sources = registry();
  const auto before = [](const DataSource& a, const DataSource& b) { return a.name < b.name; };
  sources.insert(std::upper_bound(sources.begin(), sources.end(), source, before), std::move(source));
}

const std::vector<DataSource>& data_sources() { return registry(); }

DataSetPtr open_data(const std::string& spec, int64_t size, Subset subset) {
  check<UsageError>(size >= 0, "the size of images cannot be ", size);
  const auto& sources = registry();
  const auto source = std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.accepts(spec); });
  check<UsageError>(source != sources.end(), "data '", spec,
                    "' is neither a folder nor a data set; there are: ", all_names());
  return source->open(spec, size, subset);
}

}  // namespace forger::gan
