#include "gan/run_folder.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <sstream>

#include "core/error.h"
#include "nn/checkpoint.h"

namespace forger::gan {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "step-", suffix = ".safetensors";

std::string step_name(int64_t step, std::string_view extension) {
  std::string digits = std::to_string(step);
  digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
  return std::string(prefix) + digits + std::string(extension);
}

// 500 from "step-000500.safetensors"; nothing from other names, temporary files among them.
std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size()) return {};
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size() - suffix.size();
  int64_t step = 0;
  const auto [stop, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || stop != end || step < 0) return {};
  return step;
}

}  // namespace

std::string RunFolder::sample(int64_t step) const { return path_ / "samples" / step_name(step, ".png"); }
std::string RunFolder::checkpoint(int64_t step) const { return path_ / "checkpoints" / step_name(step, suffix); }
bool RunFolder::holds_run() const { return fs::exists(path_ / "config.toml") || fs::exists(path_ / "checkpoints"); }

void RunFolder::create() const {
  for (const fs::path& folder : {path_, path_ / "samples", path_ / "checkpoints"}) {
    std::error_code error;
    fs::create_directories(folder, error);
    check<DataError>(!error && fs::is_directory(folder), "--out: cannot create the folder '", folder.string(),
                     "': ", error ? error.message() : "something else has that name");
  }
}

void RunFolder::clear() const {
  for (const char* name : {"config.toml", "metrics.csv", "scores.csv", "evaluation.json", "modes.png", "sanity.svg",
                           "log.txt", "report.html", "samples", "checkpoints"}) {
    std::error_code error;
    fs::remove_all(path_ / name, error);
    check<DataError>(!error, "--force: cannot remove '", (path_ / name).string(), "': ", error.message());
  }
}

std::vector<int64_t> RunFolder::checkpoint_steps() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_ / "checkpoints", error)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunFolder::keep_newest_checkpoints(int64_t count) const {
  const std::vector<int64_t> steps = checkpoint_steps();
  if (count <= 0 || static_cast<int64_t>(steps.size()) <= count) return;
  std::for_each(steps.begin(), steps.end() - count, [&](int64_t step) {
    std::error_code ignored;  // one checkpoint too many does no harm
    fs::remove(checkpoint(step), ignored);
  });
}

MetricsFile::MetricsFile(const std::string& path, int64_t last_step, int digits) : path_(path), digits_(digits) {
  std::ifstream in(path);
  std::string kept, line, names, last;
  for (bool header = true; std::getline(in, line) && !in.eof(); header = false) {  // at eof the row lacks its line end
    int64_t step = 0;
    double seconds = 0;
    if (!header) {
      const bool row = std::sscanf(line.c_str(), "%ld,%lf", &step, &seconds) == 2;
      if (!row || step > last_step) break;
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
  nn::write_file_atomically(path, kept);
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

}  // namespace forger::gan
