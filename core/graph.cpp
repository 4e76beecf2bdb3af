#include "core/graph.h"

namespace forger {

RecordedOps::RecordedOps(Device device, const std::function<void()>& ops) : memory_(device) {
  kernels::DeviceRuntime& runtime = kernels::runtime(device);
  runtime.begin_recording();
  try {
    ops();
  } catch (...) {
    try {
      runtime.end_recording();
    } catch (const DeviceError&) {  // an error may have ended it already, and is what is told
    }
    throw;
  }
  memory_.stop();
  graph_ = runtime.end_recording();
}

void RecordedOps::replay() { graph_->replay(); }

}  // namespace forger
