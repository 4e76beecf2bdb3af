// A folder of pictures, searched with all its sub-folders, in the order of their names.
//
//   DIR/cats/a.png DIR/cats/b.jpg DIR/dogs/c.png     two classes, "cats" and "dogs"
//   DIR/train/... DIR/test/...                       the two subsets, where both are there (test may be called val,
//                                                    valid or validation); otherwise either subset is everything
//
// A picture is fitted to the size asked for (0: that of the first picture). It is decoded when it is first read and
// then kept, as 8-bit pixels of that size, if the whole set fits into 1 GiB.
#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "core/error.h"
#include "gan/data/images.h"
#include "gan/data/picture_folder.h"
#include "gan/picture_file.h"

namespace forger::gan {
namespace {
namespace fs = std::filesystem;

class Folder : public DataSet {
 public:
  // extra: what else to say of it
  Folder(fs::path folder, std::string name, const DataOptions& options, int64_t channels, std::string extra)
      : folder_(std::move(folder)), name_(std::move(name)), channels_(channels), options_(options) {
    const PictureFolder scanned = scan_pictures(folder_.string());
    for (const std::string& file : scanned.files) files_.push_back(fs::path(file).lexically_relative(folder_));
    about_left_out_ = scanned.about_left_out() + std::move(extra);
    check<DataError>(!files_.empty(), "no picture in '", folder_.string(), "' (PNG, JPEG, WebP, GIF, BMP)",
                     about_left_out_);
    const std::set<fs::path> known(options.leave_out.begin(), options.leave_out.end());
    std::erase_if(files_, [&](const fs::path& file) { return known.contains(file); });
    check<DataError>(!files_.empty(), "all pictures in '", folder_.string(), "' are left out");
    if (options.check) read_all(options);
    find_size();
    columns_ = image_columns({options_.height, options_.width, channels_}, find_classes());
  }

