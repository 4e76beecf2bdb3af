#include "core/storage.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "core/error.h"
#include "kernels/poison.h"

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

}  // namespace

class Pool {
 public:
  // simt checks every access against the exact bounds of its allocations: there every storage gets its own.
  explicit Pool(Device device) : device_(device), caching_(caching && device != Device::simt) {}

  void* take(size_t bytes, size_t& block_bytes) {
    std::lock_guard lock(mutex_);
    block_bytes = device_ == Device::simt ? bytes : block_size(bytes + guard_size(device_));
    void* block = recording_ ? kept(recording_->free_, block_bytes) : nullptr;
    if (!block) block = kept(free_, block_bytes);
    if (block) {
      stats_.cached_bytes -= block_bytes;
    } else {
      block = fresh(block_bytes);
    }
    if (recording_) recording_->owned_.insert(block);
    stats_.live_bytes += bytes;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return block;
  }

  void give(void* block, size_t bytes, size_t block_bytes) {
    std::lock_guard lock(mutex_);
    stats_.live_bytes -= bytes;
    if (ReservedMemory* owner = recording_ ? recording_ : owner_of(block)) {
      owner->owned_.insert(block);
      owner->free_.emplace(block_bytes, block);
      stats_.cached_bytes += block_bytes;
      return;
    }
    if (!caching_) {
      kernels::runtime(device_).release(block, block_bytes);
      return;
    }
    free_.emplace(block_bytes, block);
    stats_.cached_bytes += block_bytes;
  }

  void record(ReservedMemory* memory) {
    std::lock_guard lock(mutex_);
    reserves_.push_back(memory);
    recording_ = memory;
  }
  void stop_recording() {
    std::lock_guard lock(mutex_);
    recording_ = nullptr;
  }
  // What nobody holds any more becomes ordinary free memory; the rest will when it is given back.
  void dissolve(ReservedMemory* memory) {
    std::lock_guard lock(mutex_);
    if (recording_ == memory) recording_ = nullptr;
    std::erase(reserves_, memory);
    for (const auto& [bytes, block] : memory->free_) {
      if (caching_) {
        free_.emplace(bytes, block);
      } else {
        stats_.cached_bytes -= bytes;
        kernels::runtime(device_).release(block, bytes);
      }
    }
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
  // The smallest kept block that fits, unless it would waste more than a quarter; null when there is none. Where blocks
  // have exact sizes (no caching) only an equal one will do.
  void* kept(std::multimap<size_t, void*>& blocks, size_t& block_bytes) const {
    const size_t most = caching_ ? block_bytes + block_bytes / 4 : block_bytes;
    const auto it = blocks.lower_bound(block_bytes);
    if (it == blocks.end() || it->first > most) return nullptr;
    block_bytes = it->first;
    void* const block = it->second;
    blocks.erase(it);
    return block;
  }
  ReservedMemory* owner_of(void* block) const {
    for (ReservedMemory* reserve : reserves_)
      if (reserve->owned_.count(block)) return reserve;
    return nullptr;
  }
  void* fresh(size_t bytes) {
    kernels::DeviceRuntime& runtime = kernels::runtime(device_);
    runtime.reclaim = [this] {
      std::lock_guard lock(mutex_);
      trim_unless_recording();
    };
    try {
      return runtime.allocate(bytes);
    } catch (const std::bad_alloc&) {
      trim_unless_recording();
    }
    try {
      return runtime.allocate(bytes);
    } catch (const std::bad_alloc&) {
      throw MemoryError(text("out of memory: cannot allocate ", bytes, " bytes with ", stats_.live_bytes,
                             " in use; a smaller --batch or --width needs less"));
    }
  }
  void trim_unless_recording() {
    if (!recording_) trim_locked();  // releasing waits for the device, which a recording may not
  }
  void trim_locked() {
    for (auto& [bytes, block] : free_) {
      kernels::runtime(device_).release(block, bytes);
      stats_.cached_bytes -= bytes;
    }
    free_.clear();
  }

  Device device_;
  bool caching_;
  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  std::vector<ReservedMemory*> reserves_;
  ReservedMemory* recording_ = nullptr;
  MemoryStats stats_;
};

namespace {

// Never destroyed: tensors with static lifetime may outlive any order of destruction.
Pool& pool(Device device) {
  static Pool* const pools[] = {new Pool(Device::cpu), new Pool(Device::cuda), new Pool(Device::simt)};
  return *pools[static_cast<size_t>(device)];
}
}  // namespace

ReservedMemory::ReservedMemory(Device device) : device_(device) { pool(device).record(this); }
void ReservedMemory::stop() { pool(device_).stop_recording(); }
ReservedMemory::~ReservedMemory() { pool(device_).dissolve(this); }

Storage::Storage(Device device, size_t bytes, DType dtype)
    : device_(device), dtype_(dtype), bytes_(bytes), data_(pool(device).take(bytes, block_bytes_)) {
  if (device == Device::cpu) kernels::poison(data_, bytes_);  // simt fills its own; a GPU's is out of reach
  if (const size_t guard = guard_size(device)) std::memset(static_cast<char*>(data_) + bytes_, guard_pattern, guard);
}

void Storage::move_to(Device device) {
  if (device == device_) return;
  Storage there(device, bytes_, dtype_);
  kernels::runtime(device == Device::cpu ? device_ : device).copy(there.data_, data_, bytes_);
  exchange(there);
}

void Storage::exchange(Storage& other) {
  std::swap(device_, other.device_);
  std::swap(dtype_, other.dtype_);
  std::swap(bytes_, other.bytes_);
  std::swap(block_bytes_, other.block_bytes_);
  std::swap(data_, other.data_);
  for (Storage* const moved : {this, &other}) {
    moved->version++;
    moved->last_writer = "move";
  }
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
