// Arrays on a device, for tests that run a backend's kernels beside the CPU's.
#pragma once
#include <vector>

#include "kernels/kernels.h"

namespace forger {

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values, Device device = Device::simt)
      : device_(device), n_(values.size()), data_(static_cast<T*>(kernels::runtime(device).allocate(n_ * sizeof(T)))) {
    if (n_ > 0) kernels::runtime(device_).copy(data_, values.data(), n_ * sizeof(T));
  }
  explicit OnDevice(size_t n, Device device = Device::simt) : OnDevice(std::vector<T>(n), device) {}
  ~OnDevice() { kernels::runtime(device_).release(data_, n_ * sizeof(T)); }
  OnDevice(const OnDevice&) = delete;

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

}  // namespace forger
