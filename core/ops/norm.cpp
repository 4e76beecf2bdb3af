// Normalisation: y = act((x - mean) * rstd * gamma + beta), rstd = 1/sqrt(variance + eps), biased variance.
//
//   op                     x                  statistics per      gamma, beta
//   batch_norm             (..., C)           channel             (C)         Ioffe and Szegedy 2015
//   instance_norm          (N, H, W, C)       sample and channel  (C)         Ulyanov et al. 2016
//   layer_norm             (N, ...)           sample              (...)       Ba et al. 2016
//   batch_norm_inference   (..., C)           given (C)           (C)
//
// The first two are one case: x seen as (groups, rows, C) with statistics over the rows, where groups is 1 or N.
//
// Each is `fused`: kernels serve the value and the first gradient, a reference in plain ops serves create_graph; batch
// and instance norm have a kernel for the second gradient towards x too. Mean and variance are functions of x in all.
// Mean and rstd are computed once and shared with the gradient's closure.
//
// The gradient of the kernels, with xhat = (x - mean)*rstd, g = gy*act'(.), and <.> the mean over the statistics' axis:
//   gbeta = sum g,  ggamma = sum g*xhat,  gx = gamma*rstd*(g - <g> - xhat*<g*xhat>)   (gamma inside <.> in layer_norm)
#include <array>

#include "core/ops/common.h"
#include "core/profile.h"
#include "core/trace.h"

namespace forger {
namespace {

using kernels::Activation;
using kernels::NormShape;
using namespace ops;

struct Statistics {
  Tensor mean, rstd;
};

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

void check_options(const char* op, const NormOptions& options) {
  check<ShapeError>(options.eps >= 0, "[", op, "] eps cannot be negative, got ", options.eps);
  check<ShapeError>(options.activation != Activation::leaky_relu || options.slope >= 0, "[", op,
                    "] slope cannot be negative, got ", options.slope);
}

void check_per_channel(const char* op, const Tensor& x, const char* name, const Tensor& parameter) {
  check_weights(op, x, parameter);
  check<ShapeError>(parameter.shape() == Shape{x.size(-1)}, "[", op, "] ", name, " must have one value for each of ",
                    x.size(-1), " channels (x: ", x.shape(), ", ", name, ": ", parameter.shape(), ")");
}

void announce(const NormOptions& options) {
  if (Trace* const trace = Trace::active())
    trace->announce({{"eps", {options.eps}}, {"activation", Trace::numbers(options.activation, options.slope)}});
}

// ---- kernel calls, unrecorded ----

Statistics statistics(const NormShape& s, const Tensor& x, double eps, const RunningStats* running = nullptr) {
  const Shape shape{s.groups, s.channels};
  const Statistics result{fresh_wide(x, shape), fresh_wide(x, shape)};
  dispatch_with_bf16(x, [&]<class K>() {
    using Wide = typename K::Wide;
    kernels::Running<Wide> kept;
    if (running)
      kept = {running->mean.write<Wide>("batch_norm"), running->variance.write<Wide>("batch_norm"),
              static_cast<Wide>(running->momentum)};
    K::norm_stats(s, x.data<typename K::Scalar>(), static_cast<Wide>(eps), result.mean.data<Wide>(),
                  result.rstd.data<Wide>(), kept);
  });
  return result;
}

Tensor apply(const NormShape& s, const Tensor& x, const Statistics& stats, const Tensor& gamma, const Tensor& beta,
             const NormOptions& options) {
  Tensor y = fresh(x);
  dispatch_with_bf16(x, [&]<class K>() {
    using T = typename K::Scalar;
    using Wide = typename K::Wide;
    K::norm_apply(s, x.data<T>(), stats.mean.data<Wide>(), stats.rstd.data<Wide>(), gamma.data<Wide>(),
                  beta.data<Wide>(), options.activation, static_cast<Wide>(options.slope), y.data<T>());
  });
  return y;
}

// ---- references, recorded ----

double slope_of(const NormOptions& options) { return options.activation == Activation::relu ? 0 : options.slope; }

// act(pre), with the slopes of what the kernels make of the inputs: near 0 its sign may be another than that of pre, and
// all orders of differentiation must be those of one function.
Tensor activate_as_kernels(const Tensor& pre, const NormShape& s, std::span<const Tensor> in, const Statistics& stats,
                           const NormOptions& options) {
  if (!fused_enabled() || options.activation == Activation::none)
    return activate(pre, options.activation, options.slope);
  return leaky_relu_grad(pre, widened(apply(s, in[0], stats, in[1], in[2], options)), slope_of(options));
}

// ---- batch norm and instance norm ----

// Kernel calls and the reference share what does not change between the orders of differentiation.
struct Grouped {
  NormShape s;
  NormOptions options;
  Statistics stats;

