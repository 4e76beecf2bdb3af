#include "kernels/simt/requests.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace forger::simt {
namespace {

constexpr size_t sector = RequestCounter::sector, bank = 4, banks = 32;

// The bytes that lanes want of global memory: [begin, end) of each, in order, those that overlap put together.
Requests sectors(const std::array<uintptr_t, 32>& addresses, size_t bytes) {
  std::array<uintptr_t, 32> sorted{};
  const auto end = std::copy_if(addresses.begin(), addresses.end(), sorted.begin(), [](uintptr_t a) { return a != 0; });
  std::sort(sorted.begin(), end);
  Requests r{.count = 1};
  uintptr_t wanted = 0, next_byte = 0, next_sector = 0;
  for (auto a = sorted.begin(); a != end; ++a) {
    wanted += *a + bytes - std::max(*a, std::min(next_byte, *a + bytes));
    next_byte = *a + bytes;
    const uintptr_t first = std::max(*a / sector, next_sector), last = (next_byte - 1) / sector;
    if (last >= first) r.units += last - first + 1;
    next_sector = std::max(next_sector, last + 1);
  }
  r.least = (wanted + sector - 1) / sector;
  return r;
}

// The passes of one part of a warp.
uint64_t passes(const uintptr_t* addresses, size_t lanes, size_t bytes) {
  std::array<uintptr_t, banks> words[banks];  // by bank: those that are wanted
  std::array<size_t, banks> count{};
  for (size_t lane = 0; lane < lanes; lane++) {
    if (addresses[lane] == 0) continue;
    for (uintptr_t word = addresses[lane] / bank; word <= (addresses[lane] + bytes - 1) / bank; word++) {
      auto& of_bank = words[word % banks];
      size_t& known = count[word % banks];
      if (std::find(of_bank.begin(), of_bank.begin() + known, word) == of_bank.begin() + known) of_bank[known++] = word;
    }
  }
  return *std::max_element(count.begin(), count.end());
}

Requests passes(const std::array<uintptr_t, 32>& addresses, size_t bytes) {
  const size_t lanes = 32 / std::max<size_t>(1, bytes / bank);  // of a part
  Requests r{.count = 1};
  for (size_t first = 0; first < 32; first += lanes) {
    const uint64_t of_part = passes(&addresses[first], lanes, bytes);
    r.units += of_part;
    r.least += of_part > 0;
  }
  return r;
}

}  // namespace

Requests& operator+=(Requests& a, const Requests& b) {
  a.count += b.count, a.units += b.units, a.least += b.least;
  return a;
}

void RequestCounter::add(unsigned thread, const void* place, Space space, uintptr_t address, size_t bytes) {
  accesses_++;
  if (bytes > 16) {  // a range, by a product of the library: as if all lanes read it in order
    const uint64_t units = (bytes + sector - 1) / sector;
    if (space != Space::shared) global_ += {.count = (units + 3) / 4, .units = units, .least = units};
    return;
  }
  const size_t lane = thread % 32;
  const uintptr_t key = reinterpret_cast<uintptr_t>(place) * 4 + static_cast<uintptr_t>(space);
  Place& here = warps_[thread / 32][key];
  const uint32_t time = here.times[lane]++;
  if (time >= here.requests.size()) here.requests.resize(time + 1);
  here.requests[time].address[lane] = address;
  here.requests[time].bytes = bytes;
}

void RequestCounter::touch(Space space, uintptr_t begin, uintptr_t end, uintptr_t address, size_t bytes) {
  Touched& allocation = touched_[begin];
  allocation.end = end;
  auto& sectors = allocation.sectors[space == Space::global_write];
  for (uintptr_t s = address / sector; s <= (address + bytes - 1) / sector; s++) sectors.insert(s);
}

void RequestCounter::count(Space space, const Request& r) {
  if (space == Space::shared) {
    shared_ += passes(r.address, r.bytes);
  } else {
    global_ += sectors(r.address, r.bytes);
  }
}

void RequestCounter::settle() {
  for (Warp& warp : warps_) {
    for (auto& [key, place] : warp) {
      for (const Request& request : place.requests) count(static_cast<Space>(key % 4), request);
      place.requests.clear();
      place.times.fill(0);
    }
  }
}

void RequestCounter::take(Traffic& into, double times) {
  settle();
  for (Warp& warp : warps_) warp.clear();  // another kernel has other places
  into.global = std::exchange(global_, {});
  into.shared = std::exchange(shared_, {});
  // Upper bounds: `times` of it, since blocks share some of what they touch, and all that there is.
  double distinct = 0;
  for (const auto& [begin, allocation] : touched_) {
    const auto all = static_cast<double>((allocation.end - 1) / sector - begin / sector + 1);
    for (const auto& sectors : allocation.sectors)
      distinct += std::min(all, times * static_cast<double>(sectors.size()));
  }
  into.distinct_bytes = static_cast<uint64_t>(std::llround(distinct)) * sector;
  touched_.clear();
  accesses_ = 0;
}

}  // namespace forger::simt
