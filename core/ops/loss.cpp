// Softmax and losses.
//
// All over the last axis, x (..., C), p = softmax(x):
//   softmax      y = e^x / sum e^x            gx = y * (gy - sum(gy*y))
//   log_softmax  y = x - log sum e^x          gx = gy - e^y * sum(gy)
//   logsumexp    y = log sum e^x              gx = gy * p
// The row maximum is subtracted before any exponential. The losses are means over all elements, written in other ops.
// Cross entropy with a logit is -t log s(x) - (1 - t) log(1 - s(x)), each logarithm a softplus: in softplus(x) - x*t,
// which is the same, all digits of a small loss cancel.
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

Tensor bce_with_logits(const Tensor& logits, const Tensor& target) {
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

Tensor l1_loss(const Tensor& a, const Tensor& b) {
  check_pair("l1_loss", a, b);
  return mean(abs(sub(a, b)));
}

Tensor mse_loss(const Tensor& a, const Tensor& b) {
  check_pair("mse_loss", a, b);
  return mean(square(sub(a, b)));
}

}  // namespace forger
