// Convolution, step 1: a thread for each number of the map, and loops over the window.
//
//   map[n][p][q][o] = sum of image[n][p stride - pad + i][q stride - pad + j][c] weight[o][i][j][c] over i, j, c
//
// Threads are numbered as the map lies, o being the fastest: the lanes of a warp are 32 channels of one place. They
// want one number of the image, 1 sector, and one of 32 windows of weights, kernel * kernel * c numbers apart: 32
// sectors. It is GEMM's step 1 again, 8 bytes for a multiply-add and 33 sectors for 32 of them (weights that are
// turned round would make that 5, as there).
#pragma once
#include "bench/ladder/gemm1_uncoalesced.h"

namespace forger::ladder {
namespace {

__global__ void conv_direct(Conv s, int64_t size, const float* image, const float* weight, float* map) {
  const int64_t at = global_thread();
  if (at >= size) return;
  const int o = static_cast<int>(at % s.oc), q = static_cast<int>(at / s.oc % s.ow());
  const int line = static_cast<int>(at / s.oc / s.ow()), p = line % s.oh(), n = line / s.oh();
  float sum = 0;
  for (int i = 0; i < s.kernel; i++) {
    for (int j = 0; j < s.kernel; j++) {
      const int y = p * s.stride - s.pad + i, x = q * s.stride - s.pad + j;
      if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;  // the padding is zeros
      const float* const pixel = image + ((int64_t{n} * s.h + y) * s.w + x) * s.c;
      const float* const tap = weight + ((int64_t{o} * s.kernel + i) * s.kernel + j) * s.c;
      for (int c = 0; c < s.c; c++) sum += pixel[c] * tap[c];
    }
  }
  map[at] = sum;
}

void direct(const Conv& s, const float* image, const float* weight, float* map) {
  const int64_t size = s.sizes().c;
  launch<conv_direct>(over(size), s, size, image, weight, map);
}

}  // namespace
}  // namespace forger::ladder
