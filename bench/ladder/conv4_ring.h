// Convolution, steps 4 to 6: asynchronous copies, and the production form.
//
// Step 4 is step 6 of the matrix product with the same patches: cp.async brings a pack of a pixel, or the zeros of the
// padding, without a register between. The bytes are those of step 3.
//
// Steps 5 and 6 are kernels/cuda/conv.cu, called as the engine calls it, in FP32 and on tensor cores. On top of step 4:
//   - tiles of three shapes: 128 x 32 for maps of few channels, where this one multiplies columns that are not there;
//   - the row and the column of an address apart, so that what a thread's copies have in common is found once;
//   - the other two sides of the triangle, conv_transpose2d as one launch over the phases of its stride;
//   - shares of the depth (step 8 of the matrix product), a fused bias and activation, doubles.
#pragma once
#include "bench/ladder/conv3_implicit.h"
#include "bench/ladder/gemm6_ring.h"

namespace forger::ladder {
namespace {

void patches_ring(const Conv& s, const float* image, const float* weight, float* map) {
  const Gemm product = s.product();
  launch_ring<MicroTile<ByRows>>(product, Patches(s, image), Matrix{weight, s.oc, product.k}, map);
}

void production(const Conv& s, const float* image, const float* weight, float* map) {
  Gpu<float>::conv2d(s.shape(), image, weight, map);
}

}  // namespace
}  // namespace forger::ladder
