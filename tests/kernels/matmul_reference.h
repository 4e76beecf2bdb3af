// What the tests of matrix products share on every backend.
#pragma once
#include <vector>

#include "kernels/kernels.h"

namespace forger::kernels {

// The product in double.
template <class T>
std::vector<double> triple_loop(const MatmulShape& s, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<double> c;
  for (int64_t t = 0; t < s.batch; t++) {
    for (int64_t i = 0; i < s.m; i++) {
      for (int64_t j = 0; j < s.n; j++) {
        double sum = 0;
        for (int64_t l = 0; l < s.k; l++) {
          const int64_t at = t * s.a_batch_stride + (s.trans_a ? l * s.m + i : i * s.k + l);
          const int64_t bt = t * s.b_batch_stride + (s.trans_b ? j * s.k + l : l * s.n + j);
          sum += double(a[static_cast<size_t>(at)]) * double(b[static_cast<size_t>(bt)]);
        }
        c.push_back(sum);
      }
    }
  }
  return c;
}

}  // namespace forger::kernels
