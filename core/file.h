// Files: read whole, written whole or not at all, locked for one process.
//
// Writing. What is a regular file, or not there, is replaced: a temporary file beside it, fsync, rename, fsync of the
// folder. A rename within a file system is atomic, so that at any moment, a crash included, `path` is absent, the old
// file or the new one, whole. The new file has the old one's mode (and owner, where that is allowed), and a symbolic
// link stays one: what it points to is replaced. What cannot be replaced is written to: a device, a pipe, a terminal,
// what /dev/stdout and /proc/self/fd stand for, and "-", the standard output.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace forger {

// An open file that is read by pieces. DataError: "cannot read x: No such file or directory"; folders, pipes and
// devices are refused.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  uint64_t size() const { return size_; }
  void read_at(uint64_t offset, std::span<std::byte> into) const;  // all of them; DataError when the file ends before

 private:
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
};

// The whole of it, a pipe's too (`--config <(command)`). DataError: "cannot read 'x': Permission denied".
std::string read_file(const std::string& path);

// DataError: "cannot write x: No space left on device"; then what stood there still does, and no temporary file is
// left.
using Chunks = std::vector<std::span<const std::byte>>;
void write_file(const std::string& path, const Chunks& chunks);
void write_file(const std::string& path, std::string_view content);

// Whether writing replaces or makes a file of that name, so that it can be named afterwards.
bool is_replaceable(const std::string& path);

// The file that a temporary one of write_file was on the way to, when a killed process left it behind; none for other
// names.
std::optional<std::string> destination_of_temporary(std::string_view name);

// A folder among the system's temporary ones that goes, with all in it, when its owner does. DataError when none can be
// made.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name = "forger");
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A lock on a file of its own, which the kernel lets go when the process ends, however it ends. The file is made when
// it is not there, says who holds it ("process 1234 on host"), and is removed with the lock.
class FileLock {
 public:
  // None when another process has it: `holder` then says who. DataError when the file cannot be made. On a file system
  // that knows no locks everyone gets one, and holds() is false. A file of that name that is not a lock is left alone:
  // DataError.
  static std::optional<FileLock> try_lock(const std::string& path, std::string* holder = nullptr);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();
  bool holds() const { return holds_; }
  bool in_place() const;  // the file that is locked still is the one of that name

 private:
  FileLock(std::string path, int fd, bool holds) : path_(std::move(path)), fd_(fd), holds_(holds) {}
  std::string path_;
  int fd_;
  bool holds_;
};

}  // namespace forger
