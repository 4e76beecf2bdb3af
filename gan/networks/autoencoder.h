// An autoencoder on DCGAN's networks: an encoder (no norm after its first layer) to a code and a generator from there.
// A discriminator that rates a sample by how badly it is rebuilt is one (EBGAN, Zhao et al. 2017, arXiv:1609.03126).
#pragma once
#include <memory>

#include "gan/networks/dcgan.h"

namespace forger::gan {

class Autoencoder : public nn::Layer {
 public:
  Autoencoder(int64_t code, int64_t width, int64_t channels, Extent size, Random& random);
  Autoencoder(nn::LayerPtr encoder, nn::LayerPtr decoder);
  Tensor encode(const Tensor& x) { return (*encoder_)(x); }        // (N, H, W, channels) -> (N, code)
  Tensor decode(const Tensor& code) { return (*decoder_)(code); }  // back, in [-1, 1]
  Tensor forward(const Tensor& x) override { return decode(encode(x)); }

 private:
  nn::LayerPtr encoder_, decoder_;
};

}  // namespace forger::gan
