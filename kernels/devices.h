// One runtime per backend that this build has. Internal to this floor; callers use runtime(device).
#pragma once
#include "kernels/kernels.h"

namespace forger::kernels {

DeviceRuntime& cpu_runtime();
DeviceRuntime& simt_runtime();
DeviceRuntime& cuda_runtime();  // only in builds with nvcc

}  // namespace forger::kernels
