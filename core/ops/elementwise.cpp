// Elementwise ops: y = f(x) and, with NumPy's broadcasting, y = f(a, b).
//
// Broadcasting. y[i0, i1, ...] = f(a[...], b[...]) where an operand of size 1 along an axis has stride 0 there. The
// gradient of repeating is summing: each operand's gradient goes through sum_to.
//
// What the gradients read, hence what stays in memory:
//   from the output y: exp (gy*y), sqrt (gy/2y), reciprocal (-gy*y^2), tanh (gy*(1 - y^2)), sigmoid (gy*y*(1 - y)),
//                      relu and leaky_relu (sign(y) = sign(x)); the input may then be freed
//   from the input:    log, square, abs, pow, clamp, sin, cos, softplus, elu
//   from nothing:      add, sub, affine, neg
//
// Of a bfloat16 and a float32 operand the former is widened.
//
// The first derivatives of the activations are one kernel pass each. They are ops too (tanh_grad, sigmoid_grad,
// leaky_relu_grad, elu_grad below), linear in gy, with gradients of their own, so the second derivative of a network
// costs passes of the same kind. Where f is piecewise linear the derivative by the mask is zero and not recorded.
#include <cmath>

#include "core/ops/common.h"
#include "core/trace.h"

namespace forger {
namespace {

using kernels::Binary;
using kernels::Unary;
using namespace ops;

// ---- kernel calls, unrecorded ----

Tensor map(const char* name, Unary op, const Tensor& x, double p = 0, double q = 0) {
  check_operand(name, x);
  Tensor y = fresh(x);
  dispatch_with_bf16(x, [&]<class K>() {
    using T = typename K::Scalar;
    using Wide = typename K::Wide;
    K::unary(op, x.numel(), x.data<T>(), y.data<T>(), static_cast<Wide>(p), static_cast<Wide>(q));
  });
  return y;
}

Tensor zip(const char* name, Binary op, const Tensor& a, const Tensor& b, double p = 0) {
  check_operands(name, a, b);
  const Shape shape = broadcast_shape(name, a.shape(), b.shape());
  kernels::Broadcast s{.rank = shape.rank()};
  std::copy(shape.begin(), shape.end(), s.sizes);
  repeating_strides(a.shape(), shape, s.a_strides);
  repeating_strides(b.shape(), shape, s.b_strides);
  Tensor y = fresh(a, shape);
  dispatch_with_bf16(a, [&]<class K>() {
    using T = typename K::Scalar;
    K::binary(op, s, a.data<T>(), b.data<T>(), y.data<T>(), static_cast<typename K::Wide>(p));
  });
  return y;
}

}  // namespace

// ---- two operands ----

Tensor add(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  return record("add", zip("add", Binary::add, a, b), {a, b}, [sa = a.shape(), sb = b.shape()](const Incoming& in) {
    return Gradients{in.needs(0) ? sum_to(in.gy, sa) : Tensor(), in.needs(1) ? sum_to(in.gy, sb) : Tensor()};
  });
}

Tensor sub(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  return record("sub", zip("sub", Binary::sub, a, b), {a, b}, [sa = a.shape(), sb = b.shape()](const Incoming& in) {
    return Gradients{in.needs(0) ? sum_to(in.gy, sa) : Tensor(), in.needs(1) ? neg(sum_to(in.gy, sb)) : Tensor()};
  });
}

Tensor mul(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  return record("mul", zip("mul", Binary::mul, a, b), {a, b},
                [a_ = save_if(b.requires_grad(), a), b_ = save_if(a.requires_grad(), b), sa = a.shape(),
                 sb = b.shape()](const Incoming& in) {
                  return Gradients{in.needs(0) ? sum_to(mul(in.gy, *b_), sa) : Tensor(),
                                   in.needs(1) ? sum_to(mul(in.gy, *a_), sb) : Tensor()};
                });
}

// y = a/b: ga = gy/b, gb = -gy*a/b^2 = -ga*y
Tensor div(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  const bool keep_output = b.requires_grad();
  return record(
      "div", zip("div", Binary::div, a, b), {a, b},
      [b_ = Saved(b), sa = a.shape(), sb = b.shape()](const Incoming& in) {
        const Tensor ga = div(in.gy, *b_);
        return Gradients{in.needs(0) ? sum_to(ga, sa) : Tensor(),
                         in.needs(1) ? neg(sum_to(mul(ga, in.y), sb)) : Tensor()};
      },
      keep_output);
}

namespace {

// 1 where a > b, 1/2 where they are equal, 0 elsewhere.
Tensor winner(const Tensor& a, const Tensor& b) { return affine(sub(greater(a, b), greater(b, a)), 0.5, 0.5); }

// maximum when `winning` orders its operands by size, minimum when it swaps them.
template <class Winning>
Tensor choose(const char* name, Binary op, const Tensor& a_, const Tensor& b_, const Winning& winning) {
  const auto [a, b] = matched(a_, b_);
  return record(name, zip(name, op, a, b), {a, b}, [winning, a_ = Saved(a), b_ = Saved(b)](const Incoming& in) {
    const Tensor &x = *a_, &y = *b_;
    return Gradients{in.needs(0) ? sum_to(mul(in.gy, winning(x, y)), x.shape()) : Tensor(),
                     in.needs(1) ? sum_to(mul(in.gy, winning(y, x)), y.shape()) : Tensor()};
  });
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) { return choose("maximum", Binary::maximum, a, b, winner); }
Tensor minimum(const Tensor& a, const Tensor& b) {
  return choose("minimum", Binary::minimum, a, b, [](const Tensor& x, const Tensor& y) { return winner(y, x); });
}

Tensor greater(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  return noted("greater", zip("greater", Binary::greater, a, b), {a, b});
}
Tensor equal(const Tensor& a_, const Tensor& b_) {
  const auto [a, b] = matched(a_, b_);
  return noted("equal", zip("equal", Binary::equal, a, b), {a, b});
}

// ---- one operand ----

Tensor affine(const Tensor& x, double scale, double shift) {
  if (Trace* const trace = Trace::active()) trace->announce({{"scale", {scale}}, {"shift", {shift}}});
  return record("affine", map("affine", Unary::affine, x, scale, shift), {x},
                [scale](const Incoming& in) { return Gradients{scale == 1 ? in.gy : affine(in.gy, scale, 0)}; });
}

Tensor neg(const Tensor& x) {
  return record("neg", map("neg", Unary::affine, x, -1, 0), {x},
                [](const Incoming& in) { return Gradients{neg(in.gy)}; });
}

Tensor exp(const Tensor& x) {
  return record(
      "exp", map("exp", Unary::exp, x), {x}, [](const Incoming& in) { return Gradients{mul(in.gy, in.y)}; }, true);
}

Tensor log(const Tensor& x) {
  return record("log", map("log", Unary::log, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{div(in.gy, *x_)}; });
}

Tensor sqrt(const Tensor& x) {
  return record(
      "sqrt", map("sqrt", Unary::sqrt, x), {x},
      [](const Incoming& in) { return Gradients{affine(div(in.gy, in.y), 0.5, 0)}; }, true);
}

Tensor reciprocal(const Tensor& x) {
  return record(
      "reciprocal", map("reciprocal", Unary::reciprocal, x), {x},
      [](const Incoming& in) { return Gradients{neg(mul(in.gy, square(in.y)))}; }, true);
}

Tensor square(const Tensor& x) {
  return record("square", zip("square", Binary::mul, x, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{affine(mul(in.gy, *x_), 2, 0)}; });
}

Tensor abs(const Tensor& x) {
  return record("abs", map("abs", Unary::abs, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{mul(in.gy, sign(*x_))}; });
}

Tensor sign(const Tensor& x) { return noted("sign", map("sign", Unary::sign, x), {x}); }

// The exponent 0 ends the chain of derivatives of x^2, x^3, ...: its own is 0, so that 0*x^-1 makes no NaN at x = 0.
Tensor pow(const Tensor& x, double exponent) {
  if (Trace* const trace = Trace::active()) trace->announce({{"exponent", {exponent}}});
  if (exponent == 0) {
    check_operand("pow", x);
    return record("pow", full_like(x, 1), {x}, [](const Incoming& in) { return Gradients{full_like(in.gy, 0)}; });
  }
  return record("pow", map("pow", Unary::pow, x, exponent), {x}, [exponent, x_ = Saved(x)](const Incoming& in) {
    return Gradients{mul(in.gy, affine(pow(*x_, exponent - 1), exponent, 0))};
  });
}

Tensor clamp(const Tensor& x, double low, double high) {
  check<ShapeError>(low <= high, "[clamp] low ", low, " is above high ", high);
  if (Trace* const trace = Trace::active()) trace->announce({{"low", {low}}, {"high", {high}}});
  return record("clamp", map("clamp", Unary::clamp, x, low, high), {x}, [low, high, x_ = Saved(x)](const Incoming& in) {
    return Gradients{mul(in.gy, map("clamp", Unary::inside, *x_, low, high))};
  });
}

Tensor operator/(const Tensor& x, double c) {
  if (std::abs(1 / c) <= largest_of(x.dtype()) || c == 0) return affine(x, 1 / c, 0);
  const double part = std::ldexp(1.0, 64);  // c is so small that only a denormal number is
  return affine(affine(x, part, 0), 1 / (c * part), 0);
}

Tensor sin(const Tensor& x) {
  return record("sin", map("sin", Unary::sin, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{mul(in.gy, cos(*x_))}; });
}

Tensor cos(const Tensor& x) {
  return record("cos", map("cos", Unary::cos, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{neg(mul(in.gy, sin(*x_)))}; });
}

Tensor softplus(const Tensor& x) {
  return record("softplus", map("softplus", Unary::softplus, x), {x},
                [x_ = Saved(x)](const Incoming& in) { return Gradients{mul(in.gy, sigmoid(*x_))}; });
}

// ---- activations, each after its first derivative ----

namespace {

// gy * (1 - y^2), y = tanh(x)
Tensor tanh_grad(const Tensor& gy, const Tensor& y) {
  return record("tanh_grad", zip("tanh_grad", Binary::tanh_grad, gy, y), {gy, y},
                [gy_ = save_if(y.requires_grad(), gy), y_ = Saved(y)](const Incoming& in) {
                  return Gradients{in.needs(0) ? tanh_grad(in.gy, *y_) : Tensor(),
                                   in.needs(1) ? affine(mul(in.gy, mul(*gy_, *y_)), -2, 0) : Tensor()};
                });
}

// gy * y * (1 - y), y = sigmoid(x)
Tensor sigmoid_grad(const Tensor& gy, const Tensor& y) {
  return record("sigmoid_grad", zip("sigmoid_grad", Binary::sigmoid_grad, gy, y), {gy, y},
                [gy_ = save_if(y.requires_grad(), gy), y_ = Saved(y)](const Incoming& in) {
                  return Gradients{in.needs(0) ? sigmoid_grad(in.gy, *y_) : Tensor(),
                                   in.needs(1) ? mul(in.gy, mul(*gy_, affine(*y_, -2, 1))) : Tensor()};
                });
}

// x > 0 ? gy : gy*alpha*e^x. Its derivative by x is that of the lower branch: elu_grad less the upper branch.
Tensor elu_grad(const Tensor& gy, const Tensor& x, double alpha) {
  return record("elu_grad", zip("elu_grad", Binary::elu_grad, gy, x, alpha), {gy, x},
                [alpha, gy_ = save_if(x.requires_grad(), gy), x_ = Saved(x)](const Incoming& in) {
                  const auto lower = [&] { return sub(elu_grad(*gy_, *x_, alpha), leaky_relu_grad(*gy_, *x_, 0)); };
                  return Gradients{in.needs(0) ? elu_grad(in.gy, *x_, alpha) : Tensor(),
                                   in.needs(1) ? mul(in.gy, lower()) : Tensor()};
                });
}

}  // namespace

Tensor ops::leaky_relu_grad(const Tensor& gy, const Tensor& y, double slope) {
  return record(
      "leaky_relu_grad", zip("leaky_relu_grad", Binary::leaky_relu_grad, gy, y, slope), {gy},
      [slope, y_ = Saved(y.detach())](const Incoming& in) { return Gradients{leaky_relu_grad(in.gy, *y_, slope)}; });
}

Tensor tanh(const Tensor& x) {
  return record(
      "tanh", map("tanh", Unary::tanh, x), {x}, [](const Incoming& in) { return Gradients{tanh_grad(in.gy, in.y)}; },
      true);
}

Tensor sigmoid(const Tensor& x) {
  return record(
      "sigmoid", map("sigmoid", Unary::sigmoid, x), {x},
      [](const Incoming& in) { return Gradients{sigmoid_grad(in.gy, in.y)}; }, true);
}

Tensor relu(const Tensor& x) {
  return record(
      "relu", map("relu", Unary::relu, x), {x},
      [](const Incoming& in) { return Gradients{leaky_relu_grad(in.gy, in.y, 0)}; }, true);
}

Tensor leaky_relu(const Tensor& x, double slope) {
  check<ShapeError>(slope >= 0, "[leaky_relu] slope cannot be negative, got ", slope);
  if (Trace* const trace = Trace::active()) trace->announce({{"slope", {slope}}});
  return record(
      "leaky_relu", map("leaky_relu", Unary::leaky_relu, x, slope), {x},
      [slope](const Incoming& in) { return Gradients{leaky_relu_grad(in.gy, in.y, slope)}; }, true);
}

Tensor elu(const Tensor& x, double alpha) {
  if (Trace* const trace = Trace::active()) trace->announce({{"alpha", {alpha}}});
  return record("elu", map("elu", Unary::elu, x, alpha), {x},
                [alpha, x_ = Saved(x)](const Incoming& in) { return Gradients{elu_grad(in.gy, *x_, alpha)}; });
}

// ---- noise ----

// u is uniform in (0, 1], so P(u > p) = 1 - p.
namespace {

// The mask is never stored: the gradient draws the same numbers again. Linear in x, so its gradient is itself.
Tensor drop(const Tensor& x, double probability, uint64_t seed, uint64_t stream, uint64_t block) {
  Tensor y = fresh(x);
  dispatch(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::dropout(seed, stream, block, x.numel(), probability, x.data<T>(), y.data<T>());
  });
  return record("dropout", y, {x},
                [=](const Incoming& in) { return Gradients{drop(in.gy, probability, seed, stream, block)}; });
}

}  // namespace

Tensor dropout(const Tensor& x, double probability, Random& random) {
  check_operand("dropout", x);
  if (is_bf16(x)) return cast(dropout(widened(x), probability, random), x.dtype());
  check<ShapeError>(probability >= 0 && probability < 1, "[dropout] probability must be in [0, 1), got ", probability);
  const uint64_t block = random.block;
  random.block += Random::blocks(x.numel());
  return drop(x, probability, random.seed(), random.stream(), block);
}

}  // namespace forger
