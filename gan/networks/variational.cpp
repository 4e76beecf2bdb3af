#include "gan/networks/variational.h"

namespace forger::gan {

GaussianCode::GaussianCode(const Tensor& encoded) {
  const int64_t latent = encoded.size(1) / 2;
  const Tensor both = widened(encoded);
  mean = slice(both, 1, 0, latent);
  log_variance = slice(both, 1, latent, 2 * latent);
}

Tensor GaussianCode::kl() const {
  const auto samples = static_cast<double>(mean.size(0));
  return (-0.5 / samples) * sum(1 + log_variance - square(mean) - exp(log_variance));
}

}  // namespace forger::gan
