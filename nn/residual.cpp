#include "nn/residual.h"

#include "nn/functions.h"
#include "nn/sequential.h"

namespace forger::nn {

Residual::Residual(LayerPtr body, LayerPtr shortcut) : body_(child("body", std::move(body))) {
  if (shortcut) shortcut_ = child("shortcut", std::move(shortcut));
}

Tensor Residual::forward(const Tensor& x) { return (*body_)(x) + (shortcut_ ? (*shortcut_)(x) : x); }

LayerPtr residual_block(int64_t in, int64_t out, Resample resample, const ResidualParts& parts, bool image) {
  auto body = std::make_shared<Sequential>();
  if (!image) body->append(parts.activation(in));
  if (resample == Resample::up) body->append(upsample());
  body->append(parts.conv(in, out, 3));
  body->append(parts.activation(out));
  body->append(parts.conv(out, out, 3));
  if (resample == Resample::down) body->append(average_pool());
  if (in == out && resample == Resample::none) return std::make_shared<Residual>(body);

  // A 1x1 convolution gives the same before and after either resampling: it sees the smaller map.
  auto shortcut = std::make_shared<Sequential>();
  if (resample == Resample::down) shortcut->append(average_pool());
  shortcut->append(parts.conv(in, out, 1));
  if (resample == Resample::up) shortcut->append(upsample());
  return std::make_shared<Residual>(body, shortcut);
}

}  // namespace forger::nn
