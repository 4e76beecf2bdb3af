// A stretch of ops recorded once and replayed with one call: a CUDA graph and the memory it works in. What the ops
// compute is decided while recording: replays read and write the same memory with the same constants. Inputs are
// therefore tensors written in place between replays, and random draws move on by set_random_offset.
#pragma once
#include <functional>
#include <memory>

#include "core/storage.h"

namespace forger {

class RecordedOps {
 public:
  // Records what `ops` queues; nothing of it is computed yet. DeviceError on the CPU, or when `ops` reads a value or
  // copies to or from the host. Run `ops` once before, so that lazily made memory is there.
  RecordedOps(Device device, const std::function<void()>& ops);
  void replay();

 private:
  ReservedMemory memory_;
  std::unique_ptr<kernels::Graph> graph_;
};

}  // namespace forger
