// The two networks of pix2pix (Isola, Zhu, Zhou, Efros 2017, arXiv:1611.07004, appendix A).
#pragma once
#include <memory>
#include <vector>

#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// U-Net: an encoder of 4x4 stride-2 convolutions down to maps whose shorter side is 2, width * {1, 2, 4, 8, 8, ...}
// channels, and a decoder back, each map of which sees the encoder's of its size, too. Batch norm but in the first and
// the innermost; LeakyReLU 0.2 on the way down, ReLU on the way up, tanh at the end. Its noise is dropout of one half
// behind the two innermost layers of the decoder, in training and afterwards: which numbers are dropped is an input.
class UNet : public nn::Layer {
 public:
  // `size`: sides that can be halved so often.
  UNet(int64_t in_channels, int64_t out_channels, int64_t width, Extent size, Random& random);
  int64_t noise() const { return noise_; }  // numbers that a sample's noise has
  // (N, H, W, in) and z (N, noise()) ~ U(0, 1) -> (N, H, W, out)
  Tensor forward(const Tensor& x, const Tensor& z);
  Tensor forward(const Tensor& x) override { return forward(x, {}); }  // nothing is dropped

 private:
  std::vector<std::shared_ptr<nn::Sequential>> down_, up_;  // outermost first
  std::vector<Shape> dropped_;                              // by level, the map that dropout sees; empty: none there
  int64_t noise_ = 0;
};

// PatchGAN: scores (N, h, w, 1), each of a patch of `field` pixels: 1, 16, 34 or 70 (UsageError otherwise).
// Convolutions of 4x4 (of 1x1 for the field of 1), a norm but after the first (the paper's is batch norm), LeakyReLU
// 0.2.
std::shared_ptr<nn::Sequential> patch_discriminator(int64_t channels, int64_t width, int64_t field, Extent size,
                                                    DNorm norm, Random& random);

}  // namespace forger::gan
