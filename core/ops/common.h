// What the files of this folder share. Internal: nothing outside core/ops includes it.
//
// Each op is one function of three paragraphs: check the shapes, call the kernel through `dispatch`, `record` the
// gradient. The closures handed to `record` follow three habits:
//   - they capture `Saved` handles of the tensors whose values they read, and only if somebody will read them: in a*b
//     the gradient of b needs a, so a is saved only if b requires a gradient;
//   - they compute only the gradients that `in.needs` asks for and return undefined tensors in the other places;
//   - they call ops, never kernels, so that the gradient of the gradient is there by itself.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "core/autograd.h"
#include "core/dispatch.h"
#include "core/ops.h"

namespace forger::ops {

using Gradients = std::vector<Tensor>;  // what a closure returns: one per input, undefined where not needed

inline void check_operand(const char* op, const Tensor& x) {
  check<ShapeError>(x.defined(), "[", op, "] was given an undefined tensor");
  check<ShapeError>(x.dtype() != DType::i64, "[", op, "] expects float32 or float64, got int64 ", x.shape());
}

// bfloat16 is what some ops read and write; the others, and all sums, take and give float32 in its place.
inline bool is_bf16(const Tensor& x) { return x.defined() && x.dtype() == DType::bf16; }
inline DType wide(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

// Both in the wider of two types, where one is bfloat16.
struct Pair {
  Tensor a, b;
};
inline Pair matched(const Tensor& a, const Tensor& b) {
  return is_bf16(a) != is_bf16(b) && a.defined() && b.defined() ? Pair{widened(a), widened(b)} : Pair{a, b};
}

// All operands defined, floating, and of one type and device.
template <class... Rest>
void check_operands(const char* op, const Tensor& first, const Rest&... rest) {
  check_operand(op, first);
  (check_operand(op, rest), ...);
  (check<ShapeError>(first.dtype() == rest.dtype(), "[", op, "] operands must have one type, got ",
                     name_of(first.dtype()), " and ", name_of(rest.dtype())),
   ...);
  (check<ShapeError>(first.device() == rest.device(), "[", op, "] operands must be on one device"), ...);
}

// The same of an op that keeps x as bfloat16, its weights as float32.
template <class... Weights>
void check_weights(const char* op, const Tensor& x, const Weights&... weights) {
  check_operand(op, x);
  (check_operand(op, weights), ...);
  (check<ShapeError>(wide(x.dtype()) == weights.dtype(), "[", op, "] operands must have one type, got ",
                     name_of(x.dtype()), " and ", name_of(weights.dtype())),
   ...);
  (check<ShapeError>(x.device() == weights.device(), "[", op, "] operands must be on one device"), ...);
}

inline void check_index(const char* op, const Tensor& index) {
  check<ShapeError>(index.defined() && index.dtype() == DType::i64, "[", op, "] indices must be int64");
}

inline Tensor fresh(const Tensor& like, const Shape& shape) { return {shape, like.dtype(), like.device()}; }
inline Tensor fresh(const Tensor& like) { return fresh(like, like.shape()); }
inline Tensor fresh_wide(const Tensor& like, const Shape& shape) { return {shape, wide(like.dtype()), like.device()}; }

inline double largest_of(DType dtype) {  // finite number
  return dtype == DType::f64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
}

inline Saved save_if(bool read_later, const Tensor& x) { return read_later ? Saved(x) : Saved(); }

// Sizes 1 stretch, missing leading axes count as 1. 4x1x3 and 5x1 -> 4x5x3.
inline Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  Shape result = a.rank() >= b.rank() ? a : b;
  const int shorter = std::min(a.rank(), b.rank());
  for (int i = 1; i <= shorter; i++) {
    const int64_t x = a[-i], y = b[-i];
    check<ShapeError>(x == y || x == 1 || y == 1, "[", op, "] shapes ", a, " and ", b, " do not broadcast: axis ", -i,
                      " is ", x, " and ", y);
    result.set(-i, x == 1 ? y : x);
  }
  return result;
}

// Strides, in elements, that walk a contiguous `x` along the axes of `shape`, 0 where x repeats.
inline void repeating_strides(const Shape& x, const Shape& shape, int64_t* strides) {
  int64_t step = 1;
  for (int i = 1; i <= shape.rank(); i++) {
    const int64_t size = i <= x.rank() ? x[-i] : 1;
    strides[shape.rank() - i] = size == 1 ? 0 : step;
    step *= size;
  }
}

// The number of windows of `kernel` cells along `size` cells: (size + 2*padding - kernel) / stride + 1, rounded down.
inline int64_t count_windows(const char* op, int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  check<ShapeError>(kernel > 0, "[", op, "] kernel sizes must be positive, got ", kernel);
  check<ShapeError>(stride > 0, "[", op, "] stride must be positive, got ", stride);
  check<ShapeError>(padding >= 0, "[", op, "] padding cannot be negative, got ", padding);
  check<ShapeError>(size + 2 * padding >= kernel, "[", op, "] kernel of ", kernel, " does not fit into ", size,
                    " pixels with padding ", padding);
  return (size + 2 * padding - kernel) / stride + 1;
}

// y > 0 ? gy : slope*gy, linear in gy; y may be the input or, slopes not being negative, the output of leaky_relu.
Tensor leaky_relu_grad(const Tensor& gy, const Tensor& y, double slope);  // elementwise.cpp

inline Tensor activate(const Tensor& x, kernels::Activation activation, double slope) {
  switch (activation) {
    case kernels::Activation::none:
      break;
    case kernels::Activation::relu:
      return relu(x);
    case kernels::Activation::leaky_relu:
      return leaky_relu(x, slope);
  }
  return x;
}

}  // namespace forger::ops
