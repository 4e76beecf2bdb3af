// The pool of threads: every job once, whoever runs it; nobody forgotten, nobody burning time.
#include "kernels/cpu/thread_pool.h"

#include <sanitizer/asan_interface.h>
#include <sys/resource.h>

#include <cstring>
#include <ctime>
#include <fstream>
#include <latch>
#include <stdexcept>
#include <string>

#include "kernels/cpu/parallel.h"
#include "tests/kernels/setting.h"
#include "tests/kernels/values.h"
#include "tests/message_of.h"

using namespace forger::kernels;

namespace {

template <class F>
void run(ThreadPool& pool, int64_t n, int64_t threads, const F& f) {
  pool.run(
      n, threads, [](const void* context, int64_t i) { (*static_cast<const F*>(context))(i); }, &f);
}

// How often each of n jobs ran.
std::vector<int> counts(ThreadPool& pool, int64_t n, int64_t threads) {
  std::vector<std::atomic<int>> each(static_cast<size_t>(n));
  run(pool, n, threads, [&](int64_t i) { each[i]++; });
  return std::vector<int>(each.begin(), each.end());
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

TEST_CASE("pool: every job runs once", "[threads]") {
  ThreadPool pool;
  for (const int64_t threads : {1, 2, 5, 3}) {
    for (const int64_t n : {0, 1, 2, 3, 5, 7, 1000}) {
      INFO(n << " jobs, " << threads << " threads");
      CHECK(counts(pool, n, threads) == std::vector<int>(static_cast<size_t>(n), 1));
    }
  }
  CHECK(pool.workers() == 4);
}

TEST_CASE("pool: a run sees all that the one before it wrote", "[threads]") {
  ThreadPool pool;
  constexpr int64_t n = 4;
  std::vector<int64_t> from(n, 1), to(n);
  for (int round = 0; round < 2000; round++) {
    run(pool, n, 3, [&](int64_t i) { to[i] = (from[0] + from[1] + from[2] + from[3]) / n + 1; });
    std::swap(from, to);
  }
  CHECK(from == std::vector<int64_t>(n, 2001));
}

TEST_CASE("pool: jobs run at the same time", "[threads]") {
  ThreadPool pool;
  std::latch all_here(3);
  run(pool, 3, 3, [&](int64_t) { all_here.arrive_and_wait(); });
  CHECK(all_here.try_wait());
}

TEST_CASE("pool: whoever is free takes what another has not begun", "[threads]") {
  ThreadPool pool;
  for (int round = 0; round < 20; round++) {
    std::atomic<int> done = 0;
    run(pool, 6, 2, [&](int64_t i) {  // the worker's list is 1, 3, 5
      while (i == 1 && done != 5) std::this_thread::yield();
      done++;
    });
    CHECK(done == 6);
  }
}

TEST_CASE("pool: a run inside a job happens in place", "[threads]") {
  ThreadPool pool;
  std::atomic<int> ran = 0, elsewhere = 0;
  run(pool, 4, 2, [&](int64_t) {
    const auto here = std::this_thread::get_id();
    run(pool, 3, 2, [&](int64_t) {
      ran++;
      if (std::this_thread::get_id() != here) elsewhere++;
    });
  });
  CHECK(ran == 12);
  CHECK(elsewhere == 0);
}

TEST_CASE("pool: several threads may call at once", "[threads]") {
  ThreadPool pool;
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; caller++) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; round++) run(pool, 5, 3, [&](int64_t i) { sum += i; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 3 * 500 * 10);
}

TEST_CASE("pool: what the lowest job throws reaches the caller", "[threads]") {
  using forger::test::message_of;
  ThreadPool pool;
  for (const int64_t threads : {1, 2, 3}) {
    for (int round = 0; round < 50; round++) {
      const std::string message = message_of<std::runtime_error>([&] {
        run(pool, 20, threads, [](int64_t i) {
          if (i % 7 == 3) throw std::runtime_error("job " + std::to_string(i));
        });
      });
      REQUIRE(message == "job 3");
    }
    CHECK(counts(pool, 20, threads) == std::vector<int>(20, 1));  // and it goes on
  }
}

TEST_CASE("pool: who waits sleeps", "[threads]") {
  ThreadPool pool;
  std::latch all_here(4);
  run(pool, 4, 4, [&](int64_t) { all_here.arrive_and_wait(); });
  const double before = cpu_seconds();
  run(pool, 2, 2, [&](int64_t i) {  // one thread sleeps in a job; the caller or a worker waits for it, two for work
    if (i == 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  });
  CHECK(cpu_seconds() - before < 0.1);  // 0.9 on free cores, if they did not
  CHECK(counts(pool, 100, 4) == std::vector<int>(100, 1));
}

TEST_CASE("pool: a closed one works in place", "[threads]") {
  ThreadPool pool;
  counts(pool, 3, 3);
  pool.close();
  CHECK(pool.workers() == 0);
  CHECK(counts(pool, 3, 3) == std::vector<int>(3, 1));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need all of the address space
TEST_CASE("pool: the work is done with the threads that the system gives", "[threads]") {
  ThreadPool pool;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit tight = before;
  tight.rlim_cur = pages * 4096 + (size_t{48} << 20);  // stacks for a few
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);
  const std::vector<int> each = counts(pool, 200, 64);
  setrlimit(RLIMIT_AS, &before);
  CHECK(each == std::vector<int>(200, 1));
  CHECK(pool.workers() < 63);
}
#endif

TEST_CASE("pool: a product inside a job has the bits of one outside", "[threads][matmul]") {
  const Setting setting(3, native_bytes);
  const MatmulShape s{.m = 200, .n = 150, .k = 700, .trans_b = true};
  const auto a = values<float>(s.m * s.k), b = values<float>(s.k * s.n, -2, 2, 2);
  const auto product = [&] {
    std::vector<float> c(static_cast<size_t>(s.m * s.n));
    Cpu<float>::matmul(s, a.data(), b.data(), c.data());
    return c;
  };
  const std::vector<float> outside = product();
  std::vector<std::vector<float>> inside(3);
  parallel_jobs(3, [&](int64_t i) { inside[i] = product(); });
  for (const std::vector<float>& c : inside) CHECK(same_bits(c, outside));
}

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("scratch memory: ends where the last request ends") {
  constexpr size_t longer = 4096, shorter = 100;
  char* memory = static_cast<char*>(scratch(Scratch::partial_sums, longer));
  CHECK_FALSE(__asan_address_is_poisoned(memory + longer - 1));
  memory = static_cast<char*>(scratch(Scratch::partial_sums, shorter));
  CHECK_FALSE(__asan_address_is_poisoned(memory + shorter - 1));
  CHECK(__asan_address_is_poisoned(memory + shorter));
  memory = static_cast<char*>(scratch(Scratch::partial_sums, longer));
  CHECK_FALSE(__asan_address_is_poisoned(memory + longer - 1));
}
#else  // which ends the program where memory is asked for that no machine has
TEST_CASE("scratch memory: what there is no room for leaves the slot fit for use") {
  constexpr size_t too_much = size_t{1} << 60, some = 4096;
  std::memset(scratch(Scratch::partial_sums, some), 1, some);
  CHECK_THROWS_AS(scratch(Scratch::partial_sums, too_much), std::bad_alloc);
  CHECK_THROWS_AS(scratch(Scratch::partial_sums, too_much), std::bad_alloc);
  std::memset(scratch(Scratch::partial_sums, 2 * some), 1, 2 * some);
}
#endif
