#include "gan/metrics_file.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/file.h"

namespace forger::gan {

namespace {

// Reads "step,seconds,..." of a row.
bool read_row(const std::string& line, int64_t& step, double& seconds) {
  long number = 0;
  if (std::sscanf(line.c_str(), "%ld,%lf", &number, &seconds) != 2) return false;
  step = number;
  return true;
}

}  // namespace

bool has_rows(const std::string& path) {
  std::ifstream in(path);
  int64_t step = 0;
  double seconds = 0;
  for (std::string line; std::getline(in, line);)
    if (read_row(line, step, seconds)) return true;
  return false;
}

MetricsFile::MetricsFile(const std::string& path, int64_t last_step, int digits) : path_(path), digits_(digits) {
  std::ifstream in(path);
  std::string kept, line, names, last;
  for (bool header = true; std::getline(in, line) && !in.eof(); header = false) {  // at eof the row lacks its line end
    if (!header) {
      int64_t step = 0;
      double seconds = 0;
      if (!read_row(line, step, seconds)) continue;  // not a row: something else was written into the file
      if (step > last_step) break;
      last_step_ = step;
      seconds_ = seconds;
    }
    (header ? names : last) = line;
    kept += line + "\n";
    empty_ = false;
  }
  std::istringstream columns(names), cells(last);
  for (std::string name, cell; std::getline(columns, name, ',') && std::getline(cells, cell, ',');)
    last_[name] = std::strtod(cell.c_str(), nullptr);
  in.close();
  write_file(path, kept);
  out_.open(path, std::ios::app);
  check<DataError>(out_.good(), "cannot write '", path, "'");
}

void MetricsFile::append(int64_t step, double seconds, const std::vector<std::pair<std::string, double>>& values) {
  std::ostringstream row;
  if (empty_) {
    row << "step,seconds";
    for (const auto& [name, value] : values) row << ',' << name;
    row << '\n';
    empty_ = false;
  }
  row << step << ',' << seconds;
  row.precision(digits_);
  for (const auto& [name, value] : values) row << ',' << value;
  out_ << row.str() << '\n' << std::flush;
  check<DataError>(out_.good(), "cannot write '", path_, "': is the disk full?");
}

namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
  return cells;
}

std::optional<double> number(const std::string& cell) {
  double value = 0;
  const char* end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  if (error != std::errc() || stop != end) return {};
  return value;
}

}  // namespace

MetricsTable read_metrics(const std::string& path) {
  MetricsTable metrics;
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!std::getline(in, line) || in.eof()) return metrics;
  metrics.names = split(line);
  metrics.columns.resize(metrics.names.size());
  while (std::getline(in, line) && !in.eof()) {
    std::vector<double> row;
    for (const std::string& cell : split(line))
      if (const auto value = number(cell)) row.push_back(*value);
    if (row.size() != metrics.columns.size() || row.size() != split(line).size()) continue;
    for (size_t i = 0; i < row.size(); i++) metrics.columns[i].push_back(row[i]);
  }
  return metrics;
}

}  // namespace forger::gan
