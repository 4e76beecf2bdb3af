#include "gan/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "core/error.h"
#include "core/utf8.h"
#include "gan/settings.h"

namespace forger::gan {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "step-", suffix = ".safetensors";
constexpr const char* list_heading = "# Files of this run: what --force removes. Anything else in the folder is yours.";

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
  if (error != std::errc() || stop != end || step < 0 || name != step_name(step, suffix)) return {};
  return step;
}

bool is_there(const fs::path& path) {
  std::error_code unreadable;
  return fs::symlink_status(path, unreadable).type() != fs::file_type::not_found;
}

// Entries of a folder by path; none where there is no such folder.
std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

bool ends_a_line(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  in.seekg(-1, std::ios::end);
  return in.get() == '\n';
}

// A line of files.txt never leads elsewhere: not by "..", nor through a link among the folders.
bool is_of_a_run(const fs::path& name) {
  const fs::path folder = name.parent_path(), file = name.filename();
  return (folder.empty() || folder == "samples" || folder == "checkpoints") && file != "." && file != "..";
}

// A line without its end, which an editor of another system may have made "\r\n".
bool read_line(std::istream& in, std::string& line) {
  if (!std::getline(in, line)) return false;
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

}  // namespace

std::string RunFolder::sample(int64_t step, const char* ending) const {
  return path_ / "samples" / step_name(step, ending);
}
std::string RunFolder::checkpoint(int64_t step) const { return path_ / "checkpoints" / step_name(step, suffix); }
std::string RunFolder::events(int64_t step) const { return path_ / ("events.out.tfevents." + step_name(step, "")); }
bool RunFolder::holds_run() const { return is_run_config(config()); }

bool RunFolder::holds_files() const {
  return std::any_of(owned().begin(), owned().end(), [&](const std::string& name) { return is_there(path_ / name); });
}

void RunFolder::require_run() const {
  check<UsageError>(is_there(config()), "'", path_.string(), "' holds no run: there is no config.toml in it");
}

void RunFolder::create() const {
  for (const fs::path& folder : {path_, path_ / "samples", path_ / "checkpoints"}) {
    std::error_code error;
    fs::create_directories(folder, error);
    check<DataError>(!error && fs::is_directory(folder), "--out: cannot create the folder '", folder.string(),
                     "': ", error ? error.message() : "something else has that name");
  }
}

// ---- whose files they are ----

const std::set<std::string>& RunFolder::owned() const {
  std::error_code none;
  const uintmax_t bytes = fs::file_size(files(), none);
  if (none || bytes == list_->bytes) {
    if (none) *list_ = {};
    return list_->names;
  }
  *list_ = {bytes, {}};
  std::ifstream in(files());
  std::string line;
  if (!read_line(in, line) || line != list_heading) return list_->names;  // a file of that name that is not ours
  while (read_line(in, line))
    if (!line.empty() && is_of_a_run(line)) list_->names.insert(line);
  return list_->names;
}

std::string RunFolder::relative(const std::string& file) const {
  return fs::path(file).lexically_relative(path_).generic_string();
}

const std::string& RunFolder::own(const std::string& file) const {
  const std::string name = relative(file);
  const std::set<std::string>& names = owned();
  if (names.contains(name)) return file;
  std::string line = names.empty() ? text(list_heading, '\n', name, '\n') : name + "\n";
  if (!names.empty() && !ends_a_line(files())) line.insert(0, "\n");  // a full disk cut the last one short
  std::ofstream out(files(), std::ios::app);
  out << line << std::flush;  // one write: other processes append, too
  check<DataError>(out.good(), "cannot write ", files(), ": ", std::strerror(errno));
  list_->names.insert(name);
  std::error_code none;
  if (const uintmax_t bytes = fs::file_size(files(), none); bytes == list_->bytes + line.size()) list_->bytes = bytes;
  return file;
}

std::optional<std::string> RunFolder::foreign_file() const {
  std::set<std::string> mine;
  for (const std::string& name : owned()) mine.insert((path_ / name).string());
  for (const std::string& file : {config(), metrics(), scores(), tests(), evaluation(), walk(), modes(), sanity(),
                                  steganography(), steganography_values(), events(0), report(), log(), files()}) {
    const bool ours = mine.contains(file) || (file == files() && !mine.empty());
    if (is_there(file) && !ours) return file;
  }
  for (const char* name : {"samples", "checkpoints"}) {
    const fs::path folder = path_ / name;
    if (is_there(folder) && !fs::is_directory(folder)) return folder.string();
    for (const fs::path& entry : entries(folder)) {
      const auto destination = destination_of_temporary(entry.string());
      if (!mine.contains(destination ? *destination : entry.string())) return entry.string();
    }
  }
  return {};
}

