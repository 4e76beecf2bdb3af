#include "gan/data/picture_set.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/error.h"
#include "gan/data/picture_folder.h"
#include "gan/picture_file.h"

namespace forger::gan {
namespace fs = std::filesystem;

PictureSet::PictureSet(fs::path folder, std::string name, const DataOptions& options, int64_t channels,
                       const std::string& extra, Fitting fitting)
    : folder_(std::move(folder)), name_(std::move(name)), channels_(channels), options_(options), fitting_(fitting) {
  const FolderScan scanned = scan_pictures(folder_.string());
  for (const std::string& file : scanned.files) files_.push_back(fs::path(file).lexically_relative(folder_));
  about_left_out_ = scanned.about_left_out() + extra;
  check<DataError>(!files_.empty(), "no picture in '", folder_.string(), "' (PNG, JPEG, WebP, GIF, BMP)",
                   about_left_out_);
  const std::set<fs::path> known(options.leave_out.begin(), options.leave_out.end());
  std::erase_if(files_, [&](const fs::path& file) { return known.contains(file); });
  check<DataError>(!files_.empty(), "all pictures in '", folder_.string(), "' are left out");
  if (options.check) read_all(options);
  find_size();
  columns_ = image_columns({options_.height, width(), channels_}, classes_of(files_, labels_));
}

void PictureSet::read_row(int64_t i, std::span<void* const> cells) const {
  if (cells[0] != nullptr) to_sample(cached(static_cast<size_t>(i)), static_cast<float*>(cells[0]));
  if (cells.size() > 1 && cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = labels_[static_cast<size_t>(i)];
}

std::string PictureSet::about() const {
  const std::string unreadable = broken_.empty() ? "" : text("; cannot be read: ", broken_.size());
  return text(count(), count() == 1 ? " picture " : " pictures ", about_classes(*this), about_left_out_, unreadable);
}

std::string PictureSet::hash() const {
  Fnv fnv;
  for (const fs::path& file : files_) {
    std::error_code gone;
    fnv.add(file.generic_string());
    fnv.add(static_cast<int64_t>(fs::file_size(folder_ / file, gone)));
  }
  return fnv.hex();
}

// Every picture once; what can be read is kept, if there is room. Broken ones go.
void PictureSet::read_all(const DataOptions& options) {
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
void PictureSet::find_size() {
  if (options_.height == 0) {
    Image first = picture(0);
    first.width /= fitting_.parts;
    if (options_.fit == Fit::crop) first.height = first.width = std::min(first.height, first.width);
    options_.height = first.height;
    options_.width = first.width;
  }
  if (cache_.empty()) make_cache();
}

void PictureSet::make_cache() {
  constexpr int64_t limit = int64_t{1} << 30;
  if (count() * options_.height * width() * channels_ <= limit) cache_.resize(files_.size());
}

Image PictureSet::picture(size_t i) const {
  return read_image((folder_ / files_[i]).string(), static_cast<int>(channels_));
}

Image PictureSet::cached(size_t i) const {
  if (!cache_.empty()) {
    const std::lock_guard lock(mutex_);
    if (!cache_[i].empty()) return {options_.height, width(), channels_, cache_[i]};
  }
  Image image = fitting_.fit(picture(i), options_);
  if (!cache_.empty()) {
    const std::lock_guard lock(mutex_);
    cache_[i] = image.pixels;
  }
  return image;
}

bool is_folder(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_directory(path, unreadable);
}

fs::path part_of(const fs::path& folder, Subset subset, std::string& extra) {
  check<DataError>(is_folder(folder), "no folder '", folder.string(), "'");
  std::optional<std::string> held_out;
  std::string unused;
  for (const char* name : {"test", "val", "valid", "validation"}) {
    if (!is_folder(folder / name)) continue;
    if (held_out) unused += text("; not used: ", name, '/');
    if (!held_out) held_out = name;
  }
  if (!held_out || !is_folder(folder / "train")) return folder;
  const std::string part = subset == Subset::train ? "train" : *held_out;
  extra = text("; of ", part, "/, beside ", subset == Subset::train ? *held_out : "train", '/', unused);
  return folder / part;
}

}  // namespace forger::gan
