// A convolutional autoencoder: an image to a code and back, as the discriminator of EBGAN (Zhao et al. 2017,
// arXiv:1609.03126), whose energy is how far the image is from what comes back. DCGAN's networks head to head.
#pragma once
#include <memory>

#include "gan/networks/shapes.h"

namespace forger::gan {

class Autoencoder : public nn::Layer {
 public:
  // `code`: how many numbers an image goes through. Sides and `width` as DCGAN's.
  Autoencoder(int64_t code, int64_t width, int64_t channels, Extent size, Random& random);
  Tensor encode(const Tensor& x) { return (*encoder_)(x); }        // (N, H, W, channels) -> (N, code)
  Tensor decode(const Tensor& code) { return (*decoder_)(code); }  // (N, code) -> (N, H, W, channels) in [-1, 1]
  Tensor forward(const Tensor& x) override { return decode(encode(x)); }

 private:
  std::shared_ptr<nn::Sequential> encoder_, decoder_;
};

}  // namespace forger::gan
