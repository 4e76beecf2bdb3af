// Walks over two strided arrays that share an index space: the operands of a broadcast, or the two ends of a copy.
//
// `Walk` first drops axes of size 1 and merges neighbours whose strides fit together, so that what is left has the
// longest possible innermost run: (N, H, W, C) against (C) becomes {rows, C}. A flat range [begin, end) of the index
// space is then visited run by run, with an odometer over the outer axes; ranges may start inside a run, which is how
// threads get equal shares whatever the sizes are.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace forger::kernels {

struct Walk {
  int rank = 0;  // at least 1
  int64_t sizes[max_rank] = {};
  int64_t a[max_rank] = {}, b[max_rank] = {};  // strides

  Walk(int full_rank, const int64_t* full_sizes, const int64_t* a_strides, const int64_t* b_strides) {
    for (int i = 0; i < full_rank; i++) {
      const int64_t size = full_sizes[i];
      if (size == 1) continue;
      const int last = rank - 1;
      if (rank > 0 && a[last] == a_strides[i] * size && b[last] == b_strides[i] * size) {
        sizes[last] *= size;
        a[last] = a_strides[i];
        b[last] = b_strides[i];
      } else {
        sizes[rank] = size;
        a[rank] = a_strides[i];
        b[rank] = b_strides[i];
        rank++;
      }
    }
    if (rank == 0) {  // one element
      sizes[0] = a[0] = b[0] = 1;
      rank = 1;
    }
  }

  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= sizes[i];
    return n;
  }

  // run(a_offset, b_offset, flat_index, length) for each innermost run in [begin, end).
  template <class F>
  void runs(int64_t begin, int64_t end, const F& run) const {
    if (begin >= end) return;
    const int inner = rank - 1;
    int64_t at[max_rank] = {}, a_at = 0, b_at = 0, rest = begin / sizes[inner];
    for (int i = inner - 1; i >= 0; i--) {
      at[i] = rest % sizes[i];
      rest /= sizes[i];
      a_at += at[i] * a[i];
      b_at += at[i] * b[i];
    }
    int64_t skip = begin % sizes[inner];
    for (int64_t flat = begin; flat < end;) {
      const int64_t length = std::min(sizes[inner] - skip, end - flat);
      run(a_at + skip * a[inner], b_at + skip * b[inner], flat, length);
      flat += length;
      skip = 0;
      for (int i = inner - 1; i >= 0; i--) {
        a_at += a[i];
        b_at += b[i];
        if (++at[i] < sizes[i]) break;
        a_at -= a[i] * sizes[i];
        b_at -= b[i] * sizes[i];
        at[i] = 0;
      }
    }
  }
};

}  // namespace forger::kernels
