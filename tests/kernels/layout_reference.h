// What the tests of strided copies share on every backend.
#pragma once
#include <functional>
#include <numeric>
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

// Elements copied.
inline int64_t numel(const StridedCopy& s) {
  return std::accumulate(s.sizes, s.sizes + s.rank, int64_t{1}, std::multiplies<>());
}

// Elements of memory that the copy may touch on one side, if it copies any.
inline int64_t extent(const StridedCopy& s, const int64_t* strides, int64_t offset) {
  for (int i = 0; i < s.rank; i++) offset += (s.sizes[i] - 1) * strides[i];
  return offset + 1;
}

// A permutation of a contiguous tensor: output axis i is input axis order[i].
inline StridedCopy permutation(const std::vector<int64_t>& sizes, const std::vector<int>& order) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (int i = static_cast<int>(sizes.size()) - 2; i >= 0; i--) strides[i] = strides[i + 1] * sizes[i + 1];
  StridedCopy s;
  s.rank = static_cast<int>(sizes.size());
  int64_t step = 1;
  for (int i = s.rank - 1; i >= 0; i--) {
    s.sizes[i] = sizes[order[i]];
    s.src_strides[i] = strides[order[i]];
    s.dst_strides[i] = step;
    step *= s.sizes[i];
  }
  return s;
}

}  // namespace forger::kernels
