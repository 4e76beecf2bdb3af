// The files of a run folder by name, and the reading back of what a resumed run needs. See gan/trainer.h for the list.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace forger::gan {

class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::string config() const { return path_ / "config.toml"; }
  std::string metrics() const { return path_ / "metrics.csv"; }
  std::string scores() const { return path_ / "scores.csv"; }
  std::string evaluation() const { return path_ / "evaluation.json"; }  // what `forger evaluate` found
  std::string modes() const { return path_ / "modes.png"; }
  std::string sanity() const { return path_ / "sanity.svg"; }
  std::string log() const { return path_ / "log.txt"; }
  std::string sample(int64_t step) const;      // samples/step-000500.png
  std::string checkpoint(int64_t step) const;  // checkpoints/step-000500.safetensors
  std::string best_checkpoint() const { return path_ / "checkpoints" / "best.safetensors"; }
  const std::filesystem::path& path() const { return path_; }

  bool holds_run() const;
  void create() const;  // the folder and its sub-folders; DataError when that is not possible
  void clear() const;   // removes a run's files, and nothing else

  std::vector<int64_t> checkpoint_steps() const;  // ascending
  void keep_newest_checkpoints(int64_t count) const;

 private:
  std::filesystem::path path_;
};

// metrics.csv, a row per step, and scores.csv, a row per evaluation. Every row is flushed, so that a killed run loses
// at most the row being written.
class MetricsFile {
 public:
  // Cuts an existing file back to its rows of steps 1..last_step (a killed run has rows past its newest checkpoint) and
  // appends. DataError when it cannot be written.
  // Values are written with so many significant digits; 17 keep every bit.
  MetricsFile(const std::string& path, int64_t last_step, int digits = 9);
  void append(int64_t step, double seconds, const std::vector<std::pair<std::string, double>>& values);
  double seconds() const { return seconds_; }  // training time at the last row kept
  // The last row kept, by column; empty when there is none.
  const std::map<std::string, double>& last() const { return last_; }

 private:
  std::string path_;
  std::ofstream out_;
  double seconds_ = 0;
  int digits_;
  std::map<std::string, double> last_;
  bool empty_ = true;  // no header yet
};

}  // namespace forger::gan
