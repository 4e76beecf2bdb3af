// Where the window of a convolution is the whole image, all three of the triangle are plain matrix products.
#pragma once
#include "kernels/kernels.h"

namespace forger::kernels {

inline bool window_is_image(const ConvShape& s) {
  return s.oh == 1 && s.ow == 1 && s.pad_h == 0 && s.pad_w == 0 && s.kh == s.h && s.kw == s.w;
}

inline MatmulShape plain(int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b) {
  return {.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b};
}

}  // namespace forger::kernels
