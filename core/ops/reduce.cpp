// Reductions over any set of axes, and the pair sum_to / broadcast_to.
//
// The kernel gets merged axes: neighbours of the same kind (kept or reduced) become one, axes of size 1 disappear. Sums
// over an image batch (N, H, W, C) thus reach it as {N*H*W reduced, C kept}, {N kept, H*W reduced, C kept} or {n
// reduced}.
//
// Gradients:  sum       gy repeated along the reduced axes
//             max, min  gy shared equally by the elements that equal the result
//             norm      gy * x / y
//             sum_to    broadcast_to, and the reverse
// mean and variance are written in the ops above, so theirs follow.
#include <array>

#include "core/ops/common.h"
#include "core/trace.h"

namespace forger {
namespace {

using kernels::Reduce;
using namespace ops;

struct Reduction {
  std::array<bool, kernels::max_rank> reduced{};
  int64_t count = 1;  // elements per result
  Shape result{};     // the op's output
  Shape kept{};       // the same with reduced axes as 1: broadcasts against the input
};

Reduction plan(const char* op, const Tensor& x, const Axes& axes, bool keepdim) {
  check_operand(op, x);
  Reduction r{.kept = x.shape()};
  if (axes.empty()) r.reduced.fill(true);
  for (const int axis : axes) {
    const auto i = static_cast<size_t>(normalize_axis(axis, x.rank(), op));
    check<ShapeError>(!r.reduced[i], "[", op, "] axis ", axis, " is named twice");
    r.reduced[i] = true;
  }
  std::vector<int64_t> left;
  for (int i = 0; i < x.rank(); i++) {
    if (!r.reduced[static_cast<size_t>(i)]) {
      left.push_back(x.size(i));
      continue;
    }
    r.count *= x.size(i);
    r.kept.set(i, 1);
  }
  r.result = keepdim ? r.kept : Shape(left);
  return r;
}

kernels::ReduceShape merged(const Shape& shape, const Reduction& r) {
  kernels::ReduceShape s;
  for (int i = 0; i < shape.rank(); i++) {
    const bool reduced = r.reduced[static_cast<size_t>(i)];
    if (shape[i] == 1) continue;
    if (s.rank == 0 || s.reduced[s.rank - 1] != reduced) {
      s.reduced[s.rank] = reduced;
      s.sizes[s.rank++] = 1;
    }
    s.sizes[s.rank - 1] *= shape[i];
  }
  if (s.rank == 0) s.sizes[s.rank++] = 1;  // one element
  return s;
}

Tensor reduce(Reduce op, const Tensor& x, const Reduction& r) {
  const kernels::ReduceShape s = merged(x.shape(), r);
  Tensor y = fresh_wide(x, r.result);
  dispatch_with_bf16(x, [&]<class K>() { K::reduce(op, s, x.data<typename K::Scalar>(), y.data<typename K::Wide>()); });
  return y;
}

void announce(const Reduction& r, const Tensor& x) {
  Trace* const trace = Trace::active();
  if (!trace) return;
  std::vector<double> axes;
  for (int i = 0; i < x.rank(); i++)
    if (r.reduced[static_cast<size_t>(i)]) axes.push_back(i);
  trace->announce({{"axes", axes}});  // whether they are kept as 1, the output's shape tells
}

void check_not_empty(const char* op, const Tensor& x, const Reduction& r) {
  check<ShapeError>(r.count > 0, "[", op, "] of no elements (x: ", x.shape(), ")");
}

Tensor extremum(const char* name, Reduce op, const Tensor& x, const Axes& axes, bool keepdim) {
  if (is_bf16(x)) return extremum(name, op, widened(x), axes, keepdim);
  const Reduction r = plan(name, x, axes, keepdim);
  check_not_empty(name, x, r);
  announce(r, x);
  return record(
      name, reduce(op, x, r), {x},
      [x_ = Saved(x), axes, kept = r.kept](const Incoming& in) {
        const Tensor hit = equal(*x_, reshape(in.y, kept));  // 1 where the extremum is reached
        return Gradients{mul(hit, div(reshape(in.gy, kept), sum(hit, axes, true)))};
      },
      true);
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  const Reduction r = plan("sum", x, axes, keepdim);
  announce(r, x);
  return record("sum", reduce(Reduce::sum, x, r), {x},
                [shape = x.shape(), type = x.dtype(), kept = r.kept](const Incoming& in) {
                  return Gradients{broadcast_to(reshape(cast(in.gy, type), kept), shape)};
                });
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim) {
  const Reduction r = plan("mean", x, axes, keepdim);
  check_not_empty("mean", x, r);
  return affine(sum(x, axes, keepdim), 1 / static_cast<double>(r.count), 0);
}

Tensor max(const Tensor& x, const Axes& axes, bool keepdim) { return extremum("max", Reduce::max, x, axes, keepdim); }
Tensor min(const Tensor& x, const Axes& axes, bool keepdim) { return extremum("min", Reduce::min, x, axes, keepdim); }

// Two passes, the mean first: E[x^2] - E[x]^2 would cancel where the mean is large.
Tensor variance(const Tensor& x, const Axes& axes, bool keepdim) {
  check_not_empty("variance", x, plan("variance", x, axes, keepdim));
  return mean(square(sub(x, mean(x, axes, true))), axes, keepdim);
}

Tensor norm(const Tensor& x, const Axes& axes, double eps, bool keepdim) {
  if (is_bf16(x)) return norm(widened(x), axes, eps, keepdim);
  const Reduction r = plan("norm", x, axes, keepdim);
  const auto forward = [&] {
    const NoGrad no_grad;
    return sqrt(affine(sum(square(x), axes, keepdim), 1, eps));
  };
  return record(
      "norm", forward(), {x},
      [x_ = Saved(x), kept = r.kept, eps](const Incoming& in) {
        if (eps > 0) return Gradients{mul(*x_, reshape(div(in.gy, in.y), kept))};
        // Where the norm is 0 the gradient is taken as 0.
        const Tensor zero = equal(in.y, full_like(in.y, 0));
        const Tensor slope = mul(div(in.gy, add(in.y, zero)), affine(zero, -1, 1));
        return Gradients{mul(*x_, reshape(slope, kept))};
      },
      true);
}

Tensor argmax(const Tensor& x) {
  check_operand("argmax", x);
  if (is_bf16(x)) return argmax(widened(x));
  check<ShapeError>(x.rank() > 0 && x.size(-1) > 0, "[argmax] needs a last axis that is not empty (x: ", x.shape(),
                    ")");
  Tensor index(Shape(std::span(x.shape().begin(), x.shape().end() - 1)), DType::i64, x.device());
  dispatch(
      x, [&]<class K>() { K::argmax(index.numel(), x.size(-1), x.data<typename K::Scalar>(), index.data<int64_t>()); });
  return noted("argmax", index, {x});
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  check_operand("sum_to", x);
  if (x.shape() == shape) return x;
  const int extra = x.rank() - shape.rank();
  Reduction r{.result = shape};
  for (int i = 0; i < x.rank(); i++) {
    const int64_t size = i < extra ? 1 : shape[i - extra];
    check<ShapeError>(extra >= 0 && (size == x.size(i) || size == 1), "[sum_to] ", x.shape(), " is no repetition of ",
                      shape);
    r.reduced[static_cast<size_t>(i)] = i < extra || size != x.size(i);
  }
  const Tensor y = reduce(Reduce::sum, x, r);
  return record("sum_to", is_bf16(x) ? cast(y, DType::bf16) : y, {x},
                [from = x.shape()](const Incoming& in) { return Gradients{broadcast_to(in.gy, from)}; });
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_operand("broadcast_to", x);
  if (x.shape() == shape) return x;
  check<ShapeError>(broadcast_shape("broadcast_to", x.shape(), shape) == shape, "[broadcast_to] ", x.shape(),
                    " does not repeat to ", shape);
  kernels::StridedCopy s{.rank = shape.rank()};
  std::copy(shape.begin(), shape.end(), s.sizes);
  repeating_strides(x.shape(), shape, s.src_strides);
  repeating_strides(shape, shape, s.dst_strides);
  Tensor y = fresh(x, shape);
  dispatch_with_bf16(x, [&]<class K>() {
    using T = typename K::Scalar;
    K::strided_copy(s, x.data<T>(), y.data<T>());
  });
  return record("broadcast_to", y, {x},
                [from = x.shape()](const Incoming& in) { return Gradients{sum_to(in.gy, from)}; });
}

Tensor norm_penalty(const Tensor& x, double target, double eps) {
  check_operand("norm_penalty", x);
  if (is_bf16(x)) return norm_penalty(widened(x), target, eps);
  check<ShapeError>(x.rank() >= 2 && x.numel() > 0, "[norm_penalty] expects x (N, ...), got ", x.shape());
  const int64_t rows = x.size(0), cols = x.numel() / rows;
  const Tensor norms = fresh(x, {rows});
  const auto forward = [&] {
    Tensor penalty = fresh(x, Shape{});
    dispatch(x, [&]<class K>() {
      using T = typename K::Scalar;
      K::norm_penalty(rows, cols, x.data<T>(), static_cast<T>(target), static_cast<T>(eps), norms.data<T>(),
                      penalty.data<T>());
    });
    return penalty;
  };
  const auto gradient = [rows, cols, target, norms, x_ = Saved(x)](const Incoming& in) {
    const Tensor& input = *x_;
    Tensor g = fresh(input);
    dispatch(input, [&]<class K>() {
      using T = typename K::Scalar;
      K::norm_penalty_grad(rows, cols, input.data<T>(), norms.data<T>(), static_cast<T>(target), in.gy.data<T>(),
                           g.data<T>());
    });
    return Gradients{g};
  };
  const auto reference = [target, eps](std::span<const Tensor> in) {
    return mean(square(affine(norm(flatten(in[0]), {1}, eps), 1, -target)));
  };
  return fused("norm_penalty", std::array{x}, forward, gradient, reference);
}

}  // namespace forger
