// sound:DIR: a folder of WAV, FLAC and Ogg files, searched with all its sub-folders, in the order of their names;
// sub-folders are classes, and train/ beside test/ is a split, as of a folder of pictures.
//
// All of it is read at once and kept, at 8 kHz: an hour takes 115 MB, and more than nine are refused.
#include <mutex>
#include <set>

#include "gan/data/images.h"
#include "gan/data/picture_folder.h"
#include "gan/data/picture_set.h"
#include "gan/data/sound_set.h"
#include "gan/sound_file.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

class SoundFolder : public SoundSet {
 public:
  SoundFolder(std::string name, std::vector<Recording> recordings, const Columns& words, std::string hash,
              const DataOptions& options, std::vector<Broken> broken, std::string extra)
      : SoundSet(std::move(name), std::move(recordings), words, std::move(hash), options),
        broken_(std::move(broken)),
        extra_(std::move(extra)) {}
  std::string about() const override {
    return text(SoundSet::about(), extra_, broken_.empty() ? "" : text("; cannot be read: ", broken_.size()));
  }
  std::vector<Broken> broken() const override { return broken_; }

 private:
  std::vector<Broken> broken_;
  std::string extra_;
};

// FNV of names and sizes.
std::string hash_of_files(const fs::path& folder, const std::vector<fs::path>& files) {
  Fnv fnv;
  for (const fs::path& file : files) {
    std::error_code gone;
    fnv.add(file.generic_string());
    fnv.add(static_cast<int64_t>(fs::file_size(folder / file, gone)));
  }
  return fnv.hex();
}

DataSetPtr open(const std::string& spec, const DataOptions& options, Subset subset) {
  std::string extra;
  const fs::path folder = part_of(spec.substr(spec.find(':') + 1), subset, extra);
  const FolderScan scan = scan_sounds(folder.string());
  extra = scan.about_left_out() + extra;
  check<DataError>(!scan.files.empty(), "no sound in '", folder.string(), "' (WAV, FLAC, Ogg)", extra);
  const std::set<fs::path> known(options.leave_out.begin(), options.leave_out.end());
  std::vector<fs::path> files;
  for (const std::string& file : scan.files)
    if (const fs::path relative = fs::path(file).lexically_relative(folder); !known.contains(relative))
      files.push_back(relative);
  check<DataError>(!files.empty(), "all sounds in '", folder.string(), "' are left out");

  constexpr int64_t most = int64_t{1} << 28;  // samples: 1 GiB, nine hours
  std::vector<Recording> recordings(files.size());
  std::mutex mutex;
  int64_t samples = 0;
  const auto read = [&](int64_t i) {
    const auto k = static_cast<size_t>(i);
    recordings[k].sound = read_sound((folder / files[k]).string());
    const std::lock_guard lock(mutex);
    samples += std::ssize(recordings[k].sound);
    check<UsageError>(samples <= most, spec, ": more than ", most / sample_rate / 3600,
                      " hours of sound, all of which would be kept in memory: take a part of it");
  };
  const std::map<int64_t, std::string> faults = faults_of(std::ssize(files), read, options.ticker);
  const bool some = std::ssize(faults) < std::ssize(files);
  check<DataError>(faults.empty() || (options.skip_broken && some), faults.size(), " of ", files.size(), " sounds in '",
                   folder.string(), "' cannot be read; the first: ", faults.empty() ? "" : faults.begin()->second,
                   some ? "; --skip-broken leaves them out" : "");
  std::vector<DataSet::Broken> broken;
  for (const auto& [i, reason] : faults) broken.push_back({files[static_cast<size_t>(i)].generic_string(), reason});
  for (auto fault = faults.rbegin(); fault != faults.rend(); ++fault) {
    files.erase(files.begin() + fault->first);
    recordings.erase(recordings.begin() + fault->first);
  }

  Columns words;
  std::vector<int64_t> labels;
  if (const std::vector<std::string> classes = classes_of(files, labels); !classes.empty()) {
    words.push_back({.name = "label", .dtype = DType::i64, .words = classes});
    for (size_t k = 0; k < files.size(); k++) recordings[k].words = {labels[k]};
  }
  return std::make_shared<SoundFolder>(spec, std::move(recordings), words, hash_of_files(folder, files), options,
                                       std::move(broken), extra);
}

const RegisterDataSource registered{{
    .name = "sound",
    .help = "sound:DIR: WAV, FLAC and Ogg files as spectra, cut to the size; sub-folders are classes",
    .gives = {"image", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with("sound:"); },
    .open = open,
    .map_paths = prefixed_path,
}};

}  // namespace
}  // namespace forger::gan
