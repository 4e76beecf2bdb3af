// Where the time goes, op by op. A Profile is a stopwatch with laps: whatever passed since the last lap belongs to the
// op that ends with this one. Ops lap by themselves when they are recorded, gradients when their closure returns,
// optimisers at the end of a step; nested work has lapped before, so times add up to the whole. Waiting devices only:
// on a GPU launches return at once, and a lap measures the queueing.
#pragma once
#include <chrono>
#include <map>
#include <span>
#include <string>

#include "core/tensor.h"

namespace forger {

class Profile {
 public:
  // What ops of one name did.
  struct Work {
    double flops = 0;       // of convolutions and matrix products, by their definition
    double true_flops = 0;  // by the algorithm that ran: fewer with Winograd
    double bytes = 0;       // of the tensors that go in and out
  };
  struct Entry : Work {
    int64_t calls = 0;
    double seconds = 0;
  };

  Profile();  // runs until it is destroyed, on this thread; one at a time
  ~Profile();
  Profile(const Profile&) = delete;
  static Profile* active() { return active_; }

  // What the op that laps next is doing, beyond the bytes of its lap, and a word to tell it from others of its name.
  void announce(const Work& work, std::string what = {});
  void lap(const std::string& op, double bytes = 0);
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  using Clock = std::chrono::steady_clock;
  static thread_local Profile* active_;
  Clock::time_point last_ = Clock::now();
  Work work_;
  std::string what_;
  std::map<std::string, Entry> entries_;
};

double bytes_of(std::span<const Tensor> tensors);  // undefined ones skipped

}  // namespace forger
