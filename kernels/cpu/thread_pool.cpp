#include "kernels/cpu/thread_pool.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace forger::kernels {
namespace {

// What a list holds besides a number of jobs.
constexpr uint32_t closed = UINT32_MAX, asleep = closed - 1;
bool holds_jobs(uint32_t left) { return left != 0 && left < asleep; }

constexpr uint32_t caller_sleeps = 1u << 31;  // in the word of the run

// The system's wait on a word: std::atomic's would first give up the core several times, and then be the last to get it
// back. `sleep` returns at once when the word is not `expected`, and may return for no reason.
void sleep(std::atomic<uint32_t>& word, uint32_t expected) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void wake(std::atomic<uint32_t>& word) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits for ready() without sleeping; false when it took too long.
template <class F>
bool look_out(const F& ready) {
  constexpr int looks = 32;  // at a time, between two looks at the clock
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + ThreadPool::lookout;
  do {
    for (int i = 0; i < looks; i++, pause())
      if (ready()) return true;
  } while (Clock::now() < end);
  return false;
}

}  // namespace

ThreadPool::ThreadPool() : lists_(std::make_unique<List[]>(most_threads)) {}

ThreadPool::~ThreadPool() { close(); }

void ThreadPool::run(int64_t n, int64_t threads, Job job, const void* context) {
  if (n < 2 || threads < 2 || taken_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < n; i++) job(context, i);
    return;
  }
  const int64_t wanted = std::min({n, threads, most_threads});
  hire(wanted);
  const int64_t size = std::min(wanted, workers() + 1);
  jobs_ = n, job_ = job, context_ = context;
  size_.store(size, std::memory_order_relaxed);
  unfinished_.store(static_cast<uint32_t>(n), std::memory_order_relaxed);
  for (int64_t list = size - 1; list >= 0; list--) {
    std::atomic<uint32_t>& left = lists_[list].left;
    if (left.exchange(length(list), std::memory_order_release) == asleep) wake(left);
  }
  work(0);
  wait_for_others();
  const std::exception_ptr failure = std::exchange(failure_, nullptr);
  taken_.store(false, std::memory_order_release);
  if (failure) std::rethrow_exception(failure);
}

void ThreadPool::close() {
  if (taken_.exchange(true, std::memory_order_acquire)) return;
  for (int64_t list = 1; list <= workers(); list++) {
    if (lists_[list].left.exchange(closed, std::memory_order_release) == asleep) wake(lists_[list].left);
  }
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::hire(int64_t threads) {
  try {
    while (workers() + 1 < threads && !refused_) workers_.emplace_back([this, list = workers() + 1] { serve(list); });
  } catch (const std::exception&) {  // std::system_error, or no memory for one
    refused_ = true;                 // not asked again: it would cost each run a system call
  }
}

void ThreadPool::serve(int64_t list) {
  std::atomic<uint32_t>& left = lists_[list].left;
  const auto called = [&] { return left.load(std::memory_order_acquire) != 0; };
  for (;;) {
    if (!look_out(called)) {
      uint32_t none = 0;
      if (left.compare_exchange_strong(none, asleep)) {
        while (left.load(std::memory_order_acquire) == asleep) sleep(left, asleep);
      }
    }
    if (left.load(std::memory_order_acquire) == closed) return;
    work(list);
  }
}

void ThreadPool::work(int64_t list) {
  const int64_t size = size_.load(std::memory_order_relaxed);
  for (int64_t k = 0; k < size; k++) {
    while (const auto job = take((list + k) % size)) perform(*job);
  }
}

uint32_t ThreadPool::length(int64_t list) const {
  const int64_t size = size_.load(std::memory_order_relaxed);
  return static_cast<uint32_t>((jobs_ - list + size - 1) / size);
}

// Nobody needs to know which run a word belongs to: a job that was taken is one of the run in progress, which cannot
// end before the job has, so only now what describes the run may be read.
std::optional<int64_t> ThreadPool::take(int64_t list) {
  std::atomic<uint32_t>& left = lists_[list].left;
  uint32_t count = left.load(std::memory_order_relaxed);
  while (holds_jobs(count)) {
    if (left.compare_exchange_weak(count, count - 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      return list + size_.load(std::memory_order_relaxed) * (length(list) - count);
    }
  }
  return std::nullopt;
}

void ThreadPool::perform(int64_t i) noexcept {
  try {
    job_(context_, i);
  } catch (...) {
    const std::lock_guard lock(failing_);
    if (!failure_ || i < failed_) failed_ = i, failure_ = std::current_exception();
  }
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == (caller_sleeps | 1)) wake(unfinished_);
}

void ThreadPool::wait_for_others() {
  if (look_out([&] { return unfinished_.load(std::memory_order_acquire) == 0; })) return;
  uint32_t left = unfinished_.fetch_or(caller_sleeps, std::memory_order_acquire) | caller_sleeps;
  while (left != caller_sleeps) {
    sleep(unfinished_, left);
    left = unfinished_.load(std::memory_order_acquire);
  }
}

ThreadPool& thread_pool() {
  static ThreadPool& pool = *new ThreadPool;  // outlives what other statics may still compute
  struct Closing {
    ~Closing() { pool.close(); }
  };
  static const Closing closing;
  return pool;
}

}  // namespace forger::kernels
