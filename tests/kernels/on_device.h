// What the tests of the CUDA kernels share. Like the kernels they are compiled for the software device and, in a kit,
// once more for a GPU: `Gpu<T>` is the backend, `gpu` the device.
#pragma once
#include <iostream>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/simt/runtime.h"
#include "tests/catch.h"

namespace forger {

// Whether tests on it can run; a line that ctest takes for a skipped test where not.
inline bool is_there(Device device) {
  const std::string missing = kernels::unavailable(device);
  if (!missing.empty()) std::cout << "skipped: " << missing << std::endl;
  return missing.empty();
}

#ifdef FORGER_ON_CUDA
#define GPU_NAME "cuda: "
#define GPU_TAG "[cuda]"
inline namespace on_cuda {
template <class T>
using Gpu = kernels::Cuda<T>;
constexpr Device gpu = Device::cuda;
#else
#define GPU_NAME "gpu: "
#define GPU_TAG ""
inline namespace on_simt {
template <class T>
using Gpu = kernels::Simt<T>;
constexpr Device gpu = Device::simt;
#endif
// Elements: more than a whole grid takes at once, so that threads come round again.
constexpr int64_t several_strides = gpu == Device::simt ? 40'001 : 2'200'003;
constexpr int64_t lengths[] = {0, 1, 3, 31, 33, 257, 1003, several_strides};

// TEST_CASE of what only the software device shows.
#ifdef FORGER_ON_CUDA
#define SIMT_TEST_CASE(name) [[maybe_unused]] static void INTERNAL_CATCH_UNIQUE_NAME(left_out)()
#else
#define SIMT_TEST_CASE(name) TEST_CASE(GPU_NAME name, "[gpu]")
#endif

// TEST_CASE and TEMPLATE_TEST_CASE over float and double, on the device if it is there.
#define GPU_TEST_CASE(name) GPU_TEST_CASE_AS(name, INTERNAL_CATCH_UNIQUE_NAME(gpu_test))
#define GPU_TEST_CASE_AS(name, body)          \
  static void body();                         \
  TEST_CASE(GPU_NAME name, "[gpu]" GPU_TAG) { \
    if (is_there(gpu)) body();                \
  }                                           \
  static void body()
#define GPU_TEMPLATE_TEST_CASE(name) GPU_TEMPLATE_TEST_CASE_AS(name, INTERNAL_CATCH_UNIQUE_NAME(gpu_test))
#define GPU_TEMPLATE_TEST_CASE_AS(name, body)                         \
  template <class TestType>                                           \
  static void body();                                                 \
  TEMPLATE_TEST_CASE(GPU_NAME name, "[gpu]" GPU_TAG, float, double) { \
    if (is_there(gpu)) body<TestType>();                              \
  }                                                                   \
  template <class TestType>                                           \
  static void body()

#ifndef FORGER_ON_CUDA
// Scope: a software device of four multiprocessors, where what runs, and how often, depends on their number.
class FourMultiprocessors {
 public:
  FourMultiprocessors() { simt::set_multiprocessors(4); }
  ~FourMultiprocessors() { simt::set_multiprocessors(before_); }
  FourMultiprocessors(const FourMultiprocessors&) = delete;

 private:
  int before_ = simt::multiprocessors();
};
#else
struct FourMultiprocessors {};
#endif

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values, Device device = gpu)
      : device_(device), n_(values.size()), data_(static_cast<T*>(kernels::runtime(device).allocate(n_ * sizeof(T)))) {
    if (n_ > 0) kernels::runtime(device_).copy(data_, values.data(), n_ * sizeof(T));
  }
  // To be written.
  explicit OnDevice(size_t n, Device device = gpu) : OnDevice(std::vector<T>(n, blank()), device) {}
  ~OnDevice() { kernels::runtime(device_).release(data_, n_ * sizeof(T)); }
  OnDevice(const OnDevice&) = delete;

  static T blank() {  // what was not written: NaN, or -1 of an integer type
    return std::is_floating_point_v<T> ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(-1);
  }
  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(n_);
    if (n_ > 0) kernels::runtime(device_).copy(values.data(), data_, n_ * sizeof(T));
    return values;
  }

 private:
  Device device_;
  size_t n_;
  T* data_;
};

}  // namespace
}  // namespace forger
