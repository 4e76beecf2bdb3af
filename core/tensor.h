// Tensor: a cheap handle to {storage, shape, autograd state}. Always contiguous, row-major; images are NHWC.
// Copies share memory. Arithmetic lives in core/ops.h, gradients in core/autograd.h.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/storage.h"

namespace forger {

template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, int64_t> ||
                std::is_same_v<T, bfloat16>);
  return std::is_same_v<T, float>     ? DType::f32
         : std::is_same_v<T, double>  ? DType::f64
         : std::is_same_v<T, int64_t> ? DType::i64
                                      : DType::bf16;
}

// Up to six sizes, stored inline. A scalar has rank 0 and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(
      std::span<const int64_t> sizes);  // ShapeError past rank 6 or when a size is negative or the count overflows

  int rank() const { return rank_; }
  int64_t operator[](int axis) const;  // negative axes count from the end; ShapeError out of range
  void set(int axis, int64_t size);
  int64_t numel() const;
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  bool operator==(const Shape& other) const;

 private:
  int rank_ = 0;
  std::array<int64_t, kernels::max_rank> sizes_{};
};
std::ostream& operator<<(std::ostream& out, const Shape& shape);  // 64x32x32x3; "scalar" for rank 0
int normalize_axis(int axis, int rank, const char* op);           // -1 -> rank-1; ShapeError names the op

struct Variable;  // autograd identity, core/autograd.h

class Tensor {
 public:
  Tensor() = default;                                             // no storage: `defined()` is false
  Tensor(Shape shape, DType dtype, Device device = Device::cpu);  // contents undefined
  Tensor(std::shared_ptr<Storage> storage, Shape shape, std::shared_ptr<Variable> variable = nullptr);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t size(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return storage_ ? storage_->dtype() : DType::f32; }
  Device device() const { return storage_->device(); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  // Typed pointer to the elements; ShapeError when T is not the dtype. `write` counts a write in place, by the op named
  // (a string literal); use it for memory that a graph may have saved, `data` for an op's fresh output.
  template <class T>
  T* data() const {
    check_dtype(dtype_of<T>());
    return static_cast<T*>(storage_->data());
  }
  template <class T>
  T* write(const char* op) const {
    storage_->version++;
    storage_->last_writer = op;
    return data<T>();
  }

  // Both wait for the device.
  double item() const;                    // the only element; ShapeError when there are more
  std::vector<double> to_vector() const;  // every element, widened

  // ---- autograd ----
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on = true);  // makes a leaf; AutogradError on a result of a recorded op
  Tensor grad() const;                        // what backward() summed up; undefined before
  void zero_grad();                           // drops it
  Tensor detach() const;                      // same memory, no history
  const std::shared_ptr<Variable>& variable() const { return variable_; }

 private:
  void check_dtype(DType asked) const;
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  std::shared_ptr<Variable> variable_;
};

// ---- creation: never recorded ----
Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = Device::cpu);
Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
Tensor ones(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
Tensor full_like(const Tensor& like, double value);
// Values in row-major order; ShapeError when their number is not shape.numel(). Floating types convert, i64 rounds to
// zero.
Tensor from_values(const Shape& shape, std::span<const double> values, DType dtype = DType::f32);
Tensor from_indices(std::span<const int64_t> values);  // i64, shape (n)
Tensor clone(const Tensor& x);                         // fresh memory, no history
// x itself when it is there already; else a copy, no history. bfloat16 comes to the CPU as float32.
Tensor to(const Tensor& x, Device device);

// Writes src into dst's memory in place (same shape and dtype, any devices), on behalf of `op`.
void copy_into(const Tensor& dst, const Tensor& src, const char* op);

}  // namespace forger
