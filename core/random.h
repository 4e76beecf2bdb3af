// Counter-based random numbers: the state is three integers, so a checkpoint holds all of it, and the numbers do not
// depend on threads or devices. Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace forger {

// One block: four 32-bit words from a 128-bit counter and a 64-bit key.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  Tensor uniform(const Shape& shape, double low = 0, double high = 1, DType dtype = DType::f32,
                 Device device = Device::cpu);
  Tensor normal(const Shape& shape, double mean = 0, double stddev = 1, DType dtype = DType::f32,
                Device device = Device::cpu);
  uint64_t below(uint64_t bound);               // uniform in [0, bound), unbiased
  std::vector<int64_t> permutation(int64_t n);  // Fisher-Yates

  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }                                     // streams of one seed are independent
  static uint64_t blocks(int64_t n) { return static_cast<uint64_t>(n + 3) / 4; }  // that n numbers use
  uint64_t block = 0;  // the counter: blocks of four words used so far

 private:
  uint64_t seed_, stream_;
};

}  // namespace forger
