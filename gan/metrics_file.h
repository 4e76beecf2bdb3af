// metrics.csv and its like: step,seconds,loss_d,... and rows of numbers; written as a run goes, and read for its
// report.
#pragma once
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace forger::gan {

// metrics.csv, a row per step, scores.csv, a row per evaluation, and tests.csv, a row per test. Every row is flushed,
// so that a killed run loses at most the row being written.
class MetricsFile {
 public:
  // Cuts an existing file back to its rows of steps 1..last_step (a killed run has rows past its newest checkpoint) and
  // appends. DataError when it cannot be written.
  // Values are written with so many significant digits; 17 keep every bit.
  MetricsFile(const std::string& path, int64_t last_step, int digits = 9);
  void append(int64_t step, double seconds, const std::vector<std::pair<std::string, double>>& values);
  int64_t last_step() const { return last_step_; }  // of the last row; 0 when there is none
  double seconds() const { return seconds_; }       // training time at the last row kept
  // The last row kept, by column; empty when there is none.
  const std::map<std::string, double>& last() const { return last_; }

 private:
  std::string path_;
  std::ofstream out_;
  int64_t last_step_ = 0;
  double seconds_ = 0;
  int digits_;
  std::map<std::string, double> last_;
  bool empty_ = true;  // no header yet
};

// Whether metrics.csv tells of a step: a run without checkpoints that has one has lost them.
bool has_rows(const std::string& path);

// Of a score's column in scores.csv: the best one so far.
inline const std::string best_suffix = "_best";

// The whole file.
struct MetricsTable {
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;  // one per name, equally long
  size_t rows() const { return columns.empty() ? 0 : columns.front().size(); }
  const std::vector<double>* find(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? nullptr : &columns[static_cast<size_t>(found - names.begin())];
  }
};
// A row that lacks its line end, has another number of cells or something else than numbers in them is left out, and
// so is all of a file that is not there.
MetricsTable read_metrics(const std::string& path);

}  // namespace forger::gan
