// Devices and their settings by name, as users write them.
#pragma once
#include <string>

#include "kernels/kernels.h"

namespace forger {

// "cpu", "cuda" or "simt". UsageError for another name, DeviceError when this machine or build has no such device.
Device find_device(const std::string& name);
// The same, whether it is there or not: kernels::unavailable(device) tells.
Device device_named(const std::string& name);

// "fp32" or "tf32": how a GPU multiplies matrices. UsageError for another name.
kernels::MathMode find_math_mode(const std::string& name);

// "automatic", "direct" or "winograd": how the CPU convolves. UsageError for another name.
kernels::ConvMethod find_conv_method(const std::string& name);

}  // namespace forger
