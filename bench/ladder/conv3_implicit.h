// Convolution, step 3: the patches are found while they are copied to shared memory, and never written.
//
//   map (pixels, oc) = patches weight^T              the same kernel, with Patches in place of a Matrix
//
// That is the whole change, since the matrix product asks nothing of A but at(row, k). One launch is left, and of the
// bytes those that the product itself reads: 4/oc + 4/128 for a multiply-add (4/128 + 4/128 from 128 channels on). The
// price is arithmetic with indices, four divisions by multiplication (index.h) for each pack. That channels lie
// together is what makes packs: four numbers of one pixel, found once.
#pragma once
#include "bench/ladder/conv2_patches.h"

namespace forger::ladder {
namespace {

void implicit_patches(const Conv& s, const float* image, const float* weight, float* map) {
  const Gemm product = s.product();
  launch_packs<MicroTile<ByRows>>(product, Patches(s, image), Matrix{weight, s.oc, product.k}, map);
}

}  // namespace
}  // namespace forger::ladder
