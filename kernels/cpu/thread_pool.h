// Threads that stand ready: the kernels hand them a few microseconds of work, thousands of times a second.
//
// A run is a number of jobs, dealt to lists, one for each thread, the caller's first:
//
//   run(7 jobs, 3 threads)        list 0 (caller)   0 3 6
//                                 list 1 (worker)   1 4
//                                 list 2 (worker)   2 5
//
// A thread works off its own list and then takes from the others', so a worker that the system does not schedule costs
// nothing before it has begun a job. Who runs which job is left to chance; what a job computes must not be. With a job
// per thread each usually gets the same one as last time, and finds its data in its cache.
//
// There is no barrier. Where a phase needs all of the one before (gemm.h), it is a run of its own: nobody ever waits
// for a thread that has nothing to contribute, and it does not matter how many threads really came.
//
// Waiting is what decides the speed. Waking a thread takes the system some 50 microseconds, longer than most kernels
// run, so a thread without work looks out for it for a moment. But where cores are shared, a core spent on looking out
// is taken from the one who was waited for: libgomp, which looks out for milliseconds, made training 8 to 45 times
// slower beside one busy process. Here all sleep after `lookout`, the caller too. All of it hangs on two 32-bit words:
//
//   a list's   jobs that nobody took, or `asleep`, or `closed`
//   a run's    jobs that are not done, and a bit that says that the caller sleeps
//
// Both say in one atomic step whether there is somebody to wake: nobody is woken in vain, and nobody is forgotten.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

class ThreadPool {
 public:
  using Job = void (*)(const void* context, int64_t i);

  static constexpr int64_t most_threads = 1024;
  // Longer than the pauses between the kernels of a training step, shorter than what a neighbour notices.
  static constexpr std::chrono::microseconds lookout{50};

  ThreadPool();
  ~ThreadPool();  // waits for the workers; there must be no run in progress
  ThreadPool(const ThreadPool&) = delete;

  // Calls job(context, i) once for each 0 <= i < n, n below 2^31, on up to `threads` threads, this one among them;
  // returns when all are done. Workers are hired when they are first needed; those that the system refuses are done
  // without. While a run is in progress, a second one, from another thread or from inside a job, happens in place.
  // What the lowest job threw, if any did, is thrown again here; whether the jobs above it were run is unspecified.
  void run(int64_t n, int64_t threads, Job job, const void* context);

  // Sends the workers home, unless there is a run in progress; all that follows happens in place.
  void close();

  int64_t workers() const { return static_cast<int64_t>(workers_.size()); }

 private:
  // Processors fetch lines of 64 bytes in pairs: what different threads write lies in different pairs.
  static constexpr size_t apart = 128;

  struct alignas(apart) List {
    std::atomic<uint32_t> left{0};
  };

  void hire(int64_t threads);
  void work(int64_t list);
  std::optional<int64_t> take(int64_t list);
  void perform(int64_t i) noexcept;
  void serve(int64_t list);
  uint32_t length(int64_t list) const;  // the jobs that the run gave it
  void wait_for_others();

  const std::unique_ptr<List[]> lists_;
  std::vector<std::thread> workers_;  // worker i has list i + 1
  bool refused_ = false;              // the system has no more threads to give

  // The run. Written by its caller while no job is left to take, read by those who have taken one.
  alignas(apart) int64_t jobs_ = 0;
  Job job_ = nullptr;
  const void* context_ = nullptr;
  std::atomic<int64_t> size_{1};  // lists that it is dealt to

  std::mutex failing_;
  std::exception_ptr failure_;
  int64_t failed_ = 0;  // the job that threw it

  alignas(apart) std::atomic<uint32_t> unfinished_{0};
  alignas(apart) std::atomic<bool> taken_{false};  // by a run, or for good
};

ThreadPool& thread_pool();  // the one of the CPU backend; closed when the program ends

// f(i) once for each 0 <= i < n on up to threads() threads: see ThreadPool::run.
template <class F>
void parallel_jobs(int64_t n, const F& f) {
  thread_pool().run(
      n, threads(), [](const void* context, int64_t i) { (*static_cast<const F*>(context))(i); }, &f);
}

}  // namespace forger::kernels
