// Index arithmetic of the kernels that walk over shapes: division by numbers that the launcher knows, flat indices
// taken apart along axes, and the choice between 32 and 64 bits.
//
// A GPU has no instruction for integer division: 32 bits cost some 20 instructions, 64 bits some 70. Division by a
// fixed d is a multiplication, an addition and a shift (Granlund and Montgomery 1994):
//   s = ceil(log2 d),  m = floor(2^32 (2^s - d) / d) + 1,  i / d = (high32(i m) + i) >> s  for i < 2^31.
#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>
#define gpu_words cuda_words
#else
#include "kernels/simt/cuda.h"
#define gpu_words simt_words
#endif

#include "kernels/cpu/strides.h"

namespace forger::kernels {
inline namespace gpu_words {

template <class I>
class Divider;

template <>
class Divider<uint32_t> {
 public:
  Divider() = default;
  __host__ __device__ explicit Divider(int64_t d) : d_(static_cast<uint32_t>(d)) {
    if (d <= 0) d_ = 1;  // of an empty shape: nothing will be divided
    while ((uint64_t{1} << shift_) < d_) shift_++;
    multiplier_ = static_cast<uint32_t>((((uint64_t{1} << shift_) - d_) << 32) / d_ + 1);
  }
  __device__ uint32_t quotient(uint32_t i) const { return (__umulhi(i, multiplier_) + i) >> shift_; }
  __device__ uint32_t remainder(uint32_t i) const { return i - quotient(i) * d_; }
  struct Both {
    int quotient, remainder;
  };
  __device__ Both divide(int i) const {  // 0 <= i
    const auto q = quotient(static_cast<uint32_t>(i));
    return {static_cast<int>(q), static_cast<int>(static_cast<uint32_t>(i) - q * d_)};
  }
  // Returns the remainder and leaves the quotient in `i`.
  __device__ uint32_t split(uint32_t& i) const {
    const uint32_t all = i;
    i = quotient(all);
    return all - i * d_;
  }

 private:
  uint32_t d_ = 1, multiplier_ = 1, shift_ = 0;
};

template <>
class Divider<int64_t> {
 public:
  Divider() = default;
  explicit Divider(int64_t d) : d_(d > 0 ? d : 1) {}
  __device__ int64_t quotient(int64_t i) const { return i / d_; }
  __device__ int64_t remainder(int64_t i) const { return i % d_; }
  __device__ int64_t split(int64_t& i) const {
    const int64_t all = i;
    i /= d_;
    return all - i * d_;
  }

 private:
  int64_t d_ = 1;
};

// Host: body(I{}) with the index type that counts to `largest`; adding a grid's stride to it does not overflow either.
template <class F>
void with_index(int64_t largest, const F& body) {
  if (largest < int64_t{1} << 31) {
    body(uint32_t{});
  } else {
    body(int64_t{});
  }
}

// Two strided arrays over one index space (kernels/cpu/strides.h), as a kernel's argument.
template <class I>
struct Strided {
  int rank;
  Divider<I> sizes[max_rank];
  int64_t a[max_rank], b[max_rank];  // strides

  explicit Strided(const Walk& w) : rank(w.rank) {
    for (int k = 0; k < max_rank; k++) {
      sizes[k] = Divider<I>(w.sizes[k]);
      a[k] = w.a[k];
      b[k] = w.b[k];
    }
  }
  struct Offsets {
    int64_t a, b;
  };
  __device__ Offsets at(I flat) const {
    Offsets sum{0, 0};
    for (int k = rank - 1; k > 0; k--) {
      const int64_t i = sizes[k].split(flat);
      sum.a += i * a[k];
      sum.b += i * b[k];
    }
    return {sum.a + flat * a[0], sum.b + flat * b[0]};
  }
};

}  // namespace gpu_words
}  // namespace forger::kernels
