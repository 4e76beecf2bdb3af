#include "gan/fidelity.h"

#include <cmath>

namespace forger::gan {
namespace {

Tensor as_channels_of(const Tensor& x, const Tensor& other) {
  return x.size(3) == 1 ? broadcast_to(x, {x.size(0), x.size(1), x.size(2), other.size(3)}) : x;
}

}  // namespace

Tensor psnr(const Tensor& made, const Tensor& truth) {
  constexpr double most = 100;
  const Tensor error = mean(square(as_channels_of(made, truth) - truth), {1, 2, 3});
  const double least = 4 * std::pow(10, -most / 10);
  return mean((-10 / std::log(10)) * log(clamp(0.25 * error, least / 4, 1)));
}

Readings fidelity(const Tensor& made, const Tensor& given, const Tensor& truth, const std::string& suffix) {
  return {{"l1" + suffix, l1_loss(made, truth)},
          {"l1_identity" + suffix, l1_loss(as_channels_of(given, truth), truth)},
          {"psnr" + suffix, psnr(made, truth)},
          {"psnr_identity" + suffix, psnr(given, truth)}};
}

}  // namespace forger::gan
