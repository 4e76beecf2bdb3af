// Reference-counted memory from a caching allocator per device. A freed block stays with the allocator: on a CPU a
// fresh page costs more than a small convolution (it is zeroed by the kernel at first touch), so a training step after
// the first allocates nothing.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include "kernels/kernels.h"

namespace forger {

// f32 and f64 carry arithmetic; i64 holds indices and labels only. bf16 is for activations on a GPU: ops read it as f32.
enum class DType : uint8_t { f32, f64, i64, bf16 };
size_t size_of(DType dtype);
const char* name_of(DType dtype);  // "float32", "float64", "int64", "bfloat16"

class Storage {
 public:
  // Contents undefined; throws Error when the device has no memory left.
  Storage(Device device, size_t bytes, DType dtype = DType::f32);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Copies the contents to another device and stays there; every tensor that shares this memory follows.
  void move_to(Device device);
  // Takes the contents of `other`, and their type, in exchange for its own; every tensor that shares this memory
  // follows.
  void exchange(Storage& other);

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

  // Counts writes in place. A gradient that saved this memory compares the count (core/autograd.h, Saved).
  uint64_t version = 0;
  const char* last_writer = "";  // the op of the last write in place; a string literal

 private:
  Device device_;
  DType dtype_;
  size_t bytes_;
  size_t block_bytes_;  // what the allocator handed out, >= bytes_
  void* data_;
};

// Memory of a recorded graph (core/graph.h). From its construction to stop(), every block that is handed out or given
// back belongs to it; what belongs to it goes to nobody else until it is destroyed. One at a time records per device.
class ReservedMemory {
 public:
  explicit ReservedMemory(Device device);
  ~ReservedMemory();
  ReservedMemory(const ReservedMemory&) = delete;
  void stop();

 private:
  friend class Pool;
  Device device_;
  std::set<void*> owned_;
  std::multimap<size_t, void*> free_;
};

struct MemoryStats {
  size_t live_bytes = 0;    // asked for by storages that exist
  size_t peak_bytes = 0;    // highest live_bytes since the last reset_peak
  size_t cached_bytes = 0;  // held by the allocator, handed to nobody
};
MemoryStats memory_stats(Device device = Device::cpu);
void reset_peak_memory(Device device = Device::cpu);
void release_cached_memory(Device device = Device::cpu);  // gives cached blocks back to the system

}  // namespace forger
