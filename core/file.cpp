#include "core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/error.h"

namespace forger {
namespace {

namespace fs = std::filesystem;

// For calls whose failure changes nothing that matters.
template <class Result>
void best_effort(Result) {}

// A program may be started with its standard descriptors closed (2>&-). The next files opened would then get their
// numbers, and whatever is printed would land in them. Runs before main() and before any other static of the program.
[[gnu::constructor(101)]] void occupy_standard_descriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    if (::fcntl(fd, F_GETFD) < 0) best_effort(::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY));
}

[[noreturn]] void fail(const char* what, const std::string& path) {
  const int error = errno;
  throw DataError(text("cannot ", what, " ", path, ": ", std::strerror(error)));
}

// Repeats a system call that a signal interrupted.
template <class F>
auto retry(const F& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  int close() { return ::close(release()); }  // tells of writes that failed late, on a network file system

 private:
  int fd_;
};

int open_file(const std::string& path, int flags, const char* purpose) {
  const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (fd < 0) fail(purpose, path);
  return fd;
}

void write_all(int fd, const Chunks& chunks, const std::string& path) {
  for (std::span<const std::byte> bytes : chunks) {
    while (!bytes.empty()) {
      const ssize_t written = retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
      if (written < 0) fail("write", path);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
}

// ---- where a path leads ----

struct Target {
  std::string path;                     // symbolic links followed
  std::optional<struct stat> existing;  // of what is there
  bool replaceable = true;              // a regular file, or nothing yet
  int descriptor = -1;                  // that the path stands for, if it does
};

// 1 from "-", "/dev/fd/1" and "/proc/self/fd/1": such names open files that are open already.
std::optional<int> open_descriptor(const std::string& path) {
  if (path == "-") return STDOUT_FILENO;
  for (const std::string_view folder : {"/proc/self/fd/", "/dev/fd/"}) {
    int number = 0;
    const char* const end = path.data() + path.size();
    if (path.starts_with(folder) && std::from_chars(path.data() + folder.size(), end, number).ptr == end) return number;
  }
  return {};
}

// Links are followed one by one, because the last may point to what is not there yet, and because /dev/stdout is one.
Target target_of(const std::string& path) {
  fs::path at = path;
  for (int links = 0; links < 40; links++) {
    if (const auto descriptor = open_descriptor(at.string())) return {path, {}, false, *descriptor};
    std::error_code none;
    const fs::path next = fs::read_symlink(at, none);
    if (none) break;
    at = next.is_absolute() ? next : at.parent_path() / next;
  }
  struct stat status {};
  if (::stat(at.c_str(), &status) < 0) return {at.string(), {}, true};
  return {at.string(), status, S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)};  // a folder fails at the rename
}

// ---- replacing ----

constexpr std::string_view temporary_suffix = ".tmp";
constexpr size_t random_digits = 12;

// "name.0123456789ab.tmp": no two processes, on no two machines, choose the same one.
std::string temporary_for(const std::string& path) {
  uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) < 0) bits = static_cast<uint64_t>(::getpid());
  char digits[random_digits + 1];
  std::snprintf(digits, sizeof digits, "%012llx", static_cast<unsigned long long>(bits & 0xffff'ffff'ffff));
  constexpr size_t longest_name = 255 - random_digits - 1 - temporary_suffix.size();
  const fs::path file(path);
  const std::string name = file.filename().string().substr(0, longest_name);
  return (file.parent_path() / (name + '.' + digits + std::string(temporary_suffix))).string();
}

// A rename is on disk once its folder is. Some file systems cannot sync a folder and say EINVAL.
void sync_folder_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const Descriptor file(open_file(folder, O_RDONLY | O_DIRECTORY, "open the folder"));
  if (retry([&] { return ::fsync(file); }) < 0 && errno != EINVAL) fail("sync the folder", folder);
}

