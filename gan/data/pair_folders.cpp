// Pairs of pictures in folders, train/ and test/ as in gan/data/folder.cpp:
//
//   pairs:DIR       each picture is two side by side, source on the left and target on the right, as in pix2pix's own
//                   data sets; swap:pairs:DIR reads them the other way round
//   pairs:A:B       sources in A, targets in B, under the same names but for their endings
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/error.h"
#include "gan/data/picture_set.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;
const std::string prefix = "pairs:";

// Columns first ... first + width - 1.
Image columns_of(const Image& image, int64_t first, int64_t width) {
  Image part{image.height, width, image.channels, {}};
  for (int64_t row = 0; row < image.height; row++) {
    const auto begin = image.pixels.begin() + (row * image.width + first) * image.channels;
    part.pixels.insert(part.pixels.end(), begin, begin + width * image.channels);
  }
  return part;
}

// Each half fitted by itself.
Image fit_halves(const Image& image, const DataOptions& options) {
  const int64_t half = image.width / 2;
  check<DataError>(half > 0, "a picture of one pixel's width has no halves");
  const Image left = fit_picture(columns_of(image, 0, half), options),
              right = fit_picture(columns_of(image, image.width - half, half), options);
  Image both{left.height, 2 * left.width, left.channels, {}};
  for (int64_t row = 0; row < left.height; row++)
    for (const Image* each : {&left, &right}) {
      const auto begin = each->pixels.begin() + row * each->width * each->channels;
      both.pixels.insert(both.pixels.end(), begin, begin + each->width * each->channels);
    }
  return both;
}

// What both kinds of pairs are: rows of two pictures of one size.
class PictureFolderPairs : public DataSet {
 public:
  PictureFolderPairs(std::string name, const Shape& source, const Shape& target)
      : name_(std::move(name)), columns_{{.name = "source", .sample = source}, {.name = "target", .sample = target}} {}
  const Columns& columns() const override { return columns_; }
  std::string name() const override { return name_; }

 private:
  std::string name_;
  Columns columns_;
};

class Halves : public PictureFolderPairs {
 public:
  Halves(const std::string& name, const std::shared_ptr<PictureSet>& pictures)
      : PictureFolderPairs(name, half_of(pictures->sample()), half_of(pictures->sample())), pictures_(pictures) {}
  int64_t count() const override { return pictures_->count(); }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const Image both = pictures_->picture_of_size(i);
    const int64_t half = both.width / 2;
    for (size_t k = 0; k < 2; k++)
      if (cells[k] != nullptr)
        to_sample(columns_of(both, static_cast<int64_t>(k) * half, half), static_cast<float*>(cells[k]));
  }
  std::string about() const override { return "pairs side by side: " + pictures_->about(); }
  std::vector<Broken> broken() const override { return pictures_->broken(); }
  std::string hash() const override { return pictures_->hash(); }

 private:
  static Shape half_of(Shape shape) {
    shape.set(1, shape[1] / 2);
    return shape;
  }
  std::shared_ptr<PictureSet> pictures_;
};

class Partners : public PictureFolderPairs {
 public:
  // rows: which picture of either
  Partners(const std::string& name, DataSetPtr sources, DataSetPtr targets,
           std::vector<std::pair<int64_t, int64_t>> rows)
      : PictureFolderPairs(name, sources->sample(), targets->sample()),
        sources_(std::move(sources)),
        targets_(std::move(targets)),
        rows_(std::move(rows)) {}
  int64_t count() const override { return std::ssize(rows_); }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const auto [source, target] = rows_[static_cast<size_t>(i)];
    if (cells[0] != nullptr) sources_->read(source, static_cast<float*>(cells[0]));
    if (cells[1] != nullptr) targets_->read(target, static_cast<float*>(cells[1]));
  }
  std::string about() const override {
    return text(count(), count() == 1 ? " pair; sources: " : " pairs; sources: ", sources_->about(),
                "; targets: ", targets_->about());
  }
  std::vector<Broken> broken() const override {
    std::vector<Broken> all = sources_->broken();
    for (const Broken& file : targets_->broken()) all.push_back(file);
    return all;
  }
  std::string hash() const override { return hash_of({sources_->hash(), targets_->hash()}); }

 private:
  DataSetPtr sources_, targets_;
  std::vector<std::pair<int64_t, int64_t>> rows_;
};

std::string stem_of(const fs::path& file) { return fs::path(file).replace_extension().generic_string(); }