  // Statistics over the rows of x (groups, rows, C).
  Tensor reference(std::span<const Tensor> in) const {
    const Tensor rows = reshape(widened(in[0]), {s.groups, s.rows, s.channels});
    const Tensor centred = sub(rows, mean(rows, {1}, true));
    const Tensor rstd = reciprocal(sqrt(affine(mean(square(centred), {1}, true), 1, options.eps)));
    const Tensor pre = reshape(add(mul(mul(centred, rstd), in[1]), in[2]), in[0].shape());
    return cast(activate_as_kernels(pre, s, in, stats, options), in[0].dtype());
  }

  Gradients backward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Incoming& in) const {
    Gradients g{in.needs(0) ? fresh(x) : Tensor(), in.needs(1) ? fresh(gamma) : Tensor(),
                in.needs(2) ? fresh(beta) : Tensor()};
    dispatch_with_bf16(x, [&]<class K>() {
      using T = typename K::Scalar;
      using Wide = typename K::Wide;
      K::norm_backward(s, x.data<T>(), in.gy.data<T>(), stats.mean.data<Wide>(), stats.rstd.data<Wide>(),
                       gamma.data<Wide>(), beta.data<Wide>(), options.activation, static_cast<Wide>(options.slope),
                       data_or_null<T>(g[0]), data_or_null<Wide>(g[1]), data_or_null<Wide>(g[2]));
    });
    return g;
  }

  // The gradient towards x as an op of x, gy, gamma and beta: what a gradient penalty differentiates again. That second
  // time is a kernel's as well; a third goes through the reference.
  Tensor input_gradient(const Tensor& x, const Tensor& gy, const Tensor& gamma, const Tensor& beta) const {
    constexpr uint64_t towards_x = 1;
    const auto forward = [&] { return backward(x, gamma, beta, {gy, {}, towards_x})[0]; };
    const auto gradient = [self = *this, x_ = Saved(x), gy_ = Saved(gy), gamma_ = Saved(gamma),
                           beta_ = Saved(beta)](const Incoming& in) {
      const Tensor &input = *x_, &incoming = *gy_, &scale = *gamma_, &shift = *beta_;
      Gradients d{in.needs(0) ? fresh(input) : Tensor(), in.needs(1) ? fresh(input) : Tensor(),
                  in.needs(2) ? fresh(scale) : Tensor(), Tensor()};  // piecewise constant in beta
      dispatch_with_bf16(input, [&]<class K>() {
        using T = typename K::Scalar;
        using Wide = typename K::Wide;
        K::norm_backward_grad(self.s, input.data<T>(), incoming.data<T>(), in.gy.data<T>(),
                              self.stats.mean.data<Wide>(), self.stats.rstd.data<Wide>(), scale.data<Wide>(),
                              shift.data<Wide>(), self.options.activation, static_cast<Wide>(self.options.slope),
                              data_or_null<T>(d[0]), data_or_null<T>(d[1]), data_or_null<Wide>(d[2]));
      });
      return d;
    };
    const auto reference = [self = *this](std::span<const Tensor> in) {
      const Saved inputs[] = {in[0], in[2], in[3]};
      return recorded_gradients([self](std::span<const Tensor> x_) { return self.reference(x_); }, inputs,
                                {in[1], {}, towards_x})[0];
    };
    return fused("norm_backward", std::array{x, gy, gamma, beta}, forward, gradient, reference);
  }

