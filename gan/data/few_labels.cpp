// few-labels:COUNT:SET  a set of images with classes of which few are known: COUNT labelled rows, as many of each class,
// the first of each, as domain a, and all images without their labels as domain b, each drawn in an order of its own.
// Of held-out rows the class is known in both.
#include <utility>

#include "gan/data/side_by_side.h"

namespace forger::gan {
namespace {

const std::string prefix = "few-labels:";

struct Parts {
  int64_t count;
  std::string set;
};
Parts parts_of(const std::string& spec) {
  const size_t colon = std::min(spec.find(':', prefix.size()), spec.size());
  Parts parts{0, spec.substr(std::min(colon + 1, spec.size()))};
  const bool number = read_number(spec.substr(prefix.size(), colon - prefix.size()), parts.count);
  check<UsageError>(number && parts.count > 0 && !parts.set.empty(), "'", spec,
                    "' is to say how many labels are known of a set, as few-labels:100:fashion-mnist");
  return parts;
}

// The first rows of each class, `count` in all, in the set's order.
std::vector<int64_t> first_of_each(const std::string& spec, const DataSet& data, int64_t count) {
  const int64_t classes = data.classes();
  check<UsageError>(count % classes == 0, spec, ": ", count, " labels of ", classes,
                    " classes: as many of each are known, so take a multiple of ", classes);
  std::vector<int64_t> left(static_cast<size_t>(classes), count / classes), rows;
  for (int64_t i = 0; i < data.count() && std::ssize(rows) < count; i++)
    if (left[static_cast<size_t>(data.label(i))]-- > 0) rows.push_back(i);
  for (size_t c = 0; c < left.size(); c++)
    check<UsageError>(left[c] <= 0, spec, ": ", data.name(), " has but ", count / classes - left[c], " rows of ",
                      data.class_name(static_cast<int64_t>(c)), ", not ", count / classes);
  return rows;
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [count, set] = parts_of(spec);
  const DataSetPtr data = open_data(set, options, subset);
  check<UsageError>(find_column(data->columns(), "image") != nullptr && data->classes() > 0, spec, ": ", set, " has ",
                    names_of(data->columns()), ", and few labels are kept of images with classes");
  if (subset == Subset::test)
    return renamed(spec, data,
                   {{"a.image", "image"}, {"a.label", "label"}, {"b.image", "image"}, {"b.label", "label"}});
  return side_by_side(
      spec, {rows_of(renamed(set, data, {{"image", "image"}, {"label", "label"}}), first_of_each(spec, *data, count)),
             renamed(set, data, {{"image", "image"}})});
}

const RegisterDataSource registered{{
    .name = "few-labels",
    .help = "few-labels:COUNT:SET: domain a, so many labelled rows of a set; domain b, all its images without labels",
    .gives = {"a.image", "a.label", "b.image"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths =
        [](const std::string& spec, const DataSource::OnPath& f) {
          const auto [count, set] = parts_of(spec);
          return text(prefix, count, ":", map_paths(set, f));
        },
}};

}  // namespace
}  // namespace forger::gan
