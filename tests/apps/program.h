// Runs the real binary: what a person would type, what comes back.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace program {

using Words = std::vector<std::string>;

const std::string& binary();  // the path of forger, which lies beside the test programs

struct Result {
  int code = -1;  // exit code; 128 + n when ended by signal n
  std::string out, err;
};

Result forger(const Words& arguments);
// A script for sh, in which "$FORGER" is the binary: for what shells do to a program (redirections, limits, folders).
Result shell(const std::string& script);

struct Surroundings {
  int64_t file_limit = 0;  // > 0: bytes a file may have (RLIMIT_FSIZE); further writes fail with EFBIG
  std::string err = {};    // where standard error goes, such as a terminal; otherwise it is collected
};

// A running forger, for signals.
class Process {
 public:
  explicit Process(const Words& arguments, const Surroundings& surroundings = {},
                   const std::string& program = binary());
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void signal(int number) const;
  bool running();
  Result wait();

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
  std::filesystem::path folder_;  // of what it prints
};

// A folder of its own, removed at the end of the test.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A --data spec: 64 pictures of 16x16 pixels, in an IDX file that it writes into the folder (tiny.idx).
std::string tiny_data(const Scratch& folder);
// The same with labels of four classes (tiny-labels.idx).
std::string tiny_classes(const Scratch& folder);
// `train RECIPE` with settings so small that a step takes milliseconds, into `out`; of a flag that stands in `more`
// too, the later one counts.
Words tiny_training(const std::string& recipe, const std::string& data, const std::string& out, const Words& more = {});

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
Words lines(const std::string& text);
// The names of the files in a folder, sorted.
Words names_in(const std::string& folder);
std::string newest_checkpoint(const std::string& run);
// Whether the condition came true within a minute.
bool wait_until(const std::function<bool()>& condition);
size_t rows(const std::string& run);  // of metrics.csv, its header included
// metrics.csv without its second column: training time is the one thing that differs between equal runs.
std::string timeless_metrics(const std::string& run);

// Of standard error: the lines that are errors of forger.
Words errors(const Result& result);

}  // namespace program