  Tensor operator()(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta) const {
    if (!fused_enabled()) return reference(std::array{x, gamma, beta});
    const auto gradient = [self = *this, x_ = Saved(x), gamma_ = Saved(gamma),
                           beta_ = Saved(beta)](const Incoming& in) {
      if (!recording()) {
        const Gradients towards = self.backward(*x_, *gamma_, *beta_, in);
        if (Profile* const profile = Profile::active())
          profile->announce({.bytes = bytes_of(std::array{*x_, in.gy, towards[0]})});
        return towards;
      }
      Gradients g(3);
      if (in.needs(1) || in.needs(2)) {
        const Saved inputs[] = {x_, gamma_, beta_};
        g = recorded_gradients([self](std::span<const Tensor> t) { return self.reference(t); }, inputs,
                               {in.gy, {}, in.needed & ~uint64_t{1}});
      }
      if (in.needs(0)) g[0] = self.input_gradient(*x_, in.gy, *gamma_, *beta_);
      return g;
    };
    announce(options);
    return record(op, apply(s, x, stats, gamma, beta, options), {x, gamma, beta}, gradient);
  }
};

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options,
                  const RunningStats* running) {
  check_operand("batch_norm", x);
  check_options("batch_norm", options);
  check<ShapeError>(x.rank() >= 2 && x.size(-1) > 0, "[batch_norm] expects x (..., C), got ", x.shape());
  check_per_channel("batch_norm", x, "gamma", gamma);
  check_per_channel("batch_norm", x, "beta", beta);
  const NormShape s{.groups = 1, .rows = x.numel() / x.size(-1), .channels = x.size(-1)};
  check<ShapeError>(s.rows > 1, "[batch_norm] needs more than one value per channel (x: ", x.shape(), ")");

  if (running) {
    check_per_channel("batch_norm", x, "running mean", running->mean);
    check_per_channel("batch_norm", x, "running variance", running->variance);
  }

  return Grouped{s, options, statistics(s, x, options.eps, running)}("batch_norm", x, gamma, beta);
}

Tensor instance_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const NormOptions& options) {
  check_operand("instance_norm", x);
  check_options("instance_norm", options);
  check<ShapeError>(x.rank() == 4 && x.size(-1) > 0, "[instance_norm] expects images (N, H, W, C), got ", x.shape());
  check_per_channel("instance_norm", x, "gamma", gamma);
  check_per_channel("instance_norm", x, "beta", beta);
  const NormShape s{.groups = x.size(0), .rows = x.size(1) * x.size(2), .channels = x.size(3)};
  check<ShapeError>(s.rows > 1, "[instance_norm] needs more than one pixel per sample (x: ", x.shape(), ")");
  return Grouped{s, options, statistics(s, x, options.eps)}("instance_norm", x, gamma, beta);
}