void write_temporary(const std::string& temporary, const Chunks& chunks, const Target& target,
                     const std::string& path) {
  Descriptor file(retry([&] { return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
  if (file < 0) fail("write", path);
  if (target.existing) {  // its owner only if that is allowed, and the mode last, because a new owner takes bits away
    const struct stat& old = *target.existing;
    if (::fchown(file, old.st_uid, old.st_gid) < 0) best_effort(::fchown(file, static_cast<uid_t>(-1), old.st_gid));
    if (::fchmod(file, old.st_mode & 07777) < 0) fail("write", path);
  }
  write_all(file, chunks, path);
  if (retry([&] { return ::fsync(file); }) < 0) fail("sync", path);
  if (file.close() < 0) fail("close", path);
}

void replace(const Target& target, const Chunks& chunks, const std::string& path) {
  const std::string temporary = temporary_for(target.path);
  try {
    write_temporary(temporary, chunks, target, path);
    if (std::rename(temporary.c_str(), target.path.c_str()) < 0) fail("write", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(target.path);
}

}  // namespace

// ---- reading ----

InputFile::InputFile(const std::string& path)
    : path_(path), fd_(open_file(path, O_RDONLY | O_NONBLOCK, "read")) {  // a named pipe must not make it wait
  struct stat status {};
  const bool regular = ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
  if (!regular) ::close(fd_);
  check<DataError>(regular, "cannot read ", path, ": not a file");
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(fd_); }

void InputFile::read_at(uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = retry([&] { return ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset)); });
    if (got < 0) fail("read", path_);
    check<DataError>(got > 0, path_, ": the file became shorter while it was read");
    into = into.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

std::string read_file(const std::string& path) {
  const Descriptor file(open_file(path, O_RDONLY, "read"));
  std::string bytes;
  struct stat status {};
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) bytes.reserve(static_cast<size_t>(status.st_size) + 1);
  for (char piece[1 << 16];;) {
    const ssize_t got = retry([&] { return ::read(file, piece, sizeof piece); });
    if (got < 0) fail("read", path);
    if (got == 0) return bytes;
    bytes.append(piece, static_cast<size_t>(got));
  }
}

// ---- writing ----

void write_file(const std::string& path, const Chunks& chunks) {
  const Target target = target_of(path);
  if (target.replaceable) {  // what may not be written to may not be replaced either
    if (target.existing && ::faccessat(AT_FDCWD, target.path.c_str(), W_OK, AT_EACCESS) < 0) fail("write", path);
    return replace(target, chunks, path);
  }
  if (target.descriptor >= 0) return write_all(target.descriptor, chunks, path);
  Descriptor file(open_file(path, O_WRONLY, "write"));
  write_all(file, chunks, path);
  if (file.close() < 0) fail("close", path);
}

void write_file(const std::string& path, std::string_view content) {
  write_file(path, Chunks{std::as_bytes(std::span(content))});
}

bool is_replaceable(const std::string& path) { return target_of(path).replaceable; }

std::optional<std::string> destination_of_temporary(std::string_view name) {
  const size_t added = 1 + random_digits + temporary_suffix.size();
  if (name.size() <= added || !name.ends_with(temporary_suffix) || name[name.size() - added] != '.') return {};
  const std::string_view digits = name.substr(name.size() - added + 1, random_digits);
  if (digits.find_first_not_of("0123456789abcdef") != digits.npos) return {};
  return std::string(name.substr(0, name.size() - added));
}

// ---- locking ----

namespace {

constexpr std::string_view lock_text = "process ";  // and who

// Whether the file that was opened still is the one of that name, and no link to it.
bool is_at(int fd, const std::string& path) {
  struct stat mine {
  }, there{};
  return ::fstat(fd, &mine) == 0 && ::lstat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

std::string first_bytes(int fd) {
  char bytes[256] = {};
  return ::pread(fd, bytes, sizeof bytes - 1, 0) > 0 ? bytes : "";
}

}  // namespace

std::optional<FileLock> FileLock::try_lock(const std::string& path, std::string* holder) {
  for (;;) {
    Descriptor file(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, "lock"));
    if (retry([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return FileLock(path, file.release(), false);
      if (holder != nullptr) *holder = first_bytes(file);
      return {};
    }
    // Whoever had it before may have removed the file since it was opened here: a lock on that would keep nobody out.
    if (!is_at(file, path)) continue;
    struct stat status {};
    const bool empty = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0;
    check<DataError>(empty || first_bytes(file).starts_with(lock_text), "cannot lock ", path,
                     ": something else has that name; move it away");
    char host[128] = "this machine";
    best_effort(::gethostname(host, sizeof host - 1));
    const std::string me = text(lock_text, ::getpid(), " on ", host);
    best_effort(::ftruncate(file, 0));
    best_effort(::pwrite(file, me.data(), me.size(), 0));
    return FileLock(path, file.release(), true);
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), holds_(other.holds_) {}

bool FileLock::in_place() const { return !holds_ || is_at(fd_, path_); }

FileLock::~FileLock() {
  if (fd_ < 0) return;
  if (holds_ && in_place()) ::unlink(path_.c_str());
  ::close(fd_);
}

TemporaryFolder::TemporaryFolder(const std::string& name)
    : path_((std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string()) {
  check<DataError>(mkdtemp(path_.data()) != nullptr, "cannot make a folder '", path_, "': ", std::strerror(errno));
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace forger
