// Runs that are killed, at any moment, beside others that want the same folder, and with the disk full: what a run has
// reported as written is there and whole, and it ends as if nothing had happened.
#include <sys/mount.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;
namespace fs = std::filesystem;

namespace {

// A file system of its own that can be filled up; an ordinary folder where mounting is not allowed.
class Disk {
 public:
  Disk(std::string path, size_t bytes) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) == 0;
  }
  ~Disk() {
    if (mounted_) umount(path_.c_str());
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  bool mounted() const { return mounted_; }
  // Leaves so much room.
  void fill(size_t room) const {
    const fs::space_info space = fs::space(path_);
    if (space.available > room) write_file(path_ + "/filler", std::string(space.available - room, 'x'));
  }
  void empty() const { fs::remove(path_ + "/filler"); }

 private:
  std::string path_;
  bool mounted_;
};

bool is_whole_checkpoint(const std::string& bytes) {
  uint64_t header = 0;
  if (bytes.size() < 8) return false;
  std::memcpy(&header, bytes.data(), 8);
  if (bytes.size() < 8 + header) return false;
  uint64_t end = 0;
  const auto parsed = nlohmann::json::parse(bytes.substr(8, header));
  for (const auto& [name, entry] : parsed.items())
    if (name != "__metadata__") end = std::max<uint64_t>(end, entry.at("data_offsets").at(1));
  return bytes.size() == 8 + header + end;
}

bool is_whole_png(const std::string& bytes) { return bytes.starts_with("\x89PNG") && bytes.find("IEND") != bytes.npos; }

// Everything that the process said it had written, and every file that has a final name.
void check_kept(const std::string& run, const Result& result) {
  int64_t reported = -1;
  for (const std::string& line : lines(result.err)) {
    if (line.starts_with("step ") && line.find(": checkpoint ") != line.npos)
      reported = std::atol(line.c_str() + std::strlen("step "));
    if (line.find(": samples ") != line.npos) CHECK(is_whole_png(read_file(line.substr(line.find(": samples ") + 10))));
  }
  int64_t newest = -1;
  for (const std::string& name : names_in(run + "/checkpoints")) {
    if (name.ends_with(".tmp")) continue;
    INFO(name);
    CHECK(is_whole_checkpoint(read_file(run + "/checkpoints/" + name)));
    newest = std::max<int64_t>(newest, std::atol(name.c_str() + std::strlen("step-")));
  }
  CHECK(newest >= reported);
}

struct Plan {
  int kills;
  unsigned seed;
  int64_t steps;
  bool rivals_and_full_disks;  // each in a tenth of the kills
};

void survive(const Plan& plan) {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), whole = scratch / "whole", disk_path = scratch / "disk",
                    run = disk_path + "/run";
  const Words more{"--steps", std::to_string(plan.steps), "--checkpoint-every", "2", "--preview-every", "3"};
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(forger(tiny_training("dcgan", data, whole, more)).code == 0);
  const auto whole_time = std::chrono::steady_clock::now() - start;
  const size_t size = read_file(newest_checkpoint(whole)).size();
  const Disk disk(disk_path, 64 * size + (size_t{32} << 20));
  if (plan.rivals_and_full_disks && !disk.mounted())
    std::cout << "skipped: filling up a small file system needs root" << std::endl;

  std::minstd_rand random(plan.seed);
  const auto command = [&] {
    return fs::exists(run + "/config.toml") ? Words{"train", "--resume", run} : tiny_training("dcgan", data, run, more);
  };
  int refused = 0, full = 0;
  for (int i = 0; i < plan.kills; i++) {
    INFO("kill " << i);
    const bool rivals = plan.rivals_and_full_disks && i % 10 == 3;
    const bool filled = plan.rivals_and_full_disks && i % 10 == 7 && disk.mounted();
    // The first of each kind goes on until it is found out, so that one is, however slow the machine.
    const bool full_for_certain = filled && full == 0, refused_for_certain = rivals && refused == 0;
    if (filled) disk.fill(full_for_certain ? 0 : random() % (2 * size));
    Process process(command());
    std::unique_ptr<Process> rival;
    if (rivals) rival = std::make_unique<Process>(command());
    if (full_for_certain) wait_until([&] { return !process.running(); });
    if (refused_for_certain) wait_until([&] { return !process.running() || !rival->running(); });
    // On average all of the training, in pieces; a rival and a full disk are given the time to be found out.
    std::this_thread::sleep_for(whole_time * 2 / plan.kills * (random() % 1000) / 1000 +
                                std::chrono::milliseconds(random() % (rivals || filled ? 300 : 100)));
    process.signal(SIGKILL);
    const Result result = process.wait();
    CHECK((result.code == 137 || result.code == 0 || (rivals && result.code == 1) || (filled && result.code == 1)));
    full += filled && result.code == 1;
    if (rival) {
      rival->signal(SIGKILL);
      const Result other = rival->wait();
      const bool busy = other.err.find("is in use by another forger") != other.err.npos ||
                        result.err.find("is in use by another forger") != result.err.npos;
      refused += busy;
      // Two that got to the folder would both have reported what they wrote.
      const auto wrote = [](const Result& r) { return r.err.find(": checkpoint ") != r.err.npos; };
      CHECK_FALSE((busy && wrote(other) && wrote(result)));
      check_kept(run, other);
    }
    check_kept(run, result);
    if (filled) disk.empty();
  }
  if (plan.rivals_and_full_disks) {
    CHECK(refused > 0);
    CHECK((full > 0 || !disk.mounted()));
    std::cout << plan.kills << " kills: " << refused << " rivals refused, " << full << " full disks" << std::endl;
  }
  const Result last = forger(command());
  INFO(last.err);
  REQUIRE(last.code == 0);
  CHECK((read_file(newest_checkpoint(whole)) == read_file(newest_checkpoint(run))));
  CHECK(timeless_metrics(whole) == timeless_metrics(run));
  for (const std::string& name : names_in(run + "/checkpoints")) CHECK(name.ends_with(".safetensors"));
  CHECK(names_in(run + "/samples") == names_in(whole + "/samples"));
}

}  // namespace

TEST_CASE("kill -9 at any moment loses nothing that was reported", "[train]") { survive({8, 1, 200, false}); }
TEST_CASE("kill -9 beside a rival and with the disk full", "[train]") { survive({20, 3, 400, true}); }
TEST_CASE("kill -9 a thousand times", "[train][long]") { survive({1000, 2, 4000, true}); }
