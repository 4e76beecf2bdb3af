// Threads that may be used: the user's word, the affinity mask, the container's quota.
#include "kernels/cpu/available_threads.h"

#include <sched.h>

#include <cstdlib>

#include "kernels/kernels.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger::kernels;
using forger::test::Scratch;

namespace {

// OMP_NUM_THREADS for the length of a test; null: not set.
struct Wish {
  const char* const present = std::getenv("OMP_NUM_THREADS");
  const std::string before = present ? present : "";
  explicit Wish(const char* value) { set(value); }
  ~Wish() { set(present ? before.c_str() : nullptr); }
  static void set(const char* value) { value ? setenv("OMP_NUM_THREADS", value, 1) : unsetenv("OMP_NUM_THREADS"); }
};

}  // namespace

TEST_CASE("the first number of a list", "[threads]") {
  CHECK(first_number("4") == 4);
  CHECK(first_number("3,2,1") == 3);
  CHECK(first_number(" 8 , 2") == 8);
  for (const char* wrong : {"", " ", "0", "-2", "four", "4x", "1.5", "99999999999", ",4"}) {
    INFO('"' << wrong << '"');
    CHECK(!first_number(wrong));
  }
}

TEST_CASE("OMP_NUM_THREADS says how many threads may be used", "[threads]") {
  const Wish wish("3,1");
  CHECK(available_threads() == 3);
  Wish::set("many");
  const int machine = available_threads();
  CHECK(machine >= 1);
  Wish::set(nullptr);
  CHECK(available_threads() == machine);
}

TEST_CASE("one core to run on, one thread", "[threads]") {
  const Wish wish(nullptr);
  cpu_set_t before;
  if (sched_getaffinity(0, sizeof(before), &before) != 0) return;  // a machine of more cores than cpu_set_t has
  int core = 0;
  while (!CPU_ISSET(core, &before)) core++;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  const int threads = available_threads();
  sched_setaffinity(0, sizeof(before), &before);
  CHECK(threads == 1);
}

TEST_CASE("the quota of a control group, version 2", "[threads]") {
  const Scratch root;
  CHECK(!cpu_quota(root.path()));  // a system without control groups
  root.write("proc/self/cgroup", "0::/pod/box\n");
  CHECK(!cpu_quota(root.path()));
  root.write("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  CHECK(!cpu_quota(root.path()));
  root.write("sys/fs/cgroup/pod/cpu.max", "250000 100000\n");
  CHECK(cpu_quota(root.path()) == 3);  // the group above it
  root.write("sys/fs/cgroup/pod/box/cpu.max", "50000 100000\n");
  CHECK(cpu_quota(root.path()) == 1);
  root.write("sys/fs/cgroup/pod/box/cpu.max", "800000 100000\n");
  CHECK(cpu_quota(root.path()) == 3);  // the least holds
  root.write("sys/fs/cgroup/pod/cpu.max", "not a number\n");
  CHECK(cpu_quota(root.path()) == 8);
}

TEST_CASE("the quota of a container that sees its own group only", "[threads]") {
  for (const char* path : {"/docker/0123", "/", "/../0123"}) {
    const Scratch root;
    root.write("proc/self/cgroup", std::string("0::") + path + "\n");
    root.write("sys/fs/cgroup/cpu.max", "150000 100000\n");
    INFO(path);
    CHECK(cpu_quota(root.path()) == 2);
  }
}

TEST_CASE("the quota of a control group, version 1", "[threads]") {
  const Scratch root;
  root.write("proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/box\n1:name=systemd:/a:b\nnonsense\n0::/\n");
  root.write("sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "1000\n");
  root.write("sys/fs/cgroup/cpuset/other/cpu.cfs_period_us", "1000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  CHECK(!cpu_quota(root.path()));
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  CHECK(cpu_quota(root.path()) == 4);
  root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "100001\n");
  CHECK(cpu_quota(root.path()) == 2);
}
