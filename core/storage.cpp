#include "core/storage.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "core/error.h"

namespace forger {
namespace {

// Under AddressSanitizer every storage gets its own block, so that a stray access is seen; otherwise blocks are kept.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool caching = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool caching = false;
#else
constexpr bool caching = true;
#endif
#else
constexpr bool caching = true;
#endif

// Debug builds put a known pattern behind each storage and look at it when the storage goes.
#ifdef NDEBUG
constexpr size_t guard_bytes = 0;
#else
constexpr size_t guard_bytes = 64;
#endif
constexpr int guard_pattern = 0xA5;

size_t guard_size(Device device) { return device == Device::cpu ? guard_bytes : 0; }  // the host's memory only

// Sizes are rounded up to eight steps per doubling: at most 12.5 % is lost, and equal requests of later steps find a
// block.
size_t block_size(size_t bytes) {
  constexpr size_t smallest = 256;
  if (bytes <= smallest) return smallest;
  const size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class Pool {
 public:
  // simt checks every access against the exact bounds of its allocations: there every storage gets its own.
  explicit Pool(Device device) : device_(device), caching_(caching && device != Device::simt) {}

  void* take(size_t bytes, size_t& block_bytes) {
    std::lock_guard lock(mutex_);
    block_bytes = device_ == Device::simt ? bytes : block_size(bytes + guard_size(device_));
    void* block = nullptr;
    // The smallest kept block that fits, unless it would waste more than a quarter.
    if (auto it = free_.lower_bound(block_bytes); it != free_.end() && it->first <= block_bytes + block_bytes / 4) {
      block_bytes = it->first;
      block = it->second;
      free_.erase(it);
      stats_.cached_bytes -= block_bytes;
    } else {
      block = fresh(block_bytes);
    }
    stats_.live_bytes += bytes;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return block;
  }

  void give(void* block, size_t bytes, size_t block_bytes) {
    std::lock_guard lock(mutex_);
    stats_.live_bytes -= bytes;
    if (!caching_) {
      kernels::runtime(device_).release(block, block_bytes);
      return;
    }
    free_.emplace(block_bytes, block);
    stats_.cached_bytes += block_bytes;
  }

  void trim() {
    std::lock_guard lock(mutex_);
    trim_locked();
  }
  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }

 private:
  void* fresh(size_t bytes) {
    try {
      return kernels::runtime(device_).allocate(bytes);
    } catch (const std::bad_alloc&) {
      trim_locked();
    }
    try {
      return kernels::runtime(device_).allocate(bytes);
    } catch (const std::bad_alloc&) {
      throw Error(text("out of memory: cannot allocate ", bytes, " bytes with ", stats_.live_bytes,
                       " in use; a smaller --batch or --width needs less"));
    }
  }
  void trim_locked() {
    for (auto& [bytes, block] : free_) kernels::runtime(device_).release(block, bytes);
    free_.clear();
    stats_.cached_bytes = 0;
  }

  Device device_;
  bool caching_;
  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  MemoryStats stats_;
};

// Never destroyed: tensors with static lifetime may outlive any order of destruction.
Pool& pool(Device device) {
  static Pool* const pools[] = {new Pool(Device::cpu), new Pool(Device::cuda), new Pool(Device::simt)};
  return *pools[static_cast<size_t>(device)];
}

}  // namespace

Storage::Storage(Device device, size_t bytes)
    : device_(device), bytes_(bytes), data_(pool(device).take(bytes, block_bytes_)) {
  if (const size_t guard = guard_size(device)) std::memset(static_cast<char*>(data_) + bytes_, guard_pattern, guard);
}

Storage::~Storage() {
  if (guard_size(device_) > 0) {
    const auto* guard = static_cast<const unsigned char*>(data_) + bytes_;
    for (size_t i = 0; i < guard_bytes; i++) {
      if (guard[i] == guard_pattern) continue;
      std::fprintf(stderr, "forger: a kernel wrote %zu bytes past the end of a storage of %zu bytes\n", i + 1, bytes_);
      std::abort();
    }
  }
  pool(device_).give(data_, bytes_, block_bytes_);
}

MemoryStats memory_stats(Device device) { return pool(device).stats(); }
void reset_peak_memory(Device device) { pool(device).reset_peak(); }
void release_cached_memory(Device device) { pool(device).trim(); }

}  // namespace forger