void RunFolder::clear() const {
  remove_temporaries();
  std::vector<std::string> names(owned().begin(), owned().end());
  // The run is one to the last, so that a process that is killed half-way leaves what can be replaced.
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name != "config.toml"; });
  names.push_back("files.txt");
  for (const std::string& name : names) {
    std::error_code error;
    if (!fs::is_directory(fs::symlink_status(path_ / name, error))) fs::remove(path_ / name, error);
    check<DataError>(!is_there(path_ / name) || fs::is_directory(path_ / name), "--force: cannot remove '",
                     (path_ / name).string(), "': ", error.message());
  }
  for (const char* name : {"samples", "checkpoints"}) {
    std::error_code not_empty;
    fs::remove(path_ / name, not_empty);
  }
}

void RunFolder::remove_temporaries() const {
  const std::set<std::string>& names = owned();
  for (const fs::path& folder : {path_, path_ / "samples", path_ / "checkpoints"}) {
    for (const fs::path& entry : entries(folder)) {
      const auto destination = destination_of_temporary(entry.string());
      std::error_code ignored;  // one file too many does no harm
      if (destination && names.contains(relative(*destination))) fs::remove(entry, ignored);
    }
  }
}

// ---- checkpoints ----

std::vector<int64_t> RunFolder::checkpoint_steps() const {
  std::vector<int64_t> steps;
  for (const fs::path& entry : entries(path_ / "checkpoints"))
    if (const auto step = step_of(entry.filename().string())) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunFolder::keep_newest_checkpoints(int64_t count) const {
  std::vector<int64_t> steps = checkpoint_steps();
  const std::set<std::string>& mine = owned();
  std::erase_if(steps, [&](int64_t step) { return !mine.contains(relative(checkpoint(step))); });
  if (count <= 0 || static_cast<int64_t>(steps.size()) <= count) return;
  std::for_each(steps.begin(), steps.end() - count, [&](int64_t step) {
    std::error_code ignored;  // one checkpoint too many does no harm
    fs::remove(checkpoint(step), ignored);
  });
}

// ---- claims ----

RunClaim::MadeFolders::~MadeFolders() {
  std::error_code not_empty;  // a run came of it
  for (auto folder = paths.rbegin(); folder != paths.rend(); ++folder) fs::remove(*folder, not_empty);
}

// Makes what is missing of the path, one folder at a time: each is made by one process only, and by that one removed.
RunClaim::RunClaim(const std::string& path, std::string& holder) : folder_(path) {
  std::error_code error;
  for (int tries = 0; tries < 100; tries++) {
    fs::path so_far;
    for (const fs::path& part : fs::path(path)) {
      so_far /= part;
      if (!part.empty() && fs::create_directory(so_far, error)) made_.paths.push_back(so_far);
      if (error) break;
    }
    if (error != std::errc::no_such_file_or_directory) break;  // else another process took its folders back in between
  }
  check<DataError>(!error && fs::is_directory(path), "--out: cannot create the folder '", path,
                   "': ", error ? error.message() : "something else has that name");
  if (auto lock = FileLock::try_lock(folder_.lock(), &holder)) lock_.emplace(std::move(*lock));
}

RunClaim RunClaim::of(const std::string& path) {
  std::string holder;
  RunClaim claim(path, holder);
  check<Error>(claim.lock_.has_value(), "'", path, "' is in use by another forger (", holder,
               "): wait for it to end, or name another folder");
  return claim;
}

RunClaim RunClaim::of_run(const std::string& path) {
  RunFolder(path).require_run();
  return of(path);
}

RunClaim RunClaim::first_free(const std::string& path) {
  const auto taken = [](const std::string& folder) {  // by anything but a lock
    const std::vector<fs::path> found = entries(folder);
    return std::any_of(found.begin(), found.end(), [](const fs::path& entry) { return entry.filename() != ".lock"; }) ||
           (is_there(folder) && !fs::is_directory(folder));
  };
  std::string folder = path, holder;
  for (int i = 2;; folder = text(path, '-', i++)) {
    if (taken(folder)) continue;
    RunClaim claim(folder, holder);
    if (claim.lock_ && !taken(folder)) return claim;
  }
}

}  // namespace forger::gan
