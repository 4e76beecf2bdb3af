// A process belongs to one group of each hierarchy that is mounted, and to all groups above it; the least of their
// quotas holds.
//
//   /proc/self/cgroup        version 2   0::/a/b              version 1   4:cpu,cpuacct:/a/b
//   /sys/fs/cgroup/...                   a/b/cpu.max                      cpu,cpuacct/a/b/cpu.cfs_quota_us
//                                        "150000 100000"                  "150000", and cpu.cfs_period_us
//   no limit                             "max 100000"                     "-1"
//
// A container may see its own group mounted where the path in /proc would have the host's: folders that are not there
// are passed over, and the last one looked at is the mounted one itself.
#include "kernels/cpu/available_threads.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/kernels.h"

namespace forger::kernels {
namespace {

namespace fs = std::filesystem;

std::optional<int> cores(const fs::path& quota_file, const fs::path& period_file) {
  std::ifstream quotas(quota_file), periods(period_file);
  double quota = 0, period = 0;
  if (!(quotas >> quota && (quota_file == period_file ? quotas : periods) >> period)) return std::nullopt;
  if (!(quota > 0 && period > 0)) return std::nullopt;
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, 1e6));
}

// The cores in the affinity mask. It may be longer than cpu_set_t: the system refuses a set that cannot hold it.
int cores_to_run_on() {
  for (size_t size = CPU_SETSIZE; size <= (size_t{1} << 20); size *= 2) {
    cpu_set_t* const set = CPU_ALLOC(size);
    const size_t bytes = CPU_ALLOC_SIZE(size);
    const bool known = set && sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return std::max(count, 1);
  }
  return 1;
}

}  // namespace

std::optional<int> first_number(const std::string& list) {
  const size_t begin = std::min(list.find_first_not_of(" \t"), list.size());
  int number = 0;
  const auto [end, error] = std::from_chars(list.data() + begin, list.data() + list.size(), number);
  const size_t rest = list.find_first_not_of(" \t", static_cast<size_t>(end - list.data()));
  if (error != std::errc() || number < 1 || (rest != std::string::npos && list[rest] != ',')) return std::nullopt;
  return number;
}

std::optional<int> cpu_quota(const std::string& root) {
  std::optional<int> least;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:/path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const fs::path mount = root + "/sys/fs/cgroup/" + controllers;
    fs::path group = fs::path(line.substr(second + 1)).lexically_normal().relative_path();
    for (;; group = group.parent_path()) {
      const fs::path folder = mount / group;
      const auto quota = unified ? cores(folder / "cpu.max", folder / "cpu.max")
                                 : cores(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us");
      if (quota) least = std::min(*quota, least.value_or(*quota));
      if (group.empty()) break;
    }
  }
  return least;
}

int available_threads() {
  const char* const wish = std::getenv("OMP_NUM_THREADS");
  if (const auto number = first_number(wish ? wish : "")) return *number;
  const int cores = cores_to_run_on();
  return std::min(cores, cpu_quota().value_or(cores));
}

}  // namespace forger::kernels
