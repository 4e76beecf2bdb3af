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

Readings fidelity(const Tensor& made, const Tensor& given, const Tensor& truth, const std::string& of) {
  return {{of + "l1", l1_loss(made, truth)},
          {of + "l1_identity", l1_loss(as_channels_of(given, truth), as_channels_of(truth, given))},
          {of + "psnr", psnr(made, truth)},
          {of + "psnr_identity", psnr(given, truth)}};
}

}  // namespace forger::gan
