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

  // From now on uniform() and normal() of a shape (n, ...) draw for n times `count` rows and keep n of them, the
  // `part`-th: a process of several has its part of what one alone would have drawn. As many rows of other numbers are
  // to be drawn, and which to keep:
  void keep_part(int64_t part, int64_t count) { part_ = part, parts_ = count; }
  int64_t drawn_for(int64_t n) const { return n * parts_; }
  int64_t first_kept(int64_t n) const { return n * part_; }

 private:
  template <class F>
  Tensor draw(const Shape& shape, DType dtype, Device device, const F& fill);
  uint64_t seed_, stream_;
  int64_t part_ = 0, parts_ = 1;
};

}  // namespace forger
