#include "tests/apps/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace program {
namespace fs = std::filesystem;
namespace {

// In memory where that is possible: runs sync every checkpoint, which a busy disk can make slow.
fs::path fresh_path(const std::string& what) {
  const fs::path in_memory = "/dev/shm",
                 base = access(in_memory.c_str(), W_OK) == 0 ? in_memory : fs::temp_directory_path();
  std::string name = (base / ("forger-" + what + "-XXXXXX")).string();
  if (!mkdtemp(name.data())) throw std::runtime_error("cannot create " + name);
  return name;
}

// Only async-signal-safe calls: between fork and exec.
[[noreturn]] void become(char* const* argv, const char* out, const char* err, int64_t file_limit) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) std::signal(number, SIG_DFL);  // as for a person's shell
  dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
  if (file_limit > 0) {
    const rlimit limit{static_cast<rlim_t>(file_limit), static_cast<rlim_t>(file_limit)};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, SIG_IGN);  // kept across exec: the write fails with EFBIG instead
  }
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

const std::string& binary() {
  static const std::string path = fs::read_symlink("/proc/self/exe").parent_path() / "forger";
  return path;
}

Process::Process(const Words& arguments, const Surroundings& surroundings, const std::string& program)
    : folder_(fresh_path("output")) {
  const std::string out = folder_ / "out",
                    err = surroundings.err.empty() ? (folder_ / "err").string() : surroundings.err;
  Words words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) become(argv.data(), out.c_str(), err.c_str(), surroundings.file_limit);
  if (pid_ < 0) throw std::runtime_error("cannot fork");
}

Process::~Process() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Process::signal(int number) const {
  if (!ended_) kill(pid_, number);
}

bool Process::running() {
  if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !ended_;
}

Result Process::wait() {
  if (!ended_) waitpid(pid_, &status_, 0);
  ended_ = true;
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  return {code, read_file(folder_ / "out"), read_file(folder_ / "err")};
}

Result forger(const Words& arguments) { return Process(arguments).wait(); }

Result shell(const std::string& script) {
  setenv("FORGER", binary().c_str(), 1);
  return Process({"-c", script}, {}, "/bin/sh").wait();
}

Scratch::Scratch() : path_(fresh_path("test")) {}
Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string tiny_data(const Scratch& folder) {
  std::string file{0, 0, 8, 3, 0, 0, 0, 64, 0, 0, 0, 16, 0, 0, 0, 16};  // bytes, 3 axes: 64 x 16 x 16, big-endian
  for (int i = 0; i < 64; i++)
    for (int y = 0; y < 16; y++)
      for (int x = 0; x < 16; x++) file += static_cast<char>(x < 4 + i % 8 && y < 4 + i / 8 ? 255 : 0);  // rectangles
  write_file(folder / "tiny.idx", file);
  return "idx:" + folder / "tiny.idx";
}

std::string tiny_classes(const Scratch& folder) {
  std::string labels{0, 0, 8, 1, 0, 0, 0, 64};
  for (int i = 0; i < 64; i++) labels += static_cast<char>(i % 4);
  write_file(folder / "tiny-labels.idx", labels);
  return tiny_data(folder) + "," + folder / "tiny-labels.idx";
}

Words tiny_training(const std::string& recipe, const std::string& data, const std::string& out, const Words& more) {
  Words words{"train", recipe};
  const std::pair<const char*, const char*> settings[] = {
      {"--size", "16"}, {"--width", "4"},    {"--latent", "8"},        {"--batch", "8"},           {"--threads", "1"},
      {"--steps", "8"}, {"--previews", "4"}, {"--preview-every", "0"}, {"--checkpoint-every", "0"}};
  for (const auto& [flag, value] : settings) words.insert(words.end(), {flag, value});
  words.insert(words.end(), {"--data", data});
  words.insert(words.end(), more.begin(), more.end());
  words.insert(words.end(), {"--out", out});
  return words;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

Words lines(const std::string& text) {
  Words all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

Words names_in(const std::string& folder) {
  Words names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string newest_checkpoint(const std::string& run) {
  std::string newest;
  for (const std::string& name : names_in(run + "/checkpoints"))
    if (name.ends_with(".safetensors")) newest = run + "/checkpoints/" + name;
  return newest;
}

bool wait_until(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

size_t rows(const std::string& run) { return lines(read_file(run + "/metrics.csv")).size(); }

std::string timeless_metrics(const std::string& run) {
  std::string kept;
  for (const std::string& line : lines(read_file(run + "/metrics.csv"))) {
    const size_t first = line.find(','), second = line.find(',', first + 1);
    kept += line.substr(0, first) + line.substr(second) + "\n";
  }
  return kept;
}

Words errors(const Result& result) {
  Words found;
  for (const std::string& line : lines(result.err))
    if (line.starts_with("forger: ")) found.push_back(line);
  return found;
}

}  // namespace program
