// Softmax and losses.
//
// All over the last axis, x (..., C), p = softmax(x):
//   softmax      y = e^x / sum e^x            gx = y * (gy - sum(gy*y))
//   log_softmax  y = x - log sum e^x          gx = gy - e^y * sum(gy)
//   logsumexp    y = log sum e^x              gx = gy * p
// The row maximum is subtracted before any exponential. The losses are means over all elements, written in other ops;
// mean_loss is fused besides, since one of a discriminator's outputs is all launches (formulas in cpu/loss.cpp).
// Cross entropy with a logit is -t log s(x) - (1 - t) log(1 - s(x)), each logarithm a softplus: in softplus(x) - x*t,
// which is the same, all digits of a small loss cancel.
#include <array>

#include "core/ops/common.h"

namespace forger {
namespace {

using namespace ops;

void check_classes(const char* op, const Tensor& x) {
  check_operand(op, x);
  check<ShapeError>(x.rank() > 0 && x.size(-1) > 0, "[", op, "] needs a last axis that is not empty (x: ", x.shape(),
                    ")");
}

void check_pair(const char* op, const Tensor& a, const Tensor& b) {
  check_operands(op, a, b);
  check<ShapeError>(a.shape() == b.shape(), "[", op, "] shapes must agree, got ", a.shape(), " and ", b.shape());
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check_classes("softmax", x);
  if (is_bf16(x)) return softmax(widened(x));
  Tensor y = fresh(x);
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::softmax(x.numel() / x.size(-1), x.size(-1), x.data<T>(), y.data<T>());
  });
  return record(
      "softmax", y, {x},
      [](const Incoming& in) { return Gradients{mul(in.y, sub(in.gy, sum(mul(in.gy, in.y), {-1}, true)))}; }, true);
}

Tensor log_softmax(const Tensor& x) {
  check_classes("log_softmax", x);
  if (is_bf16(x)) return log_softmax(widened(x));
  Tensor y = fresh(x);
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::log_softmax(x.numel() / x.size(-1), x.size(-1), x.data<T>(), y.data<T>());
  });
  return record(
      "log_softmax", y, {x},
      [](const Incoming& in) { return Gradients{sub(in.gy, mul(exp(in.y), sum(in.gy, {-1}, true)))}; }, true);
}

Tensor logsumexp(const Tensor& x) {
  check_classes("logsumexp", x);
  if (is_bf16(x)) return logsumexp(widened(x));
  const auto forward = [&] {
    const NoGrad no_grad;
    // An infinite maximum is taken as the largest number: infinities less themselves would be no number.
    const double largest = largest_of(x.dtype());
    const Tensor top = clamp(max(x, {-1}, true), -largest, largest);
    const Tensor y = add(top, log(sum(exp(sub(x, top)), {-1}, true)));
    return reshape(y, Shape(std::span(x.shape().begin(), x.shape().end() - 1)));
  };
  return record("logsumexp", forward(), {x}, [x_ = Saved(x)](const Incoming& in) {
    Shape column = (*x_).shape();
    column.set(-1, 1);
    return Gradients{mul(reshape(in.gy, column), softmax(*x_))};
  });
}

Tensor bce_with_logits(const Tensor& logits_, const Tensor& target_) {
  const Tensor logits = widened(logits_), target = widened(target_);
  check_pair("bce_with_logits", logits, target);
  const Tensor if_one = mul(target, softplus(neg(logits))), if_zero = mul(affine(target, -1, 1), softplus(logits));
  return mean(add(if_one, if_zero));
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  check_classes("cross_entropy", logits);
  check_index("cross_entropy", labels);
  check<ShapeError>(logits.rank() == 2 && labels.rank() == 1 && labels.size(0) == logits.size(0),
                    "[cross_entropy] expects logits (N, C) and labels (N), got ", logits.shape(), " and ",
                    labels.shape());
  const int64_t rows = logits.size(0), classes = logits.size(1);
  const Tensor known = to(labels, Device::cpu);
  std::vector<int64_t> places(known.data<int64_t>(), known.data<int64_t>() + rows);
  for (int64_t row = 0; row < rows; row++) {
    int64_t& place = places[static_cast<size_t>(row)];
    check<ShapeError>(place >= 0 && place < classes, "[cross_entropy] label ", place, " in row ", row,
                      " is not one of 0..", classes - 1);
    place += row * classes;
  }
  const Tensor index = to(from_indices(places), logits.device());
  return neg(mean(gather(reshape(log_softmax(logits), {rows * classes}), index)));
}

Tensor losses(const Tensor& x, const kernels::Loss& loss) {
  const auto curve = [&](const Tensor& u) {
    switch (loss.curve) {
      case kernels::Curve::linear:
        break;
      case kernels::Curve::square:
        return square(u);
      case kernels::Curve::hinge:
        return relu(u);
      case kernels::Curve::softplus:
        return softplus(u);
    }
    return u;
  };
  check_operand("losses", x);
  if (is_bf16(x)) return losses(widened(x), loss);
  const Tensor f = curve(loss.scale == 1 && loss.shift == 0 ? x : affine(x, loss.scale, loss.shift));
  return loss.factor == 1 ? f : affine(f, loss.factor, 0);
}

Tensor mean_loss(const Tensor& x, const kernels::Loss& loss) {
  check_operand("mean_loss", x);
  if (is_bf16(x)) return mean_loss(widened(x), loss);
  check<ShapeError>(x.numel() > 0, "[mean_loss] of no elements (x: ", x.shape(), ")");
  const auto forward = [&] {
    Tensor y = fresh(x, Shape{});
    dispatch(x, [&]<class K>() {
      using T = typename K::Scalar;
      K::mean_loss(loss, x.numel(), x.data<T>(), y.data<T>());
    });
    return y;
  };
  const auto gradient = [loss, x_ = Saved(x)](const Incoming& in) {
    const Tensor& input = *x_;
    Tensor g = fresh(input);
    dispatch(input, [&]<class K>() {
      using T = typename K::Scalar;
      K::mean_loss_grad(loss, input.numel(), input.data<T>(), in.gy.data<T>(), g.data<T>());
    });
    return Gradients{g};
  };
  const auto reference = [loss](std::span<const Tensor> in) { return mean(losses(in[0], loss)); };
  return fused("mean_loss", std::array{x}, forward, gradient, reference);
}

Tensor l1_loss(const Tensor& a_, const Tensor& b_) {
  const Tensor a = widened(a_), b = widened(b_);
  check_pair("l1_loss", a, b);
  return mean(abs(sub(a, b)));
}

Tensor mse_loss(const Tensor& a_, const Tensor& b_) {
  const Tensor a = widened(a_), b = widened(b_);
  check_pair("mse_loss", a, b);
  return mean(square(sub(a, b)));
}

}  // namespace forger
