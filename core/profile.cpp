#include "core/profile.h"

#include <utility>

namespace forger {

thread_local Profile* Profile::active_ = nullptr;

Profile::Profile() { active_ = this; }
Profile::~Profile() { active_ = nullptr; }

void Profile::announce(const Work& work, std::string what) {
  work_ = work;
  what_ = std::move(what);
}

void Profile::lap(const std::string& op, double bytes) {
  const Clock::time_point now = Clock::now();
  Entry& entry = entries_[what_.empty() ? op : op + ": " + what_];
  entry.calls++;
  entry.seconds += std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  const Work work = std::exchange(work_, {});
  entry.flops += work.flops;
  entry.true_flops += work.true_flops;
  entry.bytes += work.bytes + bytes;
  what_.clear();
}

double bytes_of(std::span<const Tensor> tensors) {
  size_t bytes = 0;
  for (const Tensor& x : tensors)
    if (x.defined()) bytes += x.storage()->bytes();
  return static_cast<double>(bytes);
}

}  // namespace forger
