// Networks of two domains that share layers (Liu, Tuzel 2016, arXiv:1606.07536): what says what a picture is of is one
// for both, what says how it looks is each one's own. Built from the stages of DCGAN (gan/networks/dcgan.h).
#pragma once
#include <memory>

#include "gan/networks/norm.h"
#include "gan/networks/shapes.h"

namespace forger::gan {

// Shared layers first, then each domain's own: generators and decoders.
class SharedFirst : public nn::Module {
 public:
  SharedFirst(nn::LayerPtr shared_layers, nn::LayerPtr of_a, nn::LayerPtr of_b);
  Tensor a(const Tensor& x) { return (*own_a)((*shared)(x)); }
  Tensor b(const Tensor& x) { return (*own_b)((*shared)(x)); }
  const nn::LayerPtr shared, own_a, own_b;
};

// Each domain's own layers first, then the shared ones: encoders and discriminators.
class SharedLast : public nn::Module {
 public:
  SharedLast(nn::LayerPtr of_a, nn::LayerPtr of_b, std::shared_ptr<nn::Sequential> shared_layers);
  Tensor a(const Tensor& x) { return (*shared)((*own_a)(x)); }
  Tensor b(const Tensor& x) { return (*shared)((*own_b)(x)); }
  // (n, ...) and (n, ...) -> (2n, ...): of a, then of b. The shared layers see one batch, so that a norm over it has one
  // mean for both domains, in training as afterwards.
  Tensor both(const Tensor& of_a, const Tensor& of_b);
  const nn::LayerPtr own_a, own_b;
  const std::shared_ptr<nn::Sequential> shared;
};

// The halves of (2n, ...).
Tensor first_half(const Tensor& both);
Tensor second_half(const Tensor& both);

// (2n): 0 for those of a, 1 for those of b, as a classifier of domains is to say of so many rows.
Tensor domains_of(const Tensor& logits);
// The share of logits (2n) that say so.
Tensor domain_accuracy(const Tensor& logits);
// Grey pictures as coloured ones, where a network of both domains sees colours.
Tensor with_channels(const Tensor& x, int64_t channels);

// UsageError, "`who` takes ...", unless a and b are images of one size that DCGAN's networks take.
void require_domains(const std::string& who, const Shape& a, const Shape& b);

// DCGAN's generators of samples a and b, (N, latent) -> (N, H, W, channels), that share their first stages; and its
// encoders to so many outputs, (N) where `outputs` is 1, that share their last. `shared`: how many; UsageError when
// nothing would be a domain's own.
std::shared_ptr<SharedFirst> shared_generators(int64_t latent, int64_t width, int64_t shared, const Shape& a,
                                               const Shape& b, Random& random);
std::shared_ptr<SharedLast> shared_encoders(int64_t outputs, int64_t width, int64_t shared, const Shape& a,
                                            const Shape& b, DNorm norm, Random& random);

// The autoencoders of UNIT (Liu, Breuel, Kautz 2017, arXiv:1703.00848), to and from a map (H/4, W/4, 4 width): the halves
// of CycleGAN's translator with `blocks` residual blocks of their own, and `shared` ones between.
std::shared_ptr<SharedLast> map_encoders(int64_t width, int64_t blocks, int64_t shared, const Shape& a, const Shape& b,
                                         Random& random);
std::shared_ptr<SharedFirst> map_decoders(int64_t width, int64_t blocks, int64_t shared, const Shape& a, const Shape& b,
                                          Random& random);
inline Shape map_code(int64_t width, const Shape& image) { return {image[0] / 4, image[1] / 4, 4 * width}; }

}  // namespace forger::gan
