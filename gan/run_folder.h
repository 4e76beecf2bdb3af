// The files of a run folder by name, and what may be removed of them. See gan/trainer.h for the list.
//
// What a run wrote is kept in files.txt, a name per line: that, and nothing else, is removed when it is replaced.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/file.h"

namespace forger::gan {

class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::string config() const { return path_ / "config.toml"; }
  std::string metrics() const { return path_ / "metrics.csv"; }
  std::string scores() const { return path_ / "scores.csv"; }
  std::string tests() const { return path_ / "tests.csv"; }
  std::string evaluation() const { return path_ / "evaluation.json"; }  // what `forger evaluate` found
  std::string walk() const { return path_ / "walk.png"; }               // by `forger report`
  std::string modes() const { return path_ / "modes.png"; }
  std::string sanity() const { return path_ / "sanity.svg"; }
  std::string steganography() const { return path_ / "steganography.svg"; }
  std::string steganography_values() const { return path_ / "steganography.csv"; }
  std::string events(int64_t step) const;  // from that one on: events.out.tfevents.step-000500
  std::string report() const { return path_ / "report.html"; }
  std::string log() const { return path_ / "log.txt"; }
  std::string files() const { return path_ / "files.txt"; }
  std::string lock() const { return path_ / ".lock"; }
  // samples/step-000500.png; of words .txt
  std::string sample(int64_t step, const char* ending = ".png") const;
  std::string checkpoint(int64_t step) const;  // checkpoints/step-000500.safetensors
  std::string best_checkpoint() const { return path_ / "checkpoints" / "best.safetensors"; }
  const std::filesystem::path& path() const { return path_; }

  // Its config.toml is one that a run wrote: neither a folder named `checkpoints` nor settings written by hand make
  // one.
  bool holds_run() const;
  // Some that files.txt lists are there: what is left of a run, whatever became of its config.toml.
  bool holds_files() const;
  void require_run() const;  // UsageError when there is no config.toml
  void create() const;       // the folder and its sub-folders; DataError when that is not possible

  // Enters one of the files above into files.txt and returns it: to be called before it is first written.
  const std::string& own(const std::string& file) const;
  // A file where the run would write, or beside its samples or checkpoints, that no run wrote; empty when there is
  // none.
  std::optional<std::string> foreign_file() const;
  void clear() const;               // removes the run's files, and folders that are empty then
  void remove_temporaries() const;  // those of its files that a killed process left

  std::vector<int64_t> checkpoint_steps() const;  // ascending
  // Of those that the run wrote; a copy that a person put beside them is neither counted nor removed.
  void keep_newest_checkpoints(int64_t count) const;

 private:
  // files.txt as it was when it had so many bytes: read again when another process has added to it.
  struct List {
    uintmax_t bytes = 0;
    std::set<std::string> names;  // relative
  };
  const std::set<std::string>& owned() const;
  std::string relative(const std::string& file) const;
  std::filesystem::path path_;
  std::shared_ptr<List> list_ = std::make_shared<List>();
};

// A run folder in the hands of one process, until this object or the process goes. What it made of a new one and no run
// came of (a setting that cannot be, data that is not there) is taken back.
class RunClaim {
 public:
  // The folder is made when it is not there. Error when another process has it.
  static RunClaim of(const std::string& path);
  static RunClaim of_run(const std::string& path);  // UsageError when it holds none; then nothing is made
  // The first of "runs/dcgan", "runs/dcgan-2", ... that holds nothing; however many processes ask at once.
  static RunClaim first_free(const std::string& path);
  const RunFolder& folder() const { return folder_; }
  // False once the folder was removed, or removed and taken by another process.
  bool in_place() const { return !lock_ || lock_->in_place(); }

 private:
  // Folders that were made, outermost first: at the end those go that are empty.
  struct MadeFolders {
    std::vector<std::filesystem::path> paths;
    MadeFolders() = default;
    MadeFolders(MadeFolders&&) noexcept = default;
    MadeFolders& operator=(MadeFolders&&) = delete;
    ~MadeFolders();
  };

  RunClaim(const std::string& path, std::string& holder);  // without a lock, perhaps
  RunFolder folder_;
  MadeFolders made_;
  std::optional<FileLock> lock_;  // goes first
};

}  // namespace forger::gan
