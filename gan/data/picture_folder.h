// The pictures or sounds under a folder, and what else lies there: nothing is left out in silence.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace forger::gan {

struct FolderScan {
  std::vector<std::string> files;           // sorted by path
  std::map<std::string, int64_t> left_out;  // how many of what: ".tif", "hidden folder", "run of forger"
  std::string about_left_out() const;       // "; left out: 3 .tif, 1 hidden folder", or nothing
};

// PNG, JPEG, WebP, GIF and BMP files by their names' endings, in any case; in sub-folders and in folders that links
// lead to, each once. Hidden files and folders and run folders of forger are left out. DataError names a folder that
// cannot be read.
FolderScan scan_pictures(const std::string& folder);
// The same of WAV, FLAC and Ogg files.
FolderScan scan_sounds(const std::string& folder);

// The immediate sub-folders that files (relative to a folder, sorted) lie in, sorted; none unless every file lies in one
// and there are several. labels: of each file, which.
std::vector<std::string> classes_of(const std::vector<std::filesystem::path>& files, std::vector<int64_t>& labels);

// Calls read(i) once for each 0 <= i < n, on all threads, and returns why it failed where it threw a DataError. The
// ticker is told how far that is; it may throw to give up.
std::map<int64_t, std::string> faults_of(int64_t n, const std::function<void(int64_t i)>& read,
                                         const std::function<void(int64_t done, int64_t total)>& ticker = {});

}  // namespace forger::gan
