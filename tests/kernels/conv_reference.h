// What the tests of convolutions and pooling share on every backend: shapes, and the products in plain loops.
#pragma once
#include <cstddef>

#include "kernels/kernels.h"

namespace forger::kernels {

// The map's size follows from the rest.
inline ConvShape conv_shape(int64_t n, int64_t h, int64_t w, int64_t c, int64_t oc, int64_t kh, int64_t kw,
                            int64_t stride_h, int64_t stride_w, int64_t pad_h, int64_t pad_w) {
  ConvShape s;
  s.n = n, s.h = h, s.w = w, s.c = c, s.oc = oc, s.kh = kh, s.kw = kw;
  s.stride_h = stride_h, s.stride_w = stride_w, s.pad_h = pad_h, s.pad_w = pad_w;
  s.oh = (h + 2 * pad_h - kh) / stride_h + 1;
  s.ow = (w + 2 * pad_w - kw) / stride_w + 1;
  return s;
}

// A square image under a square window.
inline ConvShape square(int64_t n, int64_t size, int64_t c, int64_t oc, int64_t kernel, int64_t stride, int64_t pad) {
  return conv_shape(n, size, size, c, oc, kernel, kernel, stride, stride, pad, pad);
}

// visit(map pixel, image pixel, cell of the window) for every cell of every window that lies in the image, in order.
template <class Shape, class F>
void for_cells(const Shape& s, const F& visit) {
  for (int64_t n = 0; n < s.n; n++)
    for (int64_t p = 0; p < s.oh; p++)
      for (int64_t q = 0; q < s.ow; q++)
        for (int64_t i = 0; i < s.kh; i++)
          for (int64_t j = 0; j < s.kw; j++) {
            const int64_t y = p * s.stride_h - s.pad_h + i, x = q * s.stride_w - s.pad_w + j;
            if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
            visit((n * s.oh + p) * s.ow + q, (n * s.h + y) * s.w + x, i * s.kw + j);
          }
}

// f(image index, map index, weight index) for every product of the convolution, o and c being the innermost loops.
template <class F>
void for_each_product(const ConvShape& s, const F& f) {
  for_cells(s, [&](int64_t map, int64_t image, int64_t cell) {
    for (int64_t o = 0; o < s.oc; o++)
      for (int64_t c = 0; c < s.c; c++)
        f(static_cast<size_t>(image * s.c + c), static_cast<size_t>(map * s.oc + o),
          static_cast<size_t>((o * s.kh * s.kw + cell) * s.c + c));
  });
}

}  // namespace forger::kernels
