// One result per row: x (rows, cols) handled by groups of 4, 32 or 256 threads, a group to a row, and the ops that they
// fold with. Threads of a group take the columns in turn, so that neighbours read neighbours:
//
//   columns   0 1 2 3 ... 31 | 32 ... 63 | ...          a group of 32
//   thread    0 1 2 3 ... 31 |  0 ... 31 | ...
#pragma once
#include "kernels/cuda/device.h"

namespace forger::kernels {
inline namespace gpu_words {

struct Max {  // NaN wins
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Min {  // NaN wins
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

template <int Size>
struct Group {
  static constexpr int size = Size, per_block = 256 / Size;

  static Grid grid(int64_t rows) { return {over(rows, per_block).blocks, dim3(256)}; }

  static __device__ int64_t row() { return int64_t{blockIdx.x} * per_block + threadIdx.x / Size; }
  static __device__ int thread() { return static_cast<int>(threadIdx.x % Size); }

  // Combines a value over the group; all threads of the block must call, every one gets its group's result.
  template <class T, class F>
  static __device__ __forceinline__ T reduce(T x, F combine) {
    if constexpr (Size > 32) {
      return block_reduce<Size>(x, combine);
    } else {
#pragma unroll
      for (int offset = Size / 2; offset > 0; offset /= 2) x = combine(x, __shfl_xor_sync(full_mask, x, offset));
      return x;
    }
  }

  // The fold of element(c) over [begin, end): four chains per thread, then a tree over the group.
  template <class T, class Op, class F>
  static __device__ __forceinline__ T fold(int64_t begin, int64_t end, T identity, Op op, F element) {
    T chain[4] = {identity, identity, identity, identity};
    int64_t c = begin + thread();
    for (; c + 3 * Size < end; c += 4 * Size) {
#pragma unroll
      for (int k = 0; k < 4; k++) chain[k] = op(chain[k], element(c + k * Size));
    }
    for (; c < end; c += Size) chain[0] = op(chain[0], element(c));
    return reduce(op(op(chain[0], chain[1]), op(chain[2], chain[3])), op);
  }
};

// Host: body(Group{}) with a group that suits rows of this length.
template <class F>
void with_group(int64_t cols, const F& body) {
  if (cols <= 16) {
    body(Group<4>{});
  } else if (cols <= 1024) {
    body(Group<32>{});
  } else {
    body(Group<256>{});
  }
}

}  // namespace gpu_words
}  // namespace forger::kernels
