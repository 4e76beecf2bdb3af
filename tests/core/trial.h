// A row of tests/op_cases.h on trial: its values and derivatives, on any device.
//
// What is differentiated, against the differences of tests/differences.h:
//   first order:   F(inputs) = <f(inputs), seeds>, seeds random and fixed
//   second order:  H(inputs, seeds) = <grad F(inputs; seeds), directions>, towards the inputs and towards the seeds: an
//                  error in the derivative towards the incoming gradient would show in a gradient penalty only.
// H is evaluated by the first-order path (the kernels of fused ops) and differentiated through create_graph (their
// references), so both are held against each other as well.
#pragma once
#include <algorithm>

#include "tests/catch.h"
#include "tests/differences.h"
#include "tests/op_cases.h"

namespace forger::test {

inline bool identical(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && x.dtype() == y.dtype() && x.to_vector() == y.to_vector();
  });
}

inline Tensors random_like(const std::string& name, const Tensors& like) {
  Draw draw(name);
  Tensors made;
  for (const Tensor& x : like) made.push_back(random_tensor(draw, x.shape(), x.dtype()));
  return made;
}

// What a row's numbers are: as they were made; all rounded to bfloat16; and kept so as well, but for weights and
// parameters of norms.
enum class Numbers { as_made, rounded, bfloat16 };

inline bool is_weight(const OpCase& row, size_t input) {
  const std::string op = row.op();
  return input > 0 &&
         (op == "conv2d" || op == "conv_transpose2d" || op.ends_with("_norm") || op == "batch_norm_inference");
}

// A row at its inputs: outputs, gradients and second gradients of fixed random combinations of them.
class Trial {
 public:
  explicit Trial(const OpCase& row, DType dtype = DType::f64, Device device = Device::cpu,
                 Numbers numbers = Numbers::as_made)
      : row_(row), inputs_(make_inputs(row, dtype)) {
    const auto rounded = [&](const Tensor& x, DType to_type) {
      return numbers == Numbers::as_made || x.dtype() == DType::i64 ? x : cast(cast(x, DType::bf16), to_type);
    };
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const bool half = numbers == Numbers::bfloat16 && !is_weight(row, i);
      const bool wanted = inputs_[i].requires_grad();
      inputs_[i] = rounded(to(inputs_[i].detach(), device), half ? DType::bf16 : dtype);
      if (wanted) inputs_[i].set_requires_grad();
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i].requires_grad()) continue;
      places_.push_back(i);
      wanted_.push_back(inputs_[i]);
    }
    {
      const NoGrad no_grad;
      seeds_ = random_like(row.name + " seeds", outputs());
    }
    for (Tensor& x : seeds_) x = rounded(to(x, device), x.dtype());
    for (Tensor& seed : seeds_) seed.set_requires_grad();
    directions_ = random_like(row.name + " directions", wanted_);
    for (Tensor& x : directions_) x = rounded(to(x, device), x.dtype());
  }

  Tensors outputs() const { return row_.f(inputs_); }
  Tensors gradients(GradOptions options = {}) const { return grad(outputs(), wanted_, options, seeds_); }
  Tensors second_gradients() const {
    const Tensors points = second_points();
    const Tensors first = gradients({.create_graph = true});
    return grad(first, points, {}, directions_);
  }

  const Tensors& wanted() const { return wanted_; }
  const Tensors& seeds() const { return seeds_; }
  Tensors second_points() const {
    Tensors points = wanted_;
    points.insert(points.end(), seeds_.begin(), seeds_.end());
    return points;
  }

  double first_order_error() const {
    auto f = [&](const Tensors& points) {
      const NoGrad no_grad;
      return inner(row_.f(with(points)), seeds_);
    };
    return gradient_error(f, wanted_, gradients(), Draw(row_.name));
  }
  double second_order_error() const {
    auto f = [&](const Tensors& points) {
      const auto split = points.begin() + static_cast<std::ptrdiff_t>(wanted_.size());
      const Tensors at(points.begin(), split), seeds(split, points.end());
      return inner(grad(row_.f(with(at)), at, {}, seeds), directions_);
    };
    return gradient_error(f, second_points(), second_gradients(), Draw(row_.name));
  }

 private:
  Tensors with(const Tensors& points) const {
    Tensors inputs = inputs_;
    for (size_t i = 0; i < points_count(); ++i) inputs[places_[i]] = points[i];
    return inputs;
  }
  size_t points_count() const { return places_.size(); }

  const OpCase& row_;
  Tensors inputs_, wanted_, seeds_, directions_;
  std::vector<size_t> places_;  // wanted_[i] is inputs_[places_[i]]
};

template <class Check>
void for_each_row(bool differentiable_only, Check check_row) {
  for (const OpCase& row : op_cases()) {
    if (differentiable_only && !row.differentiable) continue;
    INFO(row.name);
    try {
      check_row(row);
    } catch (const Error& error) {  // one broken row must not hide the others
      FAIL_CHECK(error.what());
    }
  }
}

}  // namespace forger::test