// By stem, the number of each picture. DataError when two differ in their endings alone.
std::map<std::string, int64_t> by_stem(const PictureSet& pictures) {
  std::map<std::string, int64_t> rows;
  for (int64_t i = 0; i < pictures.count(); i++) {
    const fs::path& file = pictures.files()[static_cast<size_t>(i)];
    check<DataError>(rows.emplace(stem_of(file), i).second, "'", pictures.folder().string(),
                     "' has two pictures called ", stem_of(file),
                     ", and a partner has the same name but for its ending");
  }
  return rows;
}

// Stems of what was left out, now or before: what has its partner there is no fault.
std::set<std::string> left_out(const PictureSet& pictures, const DataOptions& options) {
  std::set<std::string> stems;
  for (const DataSet::Broken& file : pictures.broken()) stems.insert(stem_of(file.file));
  for (const std::string& file : options.leave_out) stems.insert(stem_of(file));
  return stems;
}

// DataError that names the first picture of `from` that has no partner in the other folder, and says how many there
// are.
void check_partners(const PictureSet& from, const std::map<std::string, int64_t>& rows,
                    const std::map<std::string, int64_t>& others, const std::set<std::string>& excused,
                    const PictureSet& other) {
  int64_t alone = 0;
  std::string first;
  for (const auto& [stem, row] : rows) {
    if (others.contains(stem) || excused.contains(stem)) continue;
    if (alone++ == 0) first = from.files()[static_cast<size_t>(row)].generic_string();
  }
  check<DataError>(alone == 0, alone, " of ", from.count(), " pictures in '", from.folder().string(),
                   "' have no partner of the same name in '", other.folder().string(), "' (", other.count(),
                   " pictures); the first is ", first);
}

// The two folders of "pairs:A:B", or one and nothing. A folder's name may hold colons: the colon between them has a
// folder on either side.
std::pair<std::string, std::string> folders_in(const std::string& spec) {
  const std::string rest = spec.substr(prefix.size());
  if (is_folder(rest)) return {rest, ""};
  for (size_t colon = rest.find(':'); colon != rest.npos; colon = rest.find(':', colon + 1))
    if (is_folder(rest.substr(0, colon)) && is_folder(rest.substr(colon + 1)))
      return {rest.substr(0, colon), rest.substr(colon + 1)};
  const size_t colon = rest.find(':');  // neither is there: the error names the first that is not
  return {rest.substr(0, colon), colon == rest.npos ? "" : rest.substr(colon + 1)};
}

std::shared_ptr<PictureSet> pictures_in(const std::string& folder, const DataOptions& options, Subset subset,
                                        Fitting fitting = {}) {
  std::string extra;
  const fs::path part = part_of(folder, subset, extra);
  constexpr int64_t channels = 3;
  return std::make_shared<PictureSet>(part, folder, options, channels, extra, fitting);
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  const auto [a, b] = folders_in(spec);
  if (b.empty())
    return std::make_shared<Halves>(spec, pictures_in(a, options, subset, {.fit = fit_halves, .parts = 2}));
  const auto sources = pictures_in(a, options, subset);
  DataOptions same = options;
  same.height = sources->sample()[0], same.width = sources->sample()[1];
  const auto targets = pictures_in(b, same, subset);
  const std::map<std::string, int64_t> of_a = by_stem(*sources), of_b = by_stem(*targets);
  check_partners(*sources, of_a, of_b, left_out(*targets, options), *targets);
  check_partners(*targets, of_b, of_a, left_out(*sources, options), *sources);
  std::vector<std::pair<int64_t, int64_t>> rows;
  for (const auto& [stem, row] : of_a)
    if (const auto partner = of_b.find(stem); partner != of_b.end()) rows.emplace_back(row, partner->second);
  check<DataError>(!rows.empty(), spec, ": no pair is left");
  return std::make_shared<Partners>(spec, sources, targets, std::move(rows));
}

const RegisterDataSource registered{{
    .name = "pairs",
    .help = "pairs:DIR, or pairs:A:B: pictures side by side, or in two folders under the same names",
    .gives = {"source", "target"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = open,
    .map_paths =
        [](const std::string& spec, const DataSource::OnPath& f) {
          const auto [a, b] = folders_in(spec);
          std::string mapped = prefix + f(a);
          if (!b.empty()) mapped += ":" + f(b);
          return mapped;
        },
}};

}  // namespace
}  // namespace forger::gan