// With given statistics the op is affine in x: y = act(scale*x + shift), scale = gamma*rstd, shift = beta - mean*scale.
Tensor batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                            const Tensor& variance, const NormOptions& options) {
  constexpr const char* op = "batch_norm_inference";
  check_operand(op, x);
  check_options(op, options);
  check<ShapeError>(x.rank() >= 2 && x.size(-1) > 0, "[", op, "] expects x (..., C), got ", x.shape());
  check_per_channel(op, x, "gamma", gamma);
  check_per_channel(op, x, "beta", beta);
  check_per_channel(op, x, "mean", mean);
  check_per_channel(op, x, "variance", variance);
  if (is_bf16(x)) return cast(batch_norm_inference(widened(x), gamma, beta, mean, variance, options), DType::bf16);
  const NormShape s{.groups = 1, .rows = x.numel() / x.size(-1), .channels = x.size(-1)};

  const auto forward = [&] {
    const Tensor rstd = reciprocal(sqrt(affine(variance, 1, options.eps)));
    announce(options);
    return apply(s, x, {mean, rstd}, gamma, beta, options);
  };
  const auto reference = [s, options](std::span<const Tensor> in) {
    const Tensor rstd = reciprocal(sqrt(affine(in[4], 1, options.eps)));
    const Tensor pre = add(mul(mul(sub(in[0], in[3]), rstd), in[1]), in[2]);
    return activate_as_kernels(pre, s, in, {in[3], rstd}, options);
  };
  const auto gradient = [s, options, x_ = Saved(x), gamma_ = Saved(gamma), beta_ = Saved(beta), mean_ = Saved(mean),
                         variance_ = Saved(variance)](const Incoming& in) {
    const Shape channels = (*gamma_).shape();
    const Tensor rstd = reciprocal(sqrt(affine(*variance_, 1, options.eps)));
    const Tensor scale = mul(*gamma_, rstd);
    Tensor g = in.gy;
    if (options.activation != Activation::none)
      g = leaky_relu_grad(g, apply(s, *x_, {*mean_, rstd}, *gamma_, *beta_, options), slope_of(options));
    Gradients result(5);
    if (in.needs(0)) result[0] = mul(g, scale);
    if (in.needs(1) || in.needs(4)) {
      const Tensor centred = sum_to(mul(g, sub(*x_, *mean_)), channels);
      if (in.needs(1)) result[1] = mul(centred, rstd);
      if (in.needs(4)) result[4] = affine(mul(centred, mul(scale, square(rstd))), -0.5, 0);
    }
    if (in.needs(2) || in.needs(3)) result[2] = sum_to(g, channels);
    if (in.needs(3)) result[3] = neg(mul(result[2], scale));
    return result;
  };
  return fused(op, std::array{x, gamma, beta, mean, variance}, forward, gradient, reference);
}

// ---- layer norm ----

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  check_weights("layer_norm", x, gamma, beta);
  if (is_bf16(x)) return cast(layer_norm(widened(x), gamma, beta, eps), DType::bf16);
  check_options("layer_norm", {.eps = eps});
  check<ShapeError>(x.rank() >= 2 && x.numel() > 0, "[layer_norm] expects x (N, ...), got ", x.shape());
  const Shape sample(std::span(x.shape().begin() + 1, x.shape().end()));
  check<ShapeError>(gamma.shape() == sample && beta.shape() == sample,
                    "[layer_norm] gamma and beta must have the shape ", sample, " of one sample, got ", gamma.shape(),
                    " and ", beta.shape());
  const int64_t rows = x.size(0), cols = sample.numel();
  const Statistics stats{fresh(x, {rows}), fresh(x, {rows})};

  const auto forward = [&] {
    Tensor y = fresh(x);
    dispatch(x, [&]<class K>() {
      using T = typename K::Scalar;
      K::layer_norm(rows, cols, x.data<T>(), gamma.data<T>(), beta.data<T>(), static_cast<T>(eps), y.data<T>(),
                    stats.mean.data<T>(), stats.rstd.data<T>());
    });
    announce({.eps = eps});
    return y;
  };
  const auto gradient = [rows, cols, stats, x_ = Saved(x), gamma_ = Saved(gamma)](const Incoming& in) {
    const Tensor &input = *x_, &scale = *gamma_;
    Gradients g{in.needs(0) ? fresh(input) : Tensor(), in.needs(1) ? fresh(scale) : Tensor(),
                in.needs(2) ? fresh(scale) : Tensor()};
    dispatch(in.gy, [&]<class K>() {
      using T = typename K::Scalar;
      K::layer_norm_backward(rows, cols, input.data<T>(), in.gy.data<T>(), stats.mean.data<T>(), stats.rstd.data<T>(),
                             scale.data<T>(), data_or_null<T>(g[0]), data_or_null<T>(g[1]), data_or_null<T>(g[2]));
    });
    return g;
  };
  const auto reference = [rows, cols, eps](std::span<const Tensor> in) {
    const Tensor flat = reshape(in[0], {rows, cols});
    const Tensor centred = sub(flat, mean(flat, {1}, true));
    const Tensor rstd = reciprocal(sqrt(affine(mean(square(centred), {1}, true), 1, eps)));
    const Tensor y = add(mul(mul(centred, rstd), reshape(in[1], {cols})), reshape(in[2], {cols}));
    return reshape(y, in[0].shape());
  };
  return fused("layer_norm", std::array{x, gamma, beta}, forward, gradient, reference);
}

}  // namespace forger
