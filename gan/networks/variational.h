// Codes that are distributions: what an encoder of a variational autoencoder says of a sample (Kingma, Welling 2014,
// arXiv:1312.6114).
#pragma once
#include "core/ops.h"

namespace forger::gan {

// q(z|x) = N(m, s^2), number by number, and its divergence from the prior N(0, I).
struct GaussianCode {
  // From an encoder's (N, 2 latent): m, then log s^2.
  explicit GaussianCode(const Tensor& encoded);
  Tensor drawn(const Tensor& e) const { return mean + exp(0.5 * log_variance) * e; }  // with e ~ N(0, I)
  Tensor kl() const;          // nats of a code, the mean over the batch: E sum (m^2 + s^2 - log s^2 - 1)/2
  Tensor mean, log_variance;  // (N, latent)
};

}  // namespace forger::gan
