// Work on images that may fail: reading, decoding, resizing.
#pragma once
#include <exception>
#include <mutex>

#include "kernels/kernels.h"

namespace forger::metrics {

// f(i) for 0 <= i < n on all threads. What the lowest i threw, if any did, is thrown again here.
template <class F>
void on_threads(int64_t n, const F& f) {
  std::exception_ptr failure;
  int64_t failed = n;
  std::mutex mutex;
#pragma omp parallel for num_threads(kernels::threads()) schedule(dynamic, 1)
  for (int64_t i = 0; i < n; i++) {
    try {
      f(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed) failed = i, failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace forger::metrics
