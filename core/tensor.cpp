#include "core/tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/autograd.h"
#include "core/dispatch.h"
#include "core/ops.h"
#include "core/trace.h"

namespace forger {

size_t size_of(DType dtype) { return dtype == DType::bf16 ? 2 : dtype == DType::f32 ? 4 : 8; }
const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::i64:
      return "int64";
    case DType::bf16:
      return "bfloat16";
  }
  return "?";
}

// ---- Shape ----

Shape::Shape(std::span<const int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  check<ShapeError>(sizes.size() <= kernels::max_rank, "a shape has at most ", kernels::max_rank, " axes, got ",
                    sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  int64_t count = 1;
  for (const int64_t size : sizes) {
    check<ShapeError>(size >= 0, "a size cannot be negative: ", *this);
    check<ShapeError>(!__builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count) && count <= (int64_t{1} << 56),
                      "too many elements: ", *this);
  }
}

int64_t Shape::operator[](int axis) const { return sizes_[static_cast<size_t>(normalize_axis(axis, rank_, "shape"))]; }
void Shape::set(int axis, int64_t size) { sizes_[static_cast<size_t>(normalize_axis(axis, rank_, "shape"))] = size; }
int64_t Shape::numel() const {
  int64_t count = 1;
  for (const int64_t size : *this) count *= size;
  return count;
}
bool Shape::operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  if (shape.rank() == 0) return out << "scalar";
  for (int i = 0; i < shape.rank(); i++) out << (i ? "x" : "") << shape.begin()[i];
  return out;
}

int normalize_axis(int axis, int rank, const char* op) {
  const int result = axis < 0 ? axis + rank : axis;
  check<ShapeError>(result >= 0 && result < rank, "[", op, "] axis ", axis, " does not exist, there are ", rank);
  return result;
}

// ---- Tensor ----

Tensor::Tensor(Shape shape, DType dtype, Device device)
    : storage_(std::make_shared<Storage>(device, static_cast<size_t>(shape.numel()) * size_of(dtype), dtype)),
      shape_(shape) {}

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, std::shared_ptr<Variable> variable)
    : storage_(std::move(storage)), shape_(shape), variable_(std::move(variable)) {}

void Tensor::check_dtype(DType asked) const {
  check<ShapeError>(defined(), "an undefined tensor has no elements");
  check<ShapeError>(dtype() == asked, "a ", name_of(dtype()), " tensor was read as ", name_of(asked));
}

double Tensor::item() const {
  check<ShapeError>(defined() && numel() == 1, "item() needs exactly one element, the tensor is ", shape_);
  return to_vector()[0];
}

std::vector<double> Tensor::to_vector() const {
  check<ShapeError>(defined(), "an undefined tensor has no elements");
  if (device() != Device::cpu) return to(*this, Device::cpu).to_vector();
  const auto doubles = [&](const auto* p) { return std::vector<double>(p, p + numel()); };
  if (dtype() == DType::i64) return doubles(data<int64_t>());
  if (dtype() == DType::bf16) return doubles(data<bfloat16>());
  return dispatch(*this, [&]<class K>() { return doubles(data<typename K::Scalar>()); });
}

bool Tensor::requires_grad() const { return variable_ && variable_->requires_grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  check<AutogradError>(!variable_ || !variable_->creator,
                       "only a leaf can start or stop requiring a gradient; detach() first");
  if (!variable_) variable_ = std::make_shared<Variable>();
  variable_->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const { return variable_ ? variable_->grad : Tensor(); }
void Tensor::zero_grad() {
  if (variable_) variable_->grad = Tensor();
}
Tensor Tensor::detach() const { return {storage_, shape_}; }

// ---- creation ----

Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  if (dtype == DType::i64) {
    const Tensor result(shape, dtype);
    std::fill_n(result.data<int64_t>(), result.numel(), static_cast<int64_t>(value));
    return to(result, device);
  }
  Tensor result(shape, dtype, device);
  dispatch_with_bf16(result, [&]<class K>() {
    using T = typename K::Scalar;
    K::fill(result.numel(), static_cast<T>(value), result.data<T>());
  });
  return result;
}
Tensor zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }
Tensor ones(const Shape& shape, DType dtype, Device device) { return full(shape, 1, dtype, device); }
Tensor full_like(const Tensor& like, double value) { return full(like.shape(), value, like.dtype(), like.device()); }

Tensor from_values(const Shape& shape, std::span<const double> values, DType dtype) {
  check<ShapeError>(static_cast<int64_t>(values.size()) == shape.numel(), "a ", shape, " tensor takes ", shape.numel(),
                    " values, got ", values.size());
  Tensor result(shape, dtype);
  auto convert = [&]<class T>(T* out) {
    std::transform(values.begin(), values.end(), out, [](double v) { return static_cast<T>(v); });
  };
  if (dtype == DType::f32) convert(result.data<float>());
  if (dtype == DType::f64) convert(result.data<double>());
  if (dtype == DType::i64) convert(result.data<int64_t>());
  if (dtype == DType::bf16) convert(result.data<bfloat16>());
  return result;
}

Tensor from_indices(std::span<const int64_t> values) {
  Tensor result({static_cast<int64_t>(values.size())}, DType::i64);
  std::copy(values.begin(), values.end(), result.data<int64_t>());
  return result;
}

namespace {
void copy_elements(const Tensor& src, const Tensor& dst) {
  if (src.dtype() == DType::i64 || src.device() != dst.device()) {
    const auto bytes = static_cast<size_t>(src.numel()) * size_of(src.dtype());
    if (src.device() == Device::cpu) {
      kernels::runtime(dst.device()).upload(dst.storage()->data(), src.storage()->data(), bytes);
    } else {
      kernels::runtime(src.device()).copy(dst.storage()->data(), src.storage()->data(), bytes);
    }
    return;
  }
  dispatch_with_bf16(src, [&]<class K>() {
    using T = typename K::Scalar;
    K::copy(src.numel(), src.data<T>(), dst.data<T>());
  });
}
}  // namespace

Tensor clone(const Tensor& x) {
  Tensor result(x.shape(), x.dtype(), x.device());
  copy_elements(x, result);
  return noted("clone", result, {x});
}

Tensor to(const Tensor& x, Device device) {
  check<ShapeError>(x.defined(), "an undefined tensor cannot be copied to a device");
  if (x.device() == device) return x;
  if (x.dtype() == DType::bf16 && device == Device::cpu) {  // which computes with floats
    const NoGrad no_grad;
    return to(cast(x, DType::f32), device);
  }
  Tensor result(x.shape(), x.dtype(), device);
  copy_elements(x, result);
  return result;
}

void copy_into(const Tensor& dst, const Tensor& src, const char* op) {
  check<ShapeError>(dst.shape() == src.shape() && dst.dtype() == src.dtype(), "[", op, "] cannot copy ", src.shape(),
                    " ", name_of(src.dtype()), " into ", dst.shape(), " ", name_of(dst.dtype()));
  dst.storage()->version++;
  dst.storage()->last_writer = op;
  copy_elements(src, dst);
}

}  // namespace forger
