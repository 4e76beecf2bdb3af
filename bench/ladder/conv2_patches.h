// Convolution, step 2: the windows of the image are written out as a matrix, and that is multiplied ("im2col").
//
//   patches (pixels, K), K = kernel * kernel * c     a line for each place of the window, a column for each cell
//   map (pixels, oc) = patches weight^T              GEMM's step 5; weight (oc, K) lies by rows
//
// GEMM's ladder is climbed at once. Where a multiply-add asked for 8 bytes, it asks for 4/128 of the weights, 4/oc to
// find the patches, 4/oc to write them, and 4/oc to read them again (4/128 from 128 channels on).
//
// The patch matrix is the trouble: with a window of 4 x 4 and a stride of 2 it is four times the image, to be written,
// read and held.
#pragma once
#include "bench/ladder/conv1_direct.h"
#include "bench/ladder/gemm5_packs.h"
#include "kernels/cuda/index.h"

namespace forger::ladder {
namespace {

// The patch matrix of an image, found number by number: at() as of Matrix, null in the padding, too. Divider: index.h.
struct Patches {
  const float* image;
  int h, w, c, stride, pad, rows, cols;
  Divider<uint32_t> oh, ow, kernel, channels;

  Patches(const Conv& s, const float* x)
      : image(x),
        h(s.h),
        w(s.w),
        c(s.c),
        stride(s.stride),
        pad(s.pad),
        rows(s.product().m),
        cols(s.product().k),
        oh(s.oh()),
        ow(s.ow()),
        kernel(s.kernel),
        channels(s.c) {}

  __device__ const float* at(int row, int col) const {
    if (row >= rows || col >= cols) return nullptr;
    const auto [line, q] = ow.divide(row);
    const auto [n, p] = oh.divide(line);
    const auto [tap, channel] = channels.divide(col);
    const auto [i, j] = kernel.divide(tap);
    const int y = p * stride - pad + i, x = q * stride - pad + j;
    return y >= 0 && y < h && x >= 0 && x < w ? image + (((int64_t{n} * h + y) * w + x) * c + channel) : nullptr;
  }
  bool packed() const { return packable(c, image); }  // a pack is four channels of one pixel
};

__global__ void write_patches(Patches source, int64_t size, float* patches) {
  const int64_t i = global_thread();
  if (i >= size) return;
  const float* const from = source.at(static_cast<int>(i / source.cols), static_cast<int>(i % source.cols));
  patches[i] = from ? *from : 0.0f;
}

void explicit_patches(const Conv& s, const float* image, const float* weight, float* map) {
  const Gemm product = s.product();
  const int64_t size = int64_t{product.m} * product.k;
  auto* const patches = static_cast<float*>(scratch(static_cast<size_t>(size) * sizeof(float)));
  launch<write_patches>(over(size), Patches(s, image), size, patches);
  launch_packs<MicroTile<ByRows>>(product, Matrix{patches, product.m, product.k}, Matrix{weight, s.oc, product.k}, map);
}

}  // namespace
}  // namespace forger::ladder
