// The pictures of a folder as a set: found, checked, brought to one size, kept.
//
// A picture is fitted to the size asked for (0: that of the first picture). It is decoded when it is first read and
// then kept, as 8-bit pixels of that size, if the whole set fits into 1 GiB.
#pragma once
#include <filesystem>
#include <mutex>

#include "gan/data/images.h"

namespace forger::gan {

// How a picture becomes one of a set's size.
struct Fitting {
  Image (*fit)(const Image& picture, const DataOptions& options) = fit_picture;
  int64_t parts = 1;  // pictures of that size side by side in what comes out
};

class PictureSet : public DataSet {
 public:
  // extra: what else to say of it. DataError when there is no picture, or, where the options say so, one that cannot be
  // read.
  PictureSet(std::filesystem::path folder, std::string name, const DataOptions& options, int64_t channels,
             const std::string& extra, Fitting fitting = {});

  int64_t count() const override { return std::ssize(files_); }
  // image (height, parts * width, channels), and label: the immediate sub-folders, when every picture lies in one and
  // there are several.
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override;
  std::string name() const override { return name_; }
  std::string about() const override;
  std::vector<Broken> broken() const override { return broken_; }
  std::string hash() const override;  // of names and sizes

  const std::vector<std::filesystem::path>& files() const { return files_; }  // relative to the folder, sorted
  const std::filesystem::path& folder() const { return folder_; }
  Image picture_of_size(int64_t i) const { return cached(static_cast<size_t>(i)); }

 private:
  void read_all(const DataOptions& options);
  void find_size();
  void make_cache();
  Image picture(size_t i) const;
  Image cached(size_t i) const;
  int64_t width() const { return fitting_.parts * options_.width; }

  std::filesystem::path folder_;
  std::string name_, about_left_out_;
  int64_t channels_;
  DataOptions options_;
  Fitting fitting_;
  std::vector<std::filesystem::path> files_;
  std::vector<Broken> broken_;
  Columns columns_;
  std::vector<int64_t> labels_;
  mutable std::mutex mutex_;
  mutable std::vector<std::vector<uint8_t>> cache_;  // by picture; no entries when the set is too large
};

// The part of a folder that is a subset: its own where it is split into train/ and test/ (or val/, valid/,
// validation/), and else all of it. `extra` is told what is not used. DataError when there is no such folder.
std::filesystem::path part_of(const std::filesystem::path& folder, Subset subset, std::string& extra);
bool is_folder(const std::filesystem::path& path);

}  // namespace forger::gan
