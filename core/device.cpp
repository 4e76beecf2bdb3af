#include "core/device.h"

#include "core/error.h"

namespace forger {

Device find_device(const std::string& name) {
  const Device device = device_named(name);
  const std::string missing = kernels::unavailable(device);
  if (!missing.empty()) throw DeviceError(text("--device ", name, ": ", missing));
  return device;
}

Device device_named(const std::string& name) {
  for (const Device device : {Device::cpu, Device::cuda, Device::simt})
    if (name == name_of(device)) return device;
  throw UsageError(text("--device '", name, "' is not known; there are: cpu, cuda, simt"));
}

kernels::MathMode find_math_mode(const std::string& name) {
  for (const auto mode : {kernels::MathMode::fp32, kernels::MathMode::tf32, kernels::MathMode::bf16})
    if (name == kernels::name_of(mode)) return mode;
  throw UsageError(text("--math '", name, "' is not known; there are: fp32, tf32, bf16"));
}

kernels::ConvMethod find_conv_method(const std::string& name) {
  if (name == "automatic") return kernels::ConvMethod::automatic;
  if (name == "direct") return kernels::ConvMethod::direct;
  if (name == "winograd") return kernels::ConvMethod::winograd;
  throw UsageError(text("--conv '", name, "' is not known; there are: automatic, direct, winograd"));
}

}  // namespace forger
