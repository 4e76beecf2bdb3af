#include "gan/networks/flow.h"

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "gan/networks/mlp.h"
#include "gan/networks/shapes.h"
#include "nn/init.h"

namespace forger::gan {
namespace {

constexpr double eps = 1e-5;  // of variances

Tensor of_each_sample(const Tensor& x) { return sum(flatten(x), {1}); }  // (N, ...) -> (N)

// (N): no volume is stretched.
Tensor none(const Tensor& x) { return zeros({x.size(0)}, x.dtype(), x.device()); }

}  // namespace

// ---- links --------------------------------------------------------------------------------------------------------

void Chain::append(std::shared_ptr<Bijection> link) {
  links_.push_back(child(std::to_string(links_.size()), std::move(link)));
}

Mapped Chain::forward(const Tensor& x) {
  Mapped all{x, none(x)};
  for (const auto& link : links_) {
    const Mapped next = link->forward(all.y);
    all = {next.y, all.log_det + next.log_det};
  }
  return all;
}

Tensor Chain::inverse(const Tensor& y) {
  Tensor x = y;
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) x = (*link)->inverse(x);
  return x;
}

Coupling::Coupling(const Tensor& mask, nn::LayerPtr net)
    : scale_(parameter("scale", ones({mask.size(-1)}))),
      mask_(buffer("mask", mask)),
      net_(child("net", std::move(net))) {}

Coupling::Change Coupling::change(const Tensor& x) {
  const int64_t channels = x.size(-1);
  const std::vector<Tensor> both = split((*net_)(mask_ * x), -1, std::vector<int64_t>{channels, channels});
  const Tensor free = 1 - mask_;
  return {free * scale_ * tanh(both[0]), free * both[1]};
}

Mapped Coupling::forward(const Tensor& x) {
  const auto [s, t] = change(x);
  return {x * exp(s) + t, of_each_sample(s)};
}

Tensor Coupling::inverse(const Tensor& y) {
  const auto [s, t] = change(y);  // of what the mask keeps, which is the same in x and y
  return (y - t) * exp(-s);
}

FlowNorm::FlowNorm(int64_t channels)
    : running_mean_(buffer("running_mean", zeros({channels}))), running_var_(buffer("running_var", ones({channels}))) {}

Mapped FlowNorm::forward(const Tensor& x) {
  const Tensor gamma = full_like(running_mean_, 1), beta = full_like(running_mean_, 0);
  Tensor y, v;  // v (C): the variance that x is divided by, a function of x while training
  if (training()) {
    Axes all_but_last(static_cast<size_t>(x.rank() - 1));
    std::iota(all_but_last.begin(), all_but_last.end(), 0);
    const RunningStats running{running_mean_, running_var_};
    y = batch_norm(x, gamma, beta, {.eps = eps}, &running);
    v = variance(x, all_but_last);
  } else {
    y = batch_norm_inference(x, gamma, beta, running_mean_, running_var_, {.eps = eps});
    v = running_var_;
  }
  const double places = static_cast<double>(x.numel() / (x.size(0) * x.size(-1)));
  return {y, broadcast_to((-0.5 * places) * sum(log(v + eps)), {x.size(0)})};
}

Tensor FlowNorm::inverse(const Tensor& y) { return y * sqrt(running_var_ + eps) + running_mean_; }

Mapped Squeeze::forward(const Tensor& x) { return {pixel_unshuffle(x, 2), none(x)}; }
Tensor Squeeze::inverse(const Tensor& y) { return pixel_shuffle(y, 2); }

Mapped Logit::forward(const Tensor& x) {
  const Tensor p = affine(x, 1 - 2 * alpha_, alpha_), low = log(p), high = log(1 - p);
  return {low - high, of_each_sample(affine(low + high, -1, std::log(1 - 2 * alpha_)))};
}

Tensor Logit::inverse(const Tensor& y) { return affine(sigmoid(y), 1 / (1 - 2 * alpha_), -alpha_ / (1 - 2 * alpha_)); }

MultiScale::MultiScale(std::shared_ptr<Bijection> here, const Shape& made, std::shared_ptr<Bijection> rest)
    : made_(made), here_(child("here", std::move(here))) {
  if (rest) rest_ = child("rest", std::move(rest));
}

Mapped MultiScale::forward(const Tensor& x) {
  const auto [y, log_det] = here_->forward(x);
  if (!rest_) return {flatten(y), log_det};
  const int64_t half = made_[2] / 2;
  const auto [z, more] = rest_->forward(slice(y, 3, half, 2 * half));
  return {concat(std::vector<Tensor>{flatten(slice(y, 3, 0, half)), z}, 1), log_det + more};
}

