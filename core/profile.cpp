#include "core/profile.h"

#include <utility>

namespace forger {

thread_local Profile* Profile::active_ = nullptr;

Profile::Profile() { active_ = this; }
Profile::~Profile() { active_ = nullptr; }

void Profile::announce(double flops, std::string what) {
  flops_ = flops;
  what_ = std::move(what);
}

void Profile::lap(const std::string& op, double bytes) {
  const Clock::time_point now = Clock::now();
  Entry& entry = entries_[what_.empty() ? op : op + ": " + what_];
  entry.calls++;
  entry.seconds += std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  entry.flops += std::exchange(flops_, 0);
  entry.bytes += bytes;
  what_.clear();
}

}  // namespace forger
