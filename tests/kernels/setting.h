// A thread count and a vector width, or a way of convolving, for the length of a test; what was set before comes back.
#pragma once
#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"

namespace forger::kernels {

struct Setting {
  int threads_before = threads(), bytes_before = simd_bytes();
  Setting(int count, int bytes) {
    set_threads(count);
    set_simd_bytes(bytes);
  }
  ~Setting() {
    set_threads(threads_before);
    set_simd_bytes(bytes_before);
  }
};

struct WithConvMethod {
  ConvMethod before = conv_method();
  explicit WithConvMethod(ConvMethod method) { set_conv_method(method); }
  ~WithConvMethod() { set_conv_method(before); }
};

}  // namespace forger::kernels