  int64_t count() const override { return std::ssize(files_); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    if (cells[0] != nullptr) to_sample(cached(static_cast<size_t>(i)), static_cast<float*>(cells[0]));
    if (cells.size() > 1 && cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = labels_[static_cast<size_t>(i)];
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    const std::string unreadable = broken_.empty() ? "" : text("; cannot be read: ", broken_.size());
    return text(count(), count() == 1 ? " picture " : " pictures ", about_classes(*this), about_left_out_, unreadable);
  }
  std::vector<Broken> broken() const override { return broken_; }
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

  // Every picture once; what can be read is kept, if there is room. Broken ones go.
  void read_all(const DataOptions& options) {
    if (options_.height > 0) make_cache();
    const auto read = [&](int64_t i) {
      options_.height > 0 ? cached(static_cast<size_t>(i)) : picture(static_cast<size_t>(i));
    };
    const std::map<int64_t, std::string> faults = faults_of(count(), read, options.ticker);
    if (faults.empty()) return;
    const bool some = std::ssize(faults) < count();
    check<DataError>(options.skip_broken && some, faults.size(), " of ", count(), " pictures in '", folder_.string(),
                     "' cannot be read; the first: ", faults.begin()->second,
                     some ? "; --skip-broken leaves them out" : "");
    for (auto fault = faults.rbegin(); fault != faults.rend(); ++fault) {
      const auto i = fault->first;
      broken_.insert(broken_.begin(), {files_[static_cast<size_t>(i)].generic_string(), fault->second});
      files_.erase(files_.begin() + i);
      if (!cache_.empty()) cache_.erase(cache_.begin() + i);
    }
  }

  // "As they are" is as the first one is, cut to a square where pictures are cropped.
  void find_size() {
    if (options_.height == 0) {
      const Image first = options_.fit == Fit::crop ? centre_crop(picture(0), 1, 1) : picture(0);
      options_.height = first.height;
      options_.width = first.width;
    }
    if (cache_.empty()) make_cache();
  }

  void make_cache() {
    if (count() * options_.height * options_.width * channels_ <= cache_limit) cache_.resize(files_.size());
  }

  // The immediate sub-folders are the classes when every picture lies in one and there are several.
  std::vector<std::string> find_classes() {
    std::set<std::string> names;
    for (const fs::path& file : files_) {
      if (!file.has_parent_path()) return {};
      names.insert(file.begin()->string());
    }
    if (names.size() < 2) return {};
    std::vector<std::string> classes(names.begin(), names.end());
    for (const fs::path& file : files_)
      labels_.push_back(std::lower_bound(classes.begin(), classes.end(), file.begin()->string()) - classes.begin());
    return classes;
  }

  Image picture(size_t i) const { return read_image((folder_ / files_[i]).string(), static_cast<int>(channels_)); }

  Image cached(size_t i) const {
    if (!cache_.empty()) {
      const std::lock_guard lock(mutex_);
      if (!cache_[i].empty()) return {options_.height, options_.width, channels_, cache_[i]};
    }
    Image image = fit_picture(picture(i), options_);
    if (!cache_.empty()) {
      const std::lock_guard lock(mutex_);
      cache_[i] = image.pixels;
    }
    return image;
  }

  fs::path folder_;
  std::string name_, about_left_out_;
  int64_t channels_;
  DataOptions options_;
  std::vector<fs::path> files_;  // relative to the folder
  std::vector<Broken> broken_;
  Columns columns_;
  std::vector<int64_t> labels_;
  mutable std::mutex mutex_;
  mutable std::vector<std::vector<uint8_t>> cache_;  // by picture; no entries when the set is too large
};

bool is_folder(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_directory(path, unreadable);
}

DataSetPtr open(const std::string& spec, const fs::path& folder, const DataOptions& options, Subset subset,
                int64_t channels) {
  check<DataError>(is_folder(folder), "no folder '", folder.string(), "'");
  std::optional<std::string> held_out;
  std::string unused;
  for (const char* name : {"test", "val", "valid", "validation"}) {
    if (!is_folder(folder / name)) continue;
    if (held_out) unused += text("; not used: ", name, '/');
    if (!held_out) held_out = name;
  }
  if (!held_out || !is_folder(folder / "train")) return std::make_shared<Folder>(folder, spec, options, channels, "");
  const std::string part = subset == Subset::train ? "train" : *held_out;
  return std::make_shared<Folder>(
      folder / part, spec, options, channels,
      text("; of ", part, "/, beside ", subset == Subset::train ? *held_out : "train", '/', unused));
}

// "folder:DIR", or the path of a folder that is not the name of another data set.
bool accepts(const std::string& spec) {
  return spec.starts_with("folder:") || (!is_data_name(spec) && is_folder(spec));
}

// A path alone may hold colons.
std::string map_paths(const std::string& spec, const DataSource::OnPath& f) {
  return spec.starts_with("folder:") ? prefixed_path(spec, f) : f(spec);
}

std::string path_in(const std::string& spec) {
  std::string folder;
  map_paths(spec, [&](const std::string& path) { return folder = path; });
  return folder;
}

const RegisterDataSource colour{{
    .name = "folder",
    .help = "folder:DIR, or just a path: PNG, JPEG, WebP, GIF and BMP pictures, sub-folders are classes",
    .gives = {"image", "label"},
    .accepts = accepts,
    .open = [](const std::string& spec, const DataOptions& options,
               Subset subset) { return open(spec, path_in(spec), options, subset, 3); },
    .map_paths = map_paths,
}};

const RegisterDataSource grey{{
    .name = "folder-gray",
    .help = "folder-gray:DIR: the same, turned grey",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with("folder-gray:"); },
    .open = [](const std::string& spec, const DataOptions& options,
               Subset subset) { return open(spec, spec.substr(spec.find(':') + 1), options, subset, 1); },
    .map_paths = prefixed_path,
}};

}  // namespace
}  // namespace forger::gan
