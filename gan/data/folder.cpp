// A folder of PNG and JPEG pictures, searched with all its sub-folders, in the order of their names.
//
//   DIR/cats/a.png DIR/cats/b.jpg DIR/dogs/c.png     two classes, "cats" and "dogs"
//   DIR/train/... DIR/test/...                        if both are there: the subsets; otherwise both subsets are
//   everything
//
// A picture is cut to its middle square and resized to the side asked for (0: the side of the first picture). It is
// decoded when it is first read and then kept, as 8-bit pixels of that side, if the whole set fits into 1 GiB.
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>

#include "core/error.h"
#include "gan/data/images.h"
#include "gan/picture_file.h"

namespace forger::gan {
namespace {
namespace fs = std::filesystem;

// Paths relative to the folder.
std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const std::string& file : picture_files(folder.string()))
    files.push_back(fs::path(file).lexically_relative(folder));
  return files;
}

class Folder : public DataSet {
 public:
  Folder(fs::path folder, std::string name, int64_t size, int64_t channels)
      : folder_(std::move(folder)), name_(std::move(name)), channels_(channels), files_(pictures_in(folder_)) {
    check<DataError>(!files_.empty(), "no PNG or JPEG image in '", folder_.string(), "'");
    find_classes();
    side_ = size > 0 ? size : centre_crop(picture(0)).height;
    if (count() * sample().numel() <= cache_limit) cache_.resize(files_.size());
  }

  int64_t count() const override { return std::ssize(files_); }
  Shape sample() const override { return {side_, side_, channels_}; }
  void read(int64_t i, float* out) const override { to_sample(cached(static_cast<size_t>(i)), out); }
  int64_t classes() const override { return std::ssize(classes_); }
  int64_t label(int64_t i) const override { return classes_.empty() ? 0 : labels_[static_cast<size_t>(i)]; }
  std::string class_name(int64_t c) const override { return classes_.at(static_cast<size_t>(c)); }
  std::string name() const override { return name_; }
  std::string hash() const override {
    Fnv fnv;
    for (const fs::path& file : files_) {
      std::error_code gone;
      fnv.add(file.generic_string());
      fnv.add(static_cast<int64_t>(fs::file_size(folder_ / file, gone)));
    }
    return fnv.hex();
  }

 private:
  static constexpr int64_t cache_limit = int64_t{1} << 30;

  // The immediate sub-folders are the classes when every picture lies in one and there are several.
  void find_classes() {
    std::set<std::string> names;
    for (const fs::path& file : files_) {
      if (!file.has_parent_path()) return;
      names.insert(file.begin()->string());
    }
    if (names.size() < 2) return;
    classes_.assign(names.begin(), names.end());
    for (const fs::path& file : files_)
      labels_.push_back(std::lower_bound(classes_.begin(), classes_.end(), file.begin()->string()) - classes_.begin());
  }

  Image picture(size_t i) const { return read_image((folder_ / files_[i]).string(), static_cast<int>(channels_)); }

  Image cached(size_t i) const {
    if (!cache_.empty()) {
      const std::lock_guard lock(mutex_);
      if (!cache_[i].empty()) return {side_, side_, channels_, cache_[i]};
    }
    Image image = resize(centre_crop(picture(i)), side_, side_);
    if (!cache_.empty()) {
      const std::lock_guard lock(mutex_);
      cache_[i] = image.pixels;
    }
    return image;
  }

  fs::path folder_;
  std::string name_;
  int64_t channels_, side_ = 0;
  std::vector<fs::path> files_;
  std::vector<std::string> classes_;
  std::vector<int64_t> labels_;
  mutable std::mutex mutex_;
  mutable std::vector<std::vector<uint8_t>> cache_;  // by picture; no entries when the set is too large
};

bool is_folder(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_directory(path, unreadable);
}

DataSetPtr open(const std::string& spec, const fs::path& folder, int64_t size, Subset subset, int64_t channels) {
  check<DataError>(is_folder(folder), "no folder '", folder.string(), "'");
  const bool split = is_folder(folder / "train") && is_folder(folder / "test");
  return std::make_shared<Folder>(split ? folder / (subset == Subset::train ? "train" : "test") : folder, spec, size,
                                  channels);
}

// "folder:DIR", or the path of a folder that is not the name of another data set.
bool accepts(const std::string& spec) {
  const auto& sources = data_sources();
  const bool taken =
      std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return source.name == spec; });
  return spec.starts_with("folder:") || (!taken && is_folder(spec));
}

const RegisterDataSource colour{{
    .name = "folder",
    .help = "folder:DIR, or just a path: PNG and JPEG pictures, sub-folders are classes",
    .accepts = accepts,
    .open =
        [](const std::string& spec, int64_t size, Subset subset) {
          const bool prefixed = spec.starts_with("folder:");
          return open(spec, prefixed ? spec.substr(spec.find(':') + 1) : spec, size, subset, 3);
        },
}};

const RegisterDataSource grey{{
    .name = "folder-gray",
    .help = "folder-gray:DIR: the same, turned grey",
    .accepts = [](const std::string& spec) { return spec.starts_with("folder-gray:"); },
    .open = [](const std::string& spec, int64_t size,
               Subset subset) { return open(spec, spec.substr(spec.find(':') + 1), size, subset, 1); },
}};

}  // namespace
}  // namespace forger::gan