Tensor MultiScale::inverse(const Tensor& y) {
  const int64_t samples = y.size(0), done = made_.numel() / 2;
  if (!rest_) return here_->inverse(reshape(y, {samples, made_[0], made_[1], made_[2]}));
  const Tensor first = reshape(slice(y, 1, 0, done), {samples, made_[0], made_[1], made_[2] / 2});
  return here_->inverse(concat(std::vector<Tensor>{first, rest_->inverse(slice(y, 1, done, 2 * done))}, 3));
}

// ---- flows --------------------------------------------------------------------------------------------------------

namespace {

using Keeps = bool (*)(const Shape& sample, int64_t row, int64_t column, int64_t channel);
bool even_squares(const Shape&, int64_t row, int64_t column, int64_t) { return (row + column) % 2 == 0; }
bool first_half(const Shape& sample, int64_t, int64_t, int64_t channel) { return 2 * channel < sample[-1]; }

// What `keeps` keeps of a sample (H, W, C) or (C); or all the rest.
Tensor mask_of(const Shape& sample, Keeps keeps, bool rest) {
  const Tensor mask(sample, DType::f32);
  const int64_t channels = sample[-1], width = sample.rank() == 1 ? 1 : sample[1];
  for (int64_t i = 0; i < sample.numel(); i++)
    mask.data<float>()[i] = keeps(sample, i / channels / width, i / channels % width, i % channels) != rest ? 1 : 0;
  return mask;
}

// Appends `count` couplings whose masks take turns, each with a norm behind it.
void append_couplings(Chain& chain, const Shape& sample, Keeps keeps, int64_t count,
                      const std::function<nn::LayerPtr()>& net) {
  for (int64_t i = 0; i < count; i++) {
    chain.append(std::make_shared<Coupling>(mask_of(sample, keeps, i % 2 == 1), net()));
    chain.append(std::make_shared<FlowNorm>(sample[-1]));
  }
}

nn::LayerPtr coupling_net(int64_t channels, int64_t width, Random& random) {
  Conv2dOptions there = same, between = project;
  there.activation = between.activation = kernels::Activation::relu;
  const auto last = std::make_shared<nn::Conv2d>(width, 2 * channels, 3, same, random);
  nn::init_constant(last->weight, 0);
  nn::init_constant(last->bias, 0);
  return std::make_shared<nn::Sequential>(
      std::initializer_list<nn::LayerPtr>{std::make_shared<nn::Conv2d>(channels, width, 3, there, random),
                                          std::make_shared<nn::Conv2d>(width, width, 1, between, random), last});
}

std::shared_ptr<MultiScale> scale_of(const Shape& map, int64_t width, int64_t couplings, int64_t scales,
                                     std::shared_ptr<Chain> here, Random& random) {
  const auto couple = [&](const Shape& shape, Keeps keeps, int64_t count) {
    append_couplings(*here, shape, keeps, count, [&] { return coupling_net(shape[2], width, random); });
  };
  if (scales == 0) {
    couple(map, even_squares, couplings / 2 + 1);
    return std::make_shared<MultiScale>(here, map, nullptr);
  }
  const Shape squeezed{map[0] / 2, map[1] / 2, 4 * map[2]}, left{squeezed[0], squeezed[1], squeezed[2] / 2};
  couple(map, even_squares, couplings / 2);
  here->append(std::make_shared<Squeeze>());
  couple(squeezed, first_half, couplings / 2);
  return std::make_shared<MultiScale>(here, squeezed,
                                      scale_of(left, width, couplings, scales - 1, std::make_shared<Chain>(), random));
}

}  // namespace

std::shared_ptr<Bijection> point_flow(int64_t dimensions, int64_t width, int64_t couplings, Random& random) {
  auto chain = std::make_shared<Chain>();
  append_couplings(*chain, {dimensions}, first_half, couplings,
                   [&] { return mlp_generator(dimensions, width, {2 * dimensions}, random); });
  return chain;
}

std::shared_ptr<Bijection> image_flow(const Shape& sample, int64_t width, int64_t couplings, int64_t scales,
                                      double alpha, Random& random) {
  const int64_t multiple = int64_t{1} << scales;
  check<UsageError>(sample.rank() == 3 && sample[0] % multiple == 0 && sample[1] % multiple == 0, "a flow of --scales ",
                    scales, " halves the sides of images as often: they must be multiples of ", multiple,
                    ", this data set has samples of ", sample, "; give another --size");
  auto first = std::make_shared<Chain>();
  first->append(std::make_shared<Logit>(alpha));
  return scale_of(sample, width, couplings, scales, first, random);
}

}  // namespace forger::gan
