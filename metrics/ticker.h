#pragma once
#include <cstdint>
#include <functional>

namespace forger::metrics {

// Told as long work goes on: `done` of `total` units. May be empty.
using Ticker = std::function<void(int64_t done, int64_t total)>;

}  // namespace forger::metrics
