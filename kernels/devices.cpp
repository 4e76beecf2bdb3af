#include "kernels/devices.h"

namespace forger {

const char* name_of(Device device) { return device == Device::cpu ? "cpu" : device == Device::cuda ? "cuda" : "simt"; }

namespace kernels {
namespace {
MathMode current_math_mode = MathMode::fp32;
ConvMethod current_conv_method = ConvMethod::automatic;
int card = 0;
}  // namespace

const char* name_of(MathMode mode) {
  return mode == MathMode::fp32 ? "fp32" : mode == MathMode::tf32 ? "tf32" : "bf16";
}
void set_math_mode(MathMode mode) { current_math_mode = mode; }
MathMode math_mode() { return current_math_mode; }

void set_conv_method(ConvMethod method) { current_conv_method = method; }
ConvMethod conv_method() { return current_conv_method; }

void choose_card(int index) { card = index; }
int chosen_card() { return card; }

CollectiveKey DeviceRuntime::collective_key() { throw DeviceError("only GPUs have sums over processes"); }
std::unique_ptr<Collective> DeviceRuntime::join(const CollectiveKey&, int, int) {
  throw DeviceError("only GPUs have sums over processes");
}

DeviceRuntime& runtime(Device device) {
  switch (device) {
    case Device::cpu:
      return cpu_runtime();
    case Device::simt:
      return simt_runtime();
    case Device::cuda:
#ifdef FORGER_CUDA
      return cuda_runtime();
#else
      break;
#endif
  }
  throw DeviceError(
      "this build of Forger has no CUDA: install the CUDA toolkit (nvcc) and build again, or --device simt");
}

std::string unavailable(Device device) {
  try {
    return runtime(device).missing();
  } catch (const DeviceError& error) {
    return error.what();
  }
}

}  // namespace kernels
}  // namespace forger
