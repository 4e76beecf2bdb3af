// Where the time goes, op by op. A Profile is a stopwatch with laps: whatever passed since the last lap belongs to the
// op that ends with this one. Ops lap by themselves when they are recorded, gradients when their closure returns,
// optimisers at the end of a step; nested work has lapped before, so times add up to the whole. Waiting devices only:
// on a GPU launches return at once, and a lap measures the queueing.
#pragma once
#include <chrono>
#include <map>
#include <string>

namespace forger {

class Profile {
 public:
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;
    double flops = 0;  // of convolutions and matrix products, by their definition whatever the algorithm
    double bytes = 0;  // of the tensors that go in and out
  };

  Profile();  // runs until it is destroyed, on this thread; one at a time
  ~Profile();
  Profile(const Profile&) = delete;
  static Profile* active() { return active_; }

  // What the op that laps next is doing: its operations, and a word to tell it from others of its name.
  void announce(double flops, std::string what);
  void lap(const std::string& op, double bytes = 0);
  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  using Clock = std::chrono::steady_clock;
  static thread_local Profile* active_;
  Clock::time_point last_ = Clock::now();
  double flops_ = 0;
  std::string what_;
  std::map<std::string, Entry> entries_;
};

}  // namespace forger
