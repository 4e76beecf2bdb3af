// What the tests of pooling and resizing share on every backend: their shapes.
#pragma once
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

// Square windows.
inline PoolShape pool(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t stride, int64_t pad) {
  return {n, h, w, c, (h + 2 * pad - k) / stride + 1, (w + 2 * pad - k) / stride + 1, k, k, stride, stride, pad, pad};
}

// Windows of every kind, and the backend's own sizes behind them.
inline std::vector<PoolShape> pools_and(const std::vector<PoolShape>& own) {
  std::vector<PoolShape> pools = {pool(2, 4, 6, 3, 2, 2, 0),           pool(1, 5, 7, 33, 2, 2, 0),
                                  pool(2, 7, 7, 16, 3, 2, 1),          pool(3, 8, 8, 65, 8, 8, 0),
                                  pool(1, 6, 5, 1, 3, 1, 1),           {2, 6, 9, 4, 3, 3, 2, 3, 2, 3, 0, 0},
                                  {2, 5, 8, 5, 4, 4, 3, 2, 1, 2, 1, 0}};
  pools.insert(pools.end(), own.begin(), own.end());
  return pools;
}

// From h x w to oh x ow.
struct ResizeSizes {
  int64_t n, h, w, c, oh, ow;
};

// Enlarged, shrunk and kept, and the backend's own sizes behind them.
inline std::vector<ResizeSizes> resizes_and(const std::vector<ResizeSizes>& own) {
  std::vector<ResizeSizes> resizes = {{2, 3, 4, 3, 6, 8}, {1, 5, 7, 33, 5, 7}, {2, 4, 4, 16, 9, 11},
                                      {1, 8, 9, 5, 3, 4}, {1, 1, 1, 2, 4, 3},  {1, 7, 5, 1, 1, 1}};
  resizes.insert(resizes.end(), own.begin(), own.end());
  return resizes;
}

}  // namespace forger::kernels
