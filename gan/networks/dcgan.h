// DCGAN (Radford et al. 2016, section 3 and figure 1). Channel counts are width * {1, 2, 4, ...}; convolutions are 4x4
// without bias, N(0, 0.02). Every builder returns an initialised network.
#pragma once
#include <memory>

#include "gan/networks/dropout.h"
#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Generator: z (N, latent) -> (N, H, W, channels) in [-1, 1]. A transposed convolution from 1x1 to the smallest map,
// 4x4 of a square, then stride-2 ones; batch norm and ReLU after each but the last, tanh at the end.
// `noise`: dropout behind each ReLU.
std::shared_ptr<nn::Sequential> dcgan_generator(int64_t latent, int64_t width, int64_t channels, Extent size,
                                                Random& random, DropoutNoise* noise = nullptr);
// Discriminator: (N, H, W, channels) -> logits (N). Stride-2 convolutions down to the smallest map, LeakyReLU 0.2, a
// norm between (none after the first; the paper's is batch norm), and a convolution of the whole map to 1x1. Without
// norm it is the critic of WGAN-GP: a norm over the batch would tie the samples' gradients together, and the penalty is
// per sample.
std::shared_ptr<nn::Sequential> dcgan_discriminator(int64_t width, int64_t channels, Extent size, DNorm norm,
                                                    Random& random);

// The same body with `outputs` numbers at its end, and batch norm or another: (N, H, W, channels) -> (N, outputs).
std::shared_ptr<nn::Sequential> dcgan_encoder(int64_t outputs, int64_t width, int64_t channels, Extent size, DNorm norm,
                                              Random& random);

// DCGAN's discriminator in parts: the smallest map f(x), the score from there, and a second head for whoever reads more
// in a sample than whether it is real.
class DiscriminatorInParts : public nn::Module {
 public:
  // `outputs`: of the second head; 0: there is none.
  DiscriminatorInParts(int64_t outputs, int64_t width, int64_t channels, Extent size, DNorm norm, Random& random);
  Tensor map(const Tensor& x) { return (*body_)(x); }                                 // (N, H, W, channels) -> f(x)
  Tensor score(const Tensor& map) { return reshape((*score_)(map), {map.size(0)}); }  // (N)
  Tensor read(const Tensor& map) { return flatten((*read_)(map)); }                   // (N, outputs)

 private:
  std::shared_ptr<nn::Sequential> body_;
  nn::LayerPtr score_, read_;
};

// DCGAN's discriminator of images and classes; c (N, classes) are one-hot rows, or codes as long, of captions
// or of the images themselves; f(x) is the smallest map.
//   concat      c is repeated over the image as further channels        (Mirza, Osindero 2014, arXiv:1411.1784)
//   projection  D(x, c) = D(x) + (V c) f(x), f summed over its pixels   (Miyato, Koyama 2018, arXiv:1802.05637)
//   acgan       D(x), and a second head that says the class             (Odena et al. 2017, arXiv:1610.09585)
//   joint       c joins f(x) as further channels, and a layer sees both before there is a score
//                                                                       (Reed et al. 2016, arXiv:1605.05396)
// With two scores D(x) says whether a sample is real, whatever its class, and match(x, c) whether it is of its class:
// c is projected, or else joins f(x) as joint has it: a score that is a sum of one for f(x) and one for c would know
// every class, and of no image which is its own.
enum class Condition : uint8_t { concat, projection, acgan, joint };
class ConditionalDiscriminator : public nn::Module {
 public:
  ConditionalDiscriminator(Condition condition, bool two_scores, int64_t classes, int64_t width, int64_t channels,
                           Extent size, DNorm norm, Random& random);
  Tensor score(const Tensor& x, const Tensor& c);  // (N)
  Tensor match(const Tensor& x, const Tensor& c);  // (N), of two scores
  Tensor logits(const Tensor& x);                  // acgan: (N, classes)

 private:
  Tensor features(const Tensor& x) { return (*body_)(x); }  // f(x)
  Tensor projected(const Tensor& map, const Tensor& c);     // (V c) f(x)
  Condition condition_;
  bool two_scores_;
  std::shared_ptr<nn::Sequential> body_;
  nn::LayerPtr score_, joint_, match_, classes_;
};

}  // namespace forger::gan
