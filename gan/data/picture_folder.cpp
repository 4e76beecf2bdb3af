#include "gan/data/picture_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

#include "core/error.h"
#include "gan/settings.h"
#include "kernels/cpu/thread_pool.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

std::string ending_of(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

struct Kind {
  std::string name;
  std::vector<std::string> endings;
};
const Kind pictures{"picture", {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}},
    sounds{"sound", {".wav", ".flac", ".ogg", ".oga"}};

using Identity = std::pair<dev_t, ino_t>;

Identity identity_of(const fs::path& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 ? Identity{status.st_dev, status.st_ino} : Identity{};
}

// Links to folders are followed when all that lies there without them is known: a folder that is reached in two ways
// counts once, under its own name, and links that lead in a circle end.
class Scan {
 public:
  Scan(const std::string& root, const Kind& kind) : kind_(kind) {
    folder(root);
    for (size_t i = 0; i < links_.size(); i++) {  // those found on the way are followed as well
      if (seen_.contains(identity_of(links_[i])))
        left_out("link to a folder that is there");
      else
        folder(links_[i]);
    }
    std::sort(found.files.begin(), found.files.end());
  }

  FolderScan found;

 private:
  void folder(const fs::path& path) {
    seen_.insert(identity_of(path));
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    for (fs::directory_iterator each(path, error); !error && each != fs::directory_iterator(); each.increment(error))
      entries.push_back(*each);
    check<DataError>(!error, "cannot read the folder '", path.string(), "': ", error.message());
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& each : entries) entry(each);
  }

  void entry(const fs::directory_entry& entry) {
    const fs::path& path = entry.path();
    const bool hidden = path.filename().string().starts_with('.');
    std::error_code unreadable;
    const fs::file_status status = entry.status(unreadable);  // of what a link leads to
    const std::string ending = ending_of(path);
    if (fs::is_directory(status)) {
      if (hidden) return left_out("hidden folder");
      if (is_run_config((path / "config.toml").string())) return left_out("run of forger");
      entry.is_symlink(unreadable) ? links_.push_back(path) : folder(path);
    } else if (std::ranges::find(kind_.endings, ending) == kind_.endings.end()) {
      if (!hidden && fs::is_regular_file(status)) left_out(ending.empty() ? "file without an ending" : ending);
    } else if (hidden) {
      left_out("hidden " + kind_.name);
    } else if (fs::is_regular_file(status)) {
      found.files.push_back(path.generic_string());
    } else {
      left_out(fs::exists(status) ? kind_.name + " that is no file" : "link to nothing");
    }
  }

  void left_out(const std::string& what) { found.left_out[what]++; }

  const Kind& kind_;
  std::set<Identity> seen_;
  std::vector<fs::path> links_;
};

}  // namespace

std::string FolderScan::about_left_out() const {
  std::string all;
  for (const auto& [what, count] : left_out) all += text(all.empty() ? "; left out: " : ", ", count, ' ', what);
  return all;
}

FolderScan scan_pictures(const std::string& folder) { return Scan(folder, pictures).found; }
FolderScan scan_sounds(const std::string& folder) { return Scan(folder, sounds).found; }

std::vector<std::string> classes_of(const std::vector<fs::path>& files, std::vector<int64_t>& labels) {
  labels.clear();
  std::set<std::string> names;
  for (const fs::path& file : files) {
    if (!file.has_parent_path()) return {};
    names.insert(file.begin()->string());
  }
  if (names.size() < 2) return {};
  std::vector<std::string> classes(names.begin(), names.end());
  for (const fs::path& file : files)
    labels.push_back(std::ranges::lower_bound(classes, file.begin()->string()) - classes.begin());
  return classes;
}

std::map<int64_t, std::string> faults_of(int64_t n, const std::function<void(int64_t i)>& read,
                                         const std::function<void(int64_t done, int64_t total)>& ticker) {
  std::map<int64_t, std::string> faults;
  std::mutex mutex;
  constexpr int64_t at_once = 64;  // between two calls of the ticker
  for (int64_t begin = 0; begin < n; begin += at_once) {
    const int64_t count = std::min(at_once, n - begin);
    kernels::parallel_jobs(count, [&](int64_t job) {
      try {
        read(begin + job);
      } catch (const DataError& error) {
        const std::lock_guard lock(mutex);
        faults[begin + job] = error.what();
      }
    });
    if (ticker) ticker(begin + count, n);
  }
  return faults;
}

}  // namespace forger::gan
