// Files: replaced whole, written through where replacing would be wrong, locked. Escapes that keep any name.
#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/utf8.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::test;
namespace fs = std::filesystem;

namespace {

void put(const std::string& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("file: replaced whole, whatever a killed process left beside it") {
  const TemporaryFolder folder;
  const std::string path = folder.file("report.html");
  write_file(path, "first");
  CHECK(read_file(path) == "first");
  write_file(path, "second");
  CHECK(read_file(path) == "second");
  write_file(path, "");
  CHECK(read_file(path).empty());
  CHECK(entries_of(folder) == 1);
  CHECK(message_of<DataError>([&] { read_file(folder.file("none")); }) ==
        "cannot read " + folder.file("none") + ": No such file or directory");
}

TEST_CASE("file: temporaries are known by their names") {
  CHECK(destination_of_temporary("log.txt.0123456789ab.tmp") == "log.txt");
  for (const char* name : {"log.txt.tmp", "log.txt.0123456789ab.txt", "log.txt.0123456789aX.tmp", ".0123456789ab.tmp",
                           "log.txt-0123456789ab.tmp", ""})
    CHECK_FALSE(destination_of_temporary(name).has_value());
}

TEST_CASE("file: a path without a folder is written to the current one") {
  const TemporaryFolder folder;
  const auto before = fs::current_path();
  fs::current_path(folder.file(""));
  CHECK_NOTHROW(write_file("plain.txt", "x"));
  fs::current_path(before);
  CHECK(read_file(folder.file("plain.txt")) == "x");
}

TEST_CASE("file: the longest name there can be") {
  const TemporaryFolder folder;
  const std::string path = folder.file(std::string(255, 'n'));
  write_file(path, "x");
  CHECK(read_file(path) == "x");
  CHECK(entries_of(folder) == 1);
}

TEST_CASE("file: a mode stays, and a link stays a link") {
  const TemporaryFolder folder;
  const std::string path = folder.file("kept"), link = folder.file("link"), dangling = folder.file("dangling");
  put(path, "old");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  write_file(path, "new");
  CHECK(mode_of(path) == 0640);
  fs::create_symlink("kept", link);
  write_file(link, "through the link");
  CHECK(fs::is_symlink(link));
  CHECK(read_file(path) == "through the link");
  CHECK(mode_of(path) == 0640);
  fs::create_symlink("later", dangling);
  write_file(dangling, "made");
  CHECK(fs::is_symlink(dangling));
  CHECK(read_file(folder.file("later")) == "made");
  CHECK(entries_of(folder) == 4);
}

TEST_CASE("file: devices and pipes are written to, not replaced") {
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe"), null = folder.file("null"), received = folder.file("received");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_FALSE(is_replaceable(pipe));
  std::string got;
  std::thread reader([&] { got = read_file(pipe); });
  write_file(pipe, std::string(100'000, 'x'));  // more than a pipe holds
  reader.join();
  CHECK(got == std::string(100'000, 'x'));
  CHECK(fs::is_fifo(pipe));

  if (::mknod(null.c_str(), S_IFCHR | 0600, ::makedev(1, 3)) == 0) {  // a /dev/null of its own; only root may
    write_file(null, "gone");
    CHECK(fs::is_character_file(null));
  }
  CHECK_FALSE(is_replaceable("/dev/null"));
  CHECK_FALSE(is_replaceable("-"));
  CHECK(message_of<DataError>([] { write_file("/dev/full", "x"); }) ==
        "cannot write /dev/full: No space left on device");

  // What stands for an open file is written to: the shell that opened it would not see another file of its name.
  const int opened = ::open(received.c_str(), O_RDWR | O_CREAT, 0600);
  REQUIRE(opened >= 0);
  write_file("/proc/self/fd/" + std::to_string(opened), "into the open file");
  char text[64] = {};
  CHECK(::pread(opened, text, sizeof text, 0) == 18);
  CHECK(std::string(text) == "into the open file");
  ::close(opened);
}

TEST_CASE("file: a lock keeps others out until it goes, and is the kernel's to release") {
  const TemporaryFolder folder;
  const std::string path = folder.file(".lock");
  std::string holder;
  {
    const auto mine = FileLock::try_lock(path);
    REQUIRE(mine.has_value());
    CHECK(mine->holds());
    CHECK_FALSE(FileLock::try_lock(path, &holder).has_value());  // flock's locks are of open files, not of processes
    CHECK(holder.starts_with("process " + std::to_string(::getpid()) + " on "));
  }
  CHECK(entries_of(folder) == 0);

  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::try_lock(path);
    if (::write(ready[1], lock ? "y" : "n", 1) == 1) ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  CHECK_FALSE(FileLock::try_lock(path, &holder).has_value());
  CHECK(holder.starts_with("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(FileLock::try_lock(path).has_value());  // the file it left is no lock
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("file: a lock takes no file of somebody else's, follows no link, and removes none but its own") {
  const TemporaryFolder folder;
  const std::string path = folder.file(".lock"), target = folder.file("target");
  write_file(path, "how to pick one");
  CHECK(message_of<DataError>([&] { (void)FileLock::try_lock(path); }) ==
        "cannot lock " + path + ": something else has that name; move it away");
  CHECK(read_file(path) == "how to pick one");
  fs::remove(path);
  write_file(target, "");
  fs::create_symlink("target", path);
  CHECK_FALSE(message_of<DataError>([&] { (void)FileLock::try_lock(path); }).empty());
  CHECK(read_file(target).empty());
  fs::remove(path);
  {
    const auto first = FileLock::try_lock(path);
    REQUIRE(first.has_value());
    CHECK(first->in_place());
    fs::remove(path);  // as `rm -rf` of the folder does
    CHECK_FALSE(first->in_place());
    const auto second = FileLock::try_lock(path);
    REQUIRE(second.has_value());
    CHECK_FALSE(first->in_place());
  }
  write_file(path, "process 1 on a machine that lost its power");
  const auto third = FileLock::try_lock(path);
  CHECK(third.has_value());
}

TEST_CASE("file: what may not be written to may not be replaced either") {
  const TemporaryFolder folder;
  const std::string path = folder.file("kept");
  write_file(path, "kept");
  ::chmod(path.c_str(), 0444);
  fs::permissions(fs::path(path).parent_path(), fs::perms::all);
  const pid_t child = ::fork();  // root may write to everything: a process that is not root tries
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (::geteuid() == 0 && ::setuid(nobody) != 0) ::_exit(2);
    const std::string message = message_of<DataError>([&] { write_file(path, "new"); });
    ::_exit(message == "cannot write " + path + ": Permission denied" ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(read_file(path) == "kept");
}

TEST_CASE("file: of processes that lock, work and let go, one is in there at a time") {
  const TemporaryFolder folder;
  const std::string path = folder.file(".lock"), inside = folder.file("inside");
  std::vector<pid_t> children;
  for (int c = 0; c < 4; c++) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (int done = 0; done < 100;) {
      const auto lock = FileLock::try_lock(path);
      if (!lock) continue;
      if (::mkdir(inside.c_str(), 0700) != 0) ::_exit(1);  // somebody else is in there
      ::rmdir(inside.c_str());
      done++;
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
}

TEST_CASE("file: names of any bytes as UTF-8 and back") {
  CHECK(to_utf8("photos/cats") == "photos/cats");
  CHECK(to_utf8("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(to_utf8("caf\xe9") == "caf\\xe9");
  CHECK(to_utf8("a\\b") == "a\\b");
  CHECK(to_utf8("a\\x41") == "a\\x5cx41");
  CHECK(to_utf8("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80") == "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  CHECK(from_utf8("\\xe") == "\\xe");
  CHECK(from_utf8("\\xzz") == "\\xzz");
  std::mt19937 random(1);
  for (int i = 0; i < 2000; i++) {
    std::string bytes;
    for (int k = 0; k < 12; k++) bytes += i % 2 ? static_cast<char>(random() & 255) : "\\x5c\xc3\xa9 "[random() % 7];
    const std::string encoded = to_utf8(bytes);
    REQUIRE(from_utf8(encoded) == bytes);
  }
}
