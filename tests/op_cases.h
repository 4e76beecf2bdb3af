// The table of ops: one row per variant of every op in core/ops.h. Every check of tests/core/op_table_test.cpp runs
// over every row; adding an op means adding a row here, and an op without one fails the suite.
//
// A row: name (the op's name, then what is special), inputs (shape and domain of each), the function, tolerances.
// Domains keep away from the points where a gradient does not exist: a finite difference must not step over the kink of
// relu or swap the winners of a maximum. `away` leaves a gap of 2 * kink_margin around a value, `all_distinct` makes
// all such inputs of a row differ from each other by a known gap, and a row whose kink lies inside (the activation
// fused behind a norm) says what must stay clear of zero: its inputs are drawn again until it does. Values are exact in
// float32, so that the float32 and the float64 version of a row start from the same numbers. They come from
// std::mt19937_64 seeded by the row's name: the same on every machine.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/autograd.h"
#include "core/ops.h"

namespace forger::test {

using Tensors = std::vector<Tensor>;

constexpr double kink_margin = 0.05;
constexpr double inner_kink_margin = 0.004;

struct Input {
  Shape shape;
  double low = -1, high = 1;
  std::vector<double> kinks;   // values to keep away from
  bool distinct = false;       // no two elements of the row's distinct inputs are closer than 0.5*(high - low)/count
  bool whole = false;          // whole numbers, so that ties happen
  bool differentiable = true;  // false: a target or a statistic that takes no gradient
  int64_t index_bound = 0;     // > 0: int64 indices in [0, index_bound)

  Input range(double from, double to) const {
    return with([&](Input& i) { i.low = from, i.high = to; });
  }
  Input away(std::vector<double> from) const {
    return with([&](Input& i) { i.kinks = std::move(from); });
  }
  Input all_distinct() const {
    return with([](Input& i) { i.distinct = true; });
  }
  Input whole_numbers() const {
    return with([](Input& i) { i.whole = true; });
  }
  Input constant() const {
    return with([](Input& i) { i.differentiable = false; });
  }

 private:
  template <class F>
  Input with(F change) const {
    Input copy = *this;
    change(copy);
    return copy;
  }
};

inline Input real(const Shape& shape) {
  Input input;
  input.shape = shape;
  return input;
}
inline Input indices(int64_t count, int64_t bound) {
  Input input = real({count}).constant();
  input.index_bound = bound;
  return input;
}

struct OpCase {
  std::string name;
  std::vector<Input> inputs;
  std::function<Tensors(const Tensors&)> f;
  std::function<Tensor(const Tensors&)>
      clear_of_zero;  // optional: no element of it comes within inner_kink_margin of 0
  bool differentiable = true;
  double tolerance = 1e-6;        // relative error of gradients and second gradients, in double, against differences
  double float_tolerance = 1e-5;  // relative error of the float32 output against float64's; gradients: ten times that

  // "conv2d" of "conv2d: stride 2"
  std::string op() const { return name.substr(0, name.find(':')); }
};

// ---- values of a row ------------------------------------------------------------------------------------------------

class Draw {  // numbers for tests, independent of the library's own generator
 public:
  explicit Draw(const std::string& name) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (unsigned char c : name) hash = (hash ^ c) * 1099511628211u;
    engine_.seed(hash);
  }
  double uniform(double low, double high) {
    double unit = static_cast<double>(engine_() >> 11) * 0x1p-53;
    return static_cast<double>(static_cast<float>(low + (high - low) * unit));
  }
  int64_t below(int64_t bound) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(bound)); }
  std::vector<int64_t> permutation(int64_t n) {
    std::vector<int64_t> order(n);
    std::iota(order.begin(), order.end(), int64_t{0});
    for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(i + 1)]);
    return order;
  }

 private:
  std::mt19937_64 engine_;
};

inline Tensor random_tensor(Draw& draw, const Shape& shape, DType dtype, double low = -1, double high = 1) {
  std::vector<double> values(shape.numel());
  for (double& value : values) value = draw.uniform(low, high);
  return from_values(shape, values, dtype);
}

inline double draw_value(Draw& draw, const Input& input) {
  for (;;) {
    double value = draw.uniform(input.low, input.high);
    if (input.whole) return std::round(value);
    bool clear = true;
    for (double kink : input.kinks) clear = clear && std::abs(value - kink) > kink_margin;
    if (clear) return value;
  }
}

inline Tensors draw_inputs(Draw& draw, const OpCase& row, DType dtype) {
  int64_t distinct = 0, taken = 0;
  for (const Input& input : row.inputs) distinct += input.distinct ? input.shape.numel() : 0;
  std::vector<int64_t> order = draw.permutation(distinct);
  Tensors made;
  for (const Input& input : row.inputs) {
    std::vector<double> values(input.shape.numel());
    for (double& value : values) {
      if (input.index_bound > 0) {
        value = static_cast<double>(draw.below(input.index_bound));
      } else if (input.distinct) {
        double slot = static_cast<double>(order[taken++]) + draw.uniform(0.25, 0.75);
        value = static_cast<float>(input.low + (input.high - input.low) * slot / static_cast<double>(distinct));
      } else {
        value = draw_value(draw, input);
      }
    }
    made.push_back(from_values(input.shape, values, input.index_bound > 0 ? DType::i64 : dtype));
  }
  return made;
}

inline bool stays_clear_of_zero(const Tensor& x) {
  const std::vector<double> values = x.to_vector();
  return std::all_of(values.begin(), values.end(), [](double v) { return std::abs(v) > inner_kink_margin; });
}

// Inputs of a row; those that are differentiable require a gradient.
inline Tensors make_inputs(const OpCase& row, DType dtype) {
  Draw draw(row.name);
  Tensors made = draw_inputs(draw, row, dtype);
  for (int attempt = 0; row.clear_of_zero && !stays_clear_of_zero(row.clear_of_zero(made)); ++attempt) {
    check<Error>(attempt < 1000, row.name, ": found no inputs clear of the kink");
    made = draw_inputs(draw, row, dtype);
  }
  for (size_t i = 0; i < made.size(); ++i) {
    if (row.differentiable && row.inputs[i].differentiable) made[i].set_requires_grad();
  }
  return made;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

class OpTable {
 public:
  std::vector<OpCase> rows;

  OpTable() {
    elementwise_pairs();
    elementwise_single();
    reductions();
    matrices();
    losses();
    shapes();
    convolutions();
    pooling();
    normalisation();
    noise();
  }

 private:
  // f takes one Tensor per input, or the whole list, and returns a Tensor or several.
  template <class F>
  OpCase& row(const std::string& name, std::vector<Input> inputs, F f) {
    OpCase added;
    added.name = name;
    added.inputs = std::move(inputs);
    added.f = [f](const Tensors& in) -> Tensors {
      if constexpr (std::is_invocable_v<F, const Tensor&, const Tensor&, const Tensor&>) {
        return list(f(in.at(0), in.at(1), in.at(2)));
      } else if constexpr (std::is_invocable_v<F, const Tensor&, const Tensor&>) {
        return list(f(in.at(0), in.at(1)));
      } else if constexpr (std::is_invocable_v<F, const Tensor&>) {
        return list(f(in.at(0)));
      } else {
        return list(f(in));
      }
    };
    rows.push_back(std::move(added));
    return rows.back();
  }
  static Tensors list(Tensor one) { return {std::move(one)}; }
  static Tensors list(Tensors several) { return several; }

  static std::string words(const Axes& axes) {
    std::string joined;
    for (int axis : axes) joined += text(joined.empty() ? "axes " : ",", axis);
    return joined.empty() ? "all axes" : joined;
  }

  void elementwise_pairs() {
    const std::vector<std::pair<Shape, Shape>> patterns = {
        {{}, {}},
        {{1}, {1}},
        {{31}, {31}},
        {{3, 4}, {3, 4}},
        {{3, 4}, {}},
        {{}, {3, 4}},
        {{33}, {1}},
        {{1}, {33}},
        {{3, 5}, {5}},
        {{5}, {3, 5}},
        {{3, 4}, {3, 1}},
        {{3, 1}, {1, 4}},
        {{2, 3, 4}, {3, 1}},
        {{2, 1, 3, 1}, {5, 1, 4}},
        {{2, 2, 3, 5}, {1, 1, 1, 5}},
        {{4, 1, 1, 1}, {4, 2, 2, 3}},
        {{2, 1, 2, 1, 3, 1}, {3, 1, 2, 1, 2}},
    };
    for (const auto& [a, b] : patterns) {
      std::string shapes = text(": ", a, " and ", b);
      row("add" + shapes, {real(a), real(b)}, &add);
      row("sub" + shapes, {real(a), real(b)}, &sub);
      row("mul" + shapes, {real(a), real(b)}, &mul);
      row("div" + shapes, {real(a), real(b).range(0.6, 2)}, &div);
      row("maximum" + shapes, {real(a).all_distinct(), real(b).all_distinct()}, &maximum);
      row("minimum" + shapes, {real(a).all_distinct(), real(b).all_distinct()}, &minimum);
      row("greater" + shapes, {real(a).whole_numbers(), real(b).whole_numbers()}, &greater).differentiable = false;
      row("equal" + shapes, {real(a).whole_numbers(), real(b).whole_numbers()}, &equal).differentiable = false;
    }
    row("div: negative divisor", {real({3, 4}), real({3, 4}).range(-2, -0.6)}, &div);
    row("mul: an operand by itself", {real({3, 5})}, [](const Tensor& x) { return mul(x, x); });
    row("div: an operand by itself, shifted", {real({3, 5})}, [](const Tensor& x) { return div(x, affine(x, 1, 3)); });
  }

  void elementwise_single() {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{31}, Shape{3, 11}, Shape{1, 2, 3, 5}}) {
      std::string at = text(": ", shape);
      Input x = real(shape), positive = real(shape).range(0.4, 3), kinked = real(shape).range(-2, 2).away({0});
      row("affine" + at, {x}, [](const Tensor& t) { return affine(t, -1.75, 0.375); });
      row("neg" + at, {x}, &neg);
      row("exp" + at, {x}, &exp);
      row("log" + at, {positive}, &log);
      row("sqrt" + at, {positive}, &sqrt);
      row("reciprocal" + at, {positive}, &reciprocal);
      row("square" + at, {x}, &square);
      row("abs" + at, {kinked}, &abs);
      row("sign" + at, {real(shape).whole_numbers()}, &sign).differentiable = false;
      row("pow" + at, {positive}, [](const Tensor& t) { return pow(t, 2.5); });
      row("clamp" + at, {real(shape).range(-2, 2).away({-0.5, 1})}, [](const Tensor& t) { return clamp(t, -0.5, 1); });
      row("sin" + at, {real(shape).range(-4, 4)}, &sin);
      row("cos" + at, {real(shape).range(-4, 4)}, &cos);
      row("tanh" + at, {real(shape).range(-2, 2)}, &tanh);
      row("sigmoid" + at, {real(shape).range(-4, 4)}, &sigmoid);
      row("softplus" + at, {real(shape).range(-4, 4)}, &softplus);
      row("relu" + at, {kinked}, &relu);
      row("leaky_relu" + at, {kinked}, [](const Tensor& t) { return leaky_relu(t); });
      row("elu" + at, {kinked}, [](const Tensor& t) { return elu(t, 1); });
    }
    Input x = real({3, 5}), positive = real({3, 5}).range(0.4, 3), kinked = real({3, 5}).range(-2, 2).away({0});
    row("affine: scale 0", {x}, [](const Tensor& t) { return affine(t, 0, 2); });
    row("pow: square of negatives", {x}, [](const Tensor& t) { return pow(t, 2); });
    row("pow: cube", {x}, [](const Tensor& t) { return pow(t, 3); });
    row("pow: first power", {x}, [](const Tensor& t) { return pow(t, 1); });
    row("pow: power 0", {positive}, [](const Tensor& t) { return pow(t, 0); });
    row("pow: root", {positive}, [](const Tensor& t) { return pow(t, 0.5); });
    row("pow: negative exponent", {positive}, [](const Tensor& t) { return pow(t, -1.5); });
    row("leaky_relu: slope 0.01", {kinked}, [](const Tensor& t) { return leaky_relu(t, 0.01); });
    row("elu: alpha 0.5", {kinked}, [](const Tensor& t) { return elu(t, 0.5); });
    row("reciprocal: negatives", {real({3, 5}).range(-3, -0.4)}, &reciprocal);
    row("softplus: far out", {real({3, 5}).range(-12, 12)}, &softplus);
    row("sigmoid: far out", {real({3, 5}).range(-12, 12)}, &sigmoid);
  }

  void reductions() {
    struct Pattern {
      Shape shape;
      Axes axes;
    };
    const std::vector<Pattern> patterns = {
        {{}, {}},
        {{1}, {0}},
        {{31}, {}},
        {{33}, {-1}},
        {{3, 4}, {}},
        {{3, 5}, {0}},
        {{3, 5}, {1}},
        {{1, 5}, {0}},
        {{33, 1}, {0}},
        {{2, 3, 4}, {1}},
        {{2, 3, 4}, {0, 2}},
        {{2, 3, 4}, {-1, -2}},
        {{2, 3, 4}, {2, 0, 1}},
        {{2, 3, 2, 3}, {0, 1, 2}},
        {{2, 3, 2, 3}, {1, 2}},
        {{2, 2, 3, 3}, {1, 3}},
        {{2, 1, 2, 3, 1, 2}, {0, 3, -1}},
    };
    for (const auto& [shape, axes] : patterns) {
      for (bool keepdim : {false, true}) {
        std::string at = text(": ", shape, " over ", words(axes), keepdim ? ", keepdim" : "");
        Input x = real(shape), distinct = real(shape).all_distinct();
        Axes over = axes;
        row("sum" + at, {x}, [over, keepdim](const Tensor& t) { return sum(t, over, keepdim); });
        row("mean" + at, {x}, [over, keepdim](const Tensor& t) { return mean(t, over, keepdim); });
        row("max" + at, {distinct}, [over, keepdim](const Tensor& t) { return max(t, over, keepdim); });
        row("min" + at, {distinct}, [over, keepdim](const Tensor& t) { return min(t, over, keepdim); });
        row("variance" + at, {x}, [over, keepdim](const Tensor& t) { return variance(t, over, keepdim); });
        row("norm" + at, {real(shape).range(0.3, 1)},
            [over, keepdim](const Tensor& t) { return norm(t, over, 0, keepdim); });
      }
    }
    for (const Shape& shape : {Shape{1, 1}, Shape{3, 31}, Shape{5, 4, 4, 3}, Shape{2, 33, 9}}) {
      row(text("norm_penalty: ", shape), {real(shape)}, [](const Tensor& t) { return norm_penalty(t, 1, 1e-3); });
    }
    row("norm_penalty: target 0", {real({4, 7})}, [](const Tensor& t) { return norm_penalty(t, 0, 1e-2); });
    row("norm: eps 0.1", {real({3, 5})}, [](const Tensor& t) { return norm(t, {1}, 0.1); });
    row("norm: of each sample", {real({3, 2, 2, 3})}, [](const Tensor& t) { return norm(t, {1, 2, 3}, 1e-3); });
    row("variance: far from zero", {real({7, 3}).range(99, 101)}, [](const Tensor& t) {
      return variance(t, {0});
    }).float_tolerance = 1e-4;

    for (const Shape& shape : {Shape{1}, Shape{31}, Shape{3, 5}, Shape{2, 3, 33}}) {
      row(text("argmax: ", shape), {real(shape).all_distinct()}, &argmax).differentiable = false;
    }
    const std::vector<std::pair<Shape, Shape>> repeats = {{{}, {3, 4}},        {{1}, {31}},
                                                          {{4}, {3, 4}},       {{3, 1}, {3, 5}},
                                                          {{1, 4}, {3, 4}},    {{2, 1, 3}, {2, 4, 3}},
                                                          {{3, 1}, {2, 3, 4}}, {{1, 3, 1, 2}, {2, 3, 2, 2}},
                                                          {{3, 5}, {3, 5}},    {{1, 1, 1, 5}, {2, 2, 3, 5}}};
    for (const auto& [narrow, wide] : repeats) {
      Shape from = narrow, to = wide;
      row(text("broadcast_to: ", from, " to ", to), {real(from)},
          [to](const Tensor& t) { return broadcast_to(t, to); });
      row(text("sum_to: ", to, " to ", from), {real(to)}, [from](const Tensor& t) { return sum_to(t, from); });
    }
  }

  void matrices() {
    struct Sizes {
      Shape a_lead, b_lead;
      int64_t m, k, n;
    };
    const std::vector<Sizes> all = {
        {{}, {}, 1, 1, 1},   {{}, {}, 2, 3, 4},         {{}, {}, 31, 2, 1},    {{}, {}, 1, 33, 3},
        {{}, {}, 5, 31, 33}, {{2}, {2}, 3, 2, 4},       {{3}, {}, 2, 3, 2},    {{}, {3}, 2, 3, 2},
        {{1}, {1}, 2, 1, 5}, {{2, 3}, {2, 3}, 2, 3, 1}, {{2, 2}, {}, 3, 2, 2}, {{}, {2, 2}, 3, 2, 2},
    };
    for (const Sizes& s : all) {
      for (int transposed = 0; transposed < 4; ++transposed) {
        bool ta = transposed & 1, tb = transposed & 2;
        Shape a = joined(s.a_lead, ta ? s.k : s.m, ta ? s.m : s.k),
              b = joined(s.b_lead, tb ? s.n : s.k, tb ? s.k : s.n);
        row(text("matmul: ", a, ta ? " transposed" : "", " and ", b, tb ? " transposed" : ""), {real(a), real(b)},
            [ta, tb](const Tensor& x, const Tensor& y) { return matmul(x, y, ta, tb); });
      }
    }
    row("matmul: a matrix by itself", {real({3, 3})}, [](const Tensor& x) { return matmul(x, x); });
  }

  static Shape joined(const Shape& lead, int64_t rows, int64_t cols) {
    std::vector<int64_t> sizes(lead.begin(), lead.end());
    sizes.insert(sizes.end(), {rows, cols});
    return Shape(sizes);
  }

  void losses() {
    for (const Shape& shape : {Shape{1}, Shape{5}, Shape{3, 1}, Shape{3, 5}, Shape{2, 31}, Shape{2, 3, 3}}) {
      std::string at = text(": ", shape);
      row("softmax" + at, {real(shape).range(-2, 2)}, &softmax);
      row("log_softmax" + at, {real(shape).range(-2, 2)}, &log_softmax);
      row("logsumexp" + at, {real(shape).range(-2, 2)}, &logsumexp);
      row("bce_with_logits" + at, {real(shape).range(-3, 3), real(shape).range(0, 1)}, &bce_with_logits);
      row("l1_loss" + at, {real(shape).all_distinct(), real(shape).all_distinct()}, &l1_loss);
      row("mse_loss" + at, {real(shape), real(shape)}, &mse_loss);
    }
    row("logsumexp: logits far from zero", {real({3, 5}).range(50, 54)}, &logsumexp);
    row("bce_with_logits: constant target", {real({5, 1}).range(-3, 3), real({5, 1}).range(0, 1).constant()},
        &bce_with_logits);
    using kernels::Curve;
    for (const auto& [name, loss] :
         std::map<std::string, kernels::Loss>{{"linear", {.curve = Curve::linear, .scale = -1}},
                                              {"square", {.curve = Curve::square, .shift = -1, .factor = 0.5}},
                                              {"hinge", {.curve = Curve::hinge, .scale = -1, .shift = 1}},
                                              {"softplus", {.curve = Curve::softplus, .scale = -1}}}) {
      for (const Shape& shape : {Shape{1}, Shape{31}, Shape{4, 3, 3, 1}}) {
        row(text("losses: ", name, ", ", shape), {real(shape).range(-3, 3).away({1})},
            [loss](const Tensor& x) { return forger::losses(x, loss); });
        row(text("mean_loss: ", name, ", ", shape), {real(shape).range(-3, 3).away({1})},
            [loss](const Tensor& x) { return mean_loss(x, loss); });
      }
    }
    row("mse_loss: constant target", {real({4, 3}), real({4, 3}).constant()}, &mse_loss);
    for (auto [n, classes] : {std::pair<int64_t, int64_t>{1, 1}, {1, 3}, {5, 3}, {3, 31}}) {
      row(text("cross_entropy: ", n, " of ", classes), {real({n, classes}).range(-2, 2), indices(n, classes)},
          &cross_entropy);
    }
  }

  void shapes() {
    for (const auto& [from, to] : std::vector<std::pair<Shape, Shape>>{
             {{3, 4}, {12}}, {{2, 3, 5}, {6, 5}}, {{1}, {}}, {{}, {1, 1}}, {{2, 3, 3, 1}, {3, 1, 6}}}) {
      Shape target = to;
      row(text("reshape: ", from, " to ", to), {real(from)}, [target](const Tensor& x) { return reshape(x, target); });
    }
    row("reshape: one size inferred", {real({2, 3, 5})}, [](const Tensor& x) { return reshape(x, {5, -1}); });
    row("reshape: of a reshape", {real({2, 3, 5})}, [](const Tensor& x) { return flatten(reshape(x, {3, 5, 2})); });
    row("flatten: images", {real({3, 2, 2, 5})}, &flatten);
    row("flatten: vectors", {real({5})}, &flatten);

    for (const auto& [shape, order] : std::vector<std::pair<Shape, Axes>>{{{5}, {0}},
                                                                          {{3, 5}, {1, 0}},
                                                                          {{3, 5}, {0, 1}},
                                                                          {{2, 3, 4}, {2, 0, 1}},
                                                                          {{2, 3, 4}, {-1, -2, -3}},
                                                                          {{1, 3, 2, 3}, {0, 3, 1, 2}},
                                                                          {{2, 1, 2, 3, 1, 2}, {5, 3, 1, 0, 2, 4}}}) {
      Axes axes = order;
      row(text("permute: ", shape, " by ", words(order)), {real(shape)},
          [axes](const Tensor& x) { return permute(x, axes); });
    }
    row("transpose: matrix", {real({3, 5})}, &transpose);
    row("transpose: batch", {real({2, 1, 3, 4})}, &transpose);

    auto join = [](int axis) { return [axis](const Tensors& parts) { return concat(parts, axis); }; };
    row("concat: one part", {real({3, 4})}, join(0));
    row("concat: rows", {real({1, 4}), real({3, 4}), real({2, 4})}, join(0));
    row("concat: middle axis", {real({2, 3, 2}), real({2, 1, 2})}, join(1));
    row("concat: channels", {real({2, 2, 2, 1}), real({2, 2, 2, 5})}, join(-1));
    row("concat: a constant part", {real({2, 3}), real({2, 3}).constant()}, join(1));
    row("concat: a part twice", {real({2, 3})}, [](const Tensor& x) { return concat(Tensors{x, x}, 1); });
    auto cut = [](int axis, std::vector<int64_t> sizes) {
      return [axis, sizes](const Tensor& x) { return split(x, axis, sizes); };
    };
    row("split: rows", {real({6, 4})}, cut(0, {1, 3, 2}));
    row("split: channels", {real({2, 2, 5})}, cut(-1, {2, 3}));
    row("split: middle axis", {real({2, 4, 3})}, cut(1, {2, 2}));
    row("split: one part", {real({5})}, cut(0, {5}));
    auto range = [](int axis, int64_t begin, int64_t end) {
      return [=](const Tensor& x) { return slice(x, axis, begin, end); };
    };
    row("slice: everything", {real({5})}, range(0, 0, 5));
    row("slice: first rows", {real({5, 3})}, range(0, 0, 2));
    row("slice: last columns", {real({5, 3})}, range(-1, 2, 3));
    row("slice: middle axis", {real({2, 5, 3})}, range(1, 1, 4));
    auto border = [](int axis, int64_t before, int64_t after) {
      return [=](const Tensor& x) { return pad(x, axis, before, after); };
    };
    row("pad: before", {real({5})}, border(0, 2, 0));
    row("pad: after", {real({2, 3})}, border(-1, 0, 3));
    row("pad: both sides of the middle", {real({2, 3, 2})}, border(1, 1, 2));
    row("pad: nothing", {real({2, 3})}, border(0, 0, 0));

    row("gather: rows", {real({5, 3}), indices(7, 5)}, &gather);
    row("gather: one row", {real({1, 31}), indices(1, 1)}, &gather);
    row("gather: numbers", {real({6}), indices(4, 6)}, &gather);
    row("gather: matrices", {real({4, 2, 3}), indices(3, 4)}, &gather);
    auto add_rows = [](int64_t entries) {
      return [entries](const Tensor& x, const Tensor& index) { return scatter_add(x, index, entries); };
    };
    row("scatter_add: rows that meet", {real({7, 3}), indices(7, 3)}, add_rows(3));
    row("scatter_add: entries left out", {real({2, 5}), indices(2, 9)}, add_rows(9));
    row("scatter_add: numbers", {real({6}), indices(6, 4)}, add_rows(4));
    row("scatter_add: matrices", {real({3, 2, 3}), indices(3, 4)}, add_rows(4));
    row("cast: to float64", {real({3, 5})}, [](const Tensor& x) { return cast(x, DType::f64); });
    row("widened", {real({3, 5})}, [](const Tensor& x) { return widened(x); });
  }

  void convolutions() {
    // One geometry for the three ops of the triangle, from the image's side.
    struct Geometry {
      int64_t n, h, w, c, oc, kh, kw, stride, padding;
    };
    const std::vector<Geometry> all = {
        {1, 1, 1, 1, 1, 1, 1, 1, 0},                                 // a number
        {2, 4, 4, 3, 2, 3, 3, 1, 1},                                 // the size stays
        {1, 5, 5, 1, 3, 2, 2, 2, 0},                                 // a leftover row and column
        {2, 6, 6, 3, 1, 4, 4, 2, 1},                                 // DCGAN's
        {1, 6, 7, 2, 3, 4, 4, 2, 1},                                 // DCGAN's with a leftover column
        {1, 5, 4, 2, 1, 5, 5, 1, 2},                                 // kernel as large as the image
        {1, 8, 7, 1, 2, 3, 3, 3, 2},                                 // stride 3, more padding than the kernel needs
        {3, 4, 4, 5, 1, 4, 4, 1, 0},                                 // the window covers the image
        {1, 2, 3, 31, 33, 1, 1, 1, 0},                               // channels only
        {1, 4, 4, 33, 31, 3, 3, 2, 1}, {2, 5, 3, 3, 2, 3, 2, 1, 1},  // a kernel that is not square
        {1, 7, 7, 1, 1, 2, 2, 3, 0},                                 // stride above the kernel: pixels under no window
        {1, 1, 1, 5, 3, 3, 3, 2, 1},                                 // one pixel in, one out
        {1, 3, 3, 3, 5, 1, 1, 2, 0},   {1, 9, 3, 1, 1, 5, 2, 2, 2},
    };
    for (const Geometry& g : all) {
      Conv2dOptions options{.stride = g.stride, .padding = g.padding};
      int64_t span_h = g.h + 2 * g.padding - g.kh, span_w = g.w + 2 * g.padding - g.kw;
      Shape image{g.n, g.h, g.w, g.c}, weight{g.oc, g.kh, g.kw, g.c};
      Shape map{g.n, span_h / g.stride + 1, span_w / g.stride + 1, g.oc};
      std::string at = text(": ", image, ", weight ", weight, ", stride ", g.stride, ", padding ", g.padding);
      row("conv2d" + at, {real(image), real(weight)},
          [options](const Tensor& x, const Tensor& w) { return conv2d(x, w, options); });
      int64_t kh = g.kh, kw = g.kw;
      row("conv_weight_grad" + at, {real(image), real(map)},
          [=](const Tensor& x, const Tensor& gy) { return conv_weight_grad(x, gy, kh, kw, options); });
    }

    // What follows a convolution fused into it; kernels of one row or column pad one side only.
    using kernels::Activation;
    for (const auto& [kh, kw, biased, activation] : {std::tuple{3, 3, true, Activation::leaky_relu},
                                                     {4, 4, false, Activation::leaky_relu},
                                                     {1, 5, true, Activation::relu},
                                                     {5, 1, true, Activation::none}}) {
      const Conv2dOptions linear{.stride = kh == 4 ? 2 : 1, .padding = (kh - 1) / 2, .padding_w = (kw - 1) / 2};
      Conv2dOptions fused = linear;
      fused.activation = activation, fused.slope = 0.25;
      std::vector<Input> inputs{real({2, 6, 6, 3}), real({4, kh, kw, 3})};
      if (biased) inputs.push_back(real({4}));
      const auto with = [](const Conv2dOptions& options) {
        return [=](const Tensors& in) { return conv2d(in[0], in[1], in.size() == 3 ? in[2] : Tensor(), options); };
      };
      row(text("conv2d: fused ", kh, 'x', kw), inputs, with(fused)).clear_of_zero = with(linear);
    }

    struct Transposed {
      int64_t n, h, w, oc, c, kh, kw, stride, padding, output_padding;
    };
    const std::vector<Transposed> up = {
        {1, 1, 1, 1, 1, 1, 1, 1, 0, 0},   {2, 3, 3, 2, 3, 4, 4, 2, 1, 0},  // DCGAN's
        {2, 1, 1, 5, 3, 4, 4, 1, 0, 0},                                    // DCGAN's first: latent to 4x4
        {1, 3, 2, 3, 1, 3, 3, 2, 1, 1},   {1, 2, 3, 1, 5, 5, 5, 2, 2, 1},
        {1, 3, 3, 2, 2, 2, 2, 3, 0, 2},  // stride above the kernel
        {1, 4, 4, 2, 3, 3, 3, 1, 1, 0},   {1, 3, 3, 2, 1, 1, 1, 2, 0, 1},
        {1, 2, 2, 33, 31, 1, 1, 1, 0, 0}, {1, 2, 2, 31, 33, 3, 3, 2, 1, 0},
        {2, 2, 3, 3, 2, 3, 2, 3, 1, 2},
    };
    for (const Transposed& t : up) {
      Conv2dOptions options{.stride = t.stride, .padding = t.padding, .output_padding = t.output_padding};
      Shape map{t.n, t.h, t.w, t.oc}, weight{t.oc, t.kh, t.kw, t.c};
      row(text("conv_transpose2d: ", map, ", weight ", weight, ", stride ", t.stride, ", padding ", t.padding,
               ", output padding ", t.output_padding),
          {real(map), real(weight)},
          [options](const Tensor& x, const Tensor& w) { return conv_transpose2d(x, w, options); });
    }
  }

  void pooling() {
    struct Window {
      Shape x;
      Pool2dOptions options;
    };
    const std::vector<Window> windows = {
        {{1, 1, 1, 1}, {.kernel = 1, .stride = 1, .padding = 0}},
        {{2, 4, 4, 3}, {.kernel = 2, .stride = 2, .padding = 0}},
        {{1, 5, 5, 3}, {.kernel = 2, .stride = 2, .padding = 0}},
        {{1, 5, 4, 2}, {.kernel = 3, .stride = 2, .padding = 1}},
        {{1, 4, 3, 1}, {.kernel = 3, .stride = 1, .padding = 1}},
        {{1, 3, 3, 31}, {.kernel = 3, .stride = 3, .padding = 0}},
        {{1, 7, 7, 1}, {.kernel = 2, .stride = 3, .padding = 0}},
        {{1, 6, 5, 1}, {.kernel = 5, .stride = 2, .padding = 2}},
    };
    for (const auto& [x, window] : windows) {
      Pool2dOptions options = window;
      std::string at =
          text(": ", x, ", kernel ", options.kernel, ", stride ", options.stride, ", padding ", options.padding);
      row("avg_pool2d" + at, {real(x)}, [options](const Tensor& t) { return avg_pool2d(t, options); });
      row("max_pool2d" + at, {real(x).all_distinct()}, [options](const Tensor& t) { return max_pool2d(t, options); });
    }
    for (int64_t factor : {1, 2, 3}) {
      auto nearest = [factor](const Tensor& t) { return upsample_nearest(t, factor); };
      row(text("upsample_nearest: by ", factor), {real({2, 2, 3, 3})}, nearest);
      row(text("upsample_nearest: a pixel by ", factor), {real({1, 1, 1, 31})}, nearest);
      int64_t square = factor * factor;
      row(text("pixel_shuffle: by ", factor), {real({1, 2, 3, 3 * square})},
          [factor](const Tensor& t) { return pixel_shuffle(t, factor); });
      row(text("pixel_unshuffle: by ", factor), {real({1, 2 * factor, factor, 3})},
          [factor](const Tensor& t) { return pixel_unshuffle(t, factor); });
    }
    for (const Shape& size : {Shape{8, 6}, Shape{4, 3}, Shape{5, 7}, Shape{2, 2}, Shape{1, 1}, Shape{9, 1}}) {
      int64_t oh = size[0], ow = size[1];
      row(text("upsample_bilinear: 4x3 to ", size), {real({1, 4, 3, 3})},
          [=](const Tensor& t) { return upsample_bilinear(t, oh, ow); });
    }
    row("upsample_bilinear: a pixel to 3x2", {real({2, 1, 1, 5})},
        [](const Tensor& t) { return upsample_bilinear(t, 3, 2); });
  }

  void normalisation() {
    using kernels::Activation;
    const std::vector<std::pair<const char*, NormOptions>> activations = {
        {"", {}},
        {", relu", {.activation = Activation::relu}},
        {", leaky relu", {.activation = Activation::leaky_relu}},
        {", leaky relu 0.01, eps 0.1", {.eps = 0.1, .activation = Activation::leaky_relu, .slope = 0.01}},
    };
    for (const auto& [label, chosen] : activations) {
      NormOptions options = chosen, linear = {.eps = chosen.eps};
      const bool kinked = options.activation != Activation::none;
      for (const Shape& x : {Shape{5, 1}, Shape{7, 3}, Shape{2, 3, 3, 5}, Shape{33, 2}, Shape{2, 2, 2, 31}}) {
        int64_t c = x[-1];
        std::vector<Input> inputs = {real(x), real({c}).range(0.5, 1.5), real({c})};
        OpCase& training = row(text("batch_norm: ", x, label), inputs,
                               [options](const Tensors& in) { return batch_norm(in[0], in[1], in[2], options); });
        training.float_tolerance = 2e-5;
        if (kinked) {
          training.clear_of_zero = [linear](const Tensors& in) { return batch_norm(in[0], in[1], in[2], linear); };
        }
        inputs.push_back(real({c}));
        inputs.push_back(real({c}).range(0.5, 2));
        OpCase& inference = row(text("batch_norm_inference: ", x, label), inputs, [options](const Tensors& in) {
          return batch_norm_inference(in[0], in[1], in[2], in[3], in[4], options);
        });
        if (kinked) {
          inference.clear_of_zero = [linear](const Tensors& in) {
            return batch_norm_inference(in[0], in[1], in[2], in[3], in[4], linear);
          };
        }
      }
      for (const Shape& x : {Shape{1, 2, 3, 1}, Shape{2, 3, 3, 5}, Shape{3, 3, 1, 3}}) {
        int64_t c = x[-1];
        OpCase& instance = row(text("instance_norm: ", x, label), {real(x), real({c}).range(0.5, 1.5), real({c})},
                               [options](const Tensors& in) { return instance_norm(in[0], in[1], in[2], options); });
        instance.float_tolerance = 2e-5;
        if (kinked) {
          instance.clear_of_zero = [linear](const Tensors& in) { return instance_norm(in[0], in[1], in[2], linear); };
        }
      }
    }
    row("batch_norm: running statistics", {real({2, 2, 2, 3}), real({3}).range(0.5, 1.5), real({3})},
        [](const Tensor& x, const Tensor& gamma, const Tensor& beta) {
          RunningStats running{.mean = zeros({3}, beta.dtype(), x.device()),
                               .variance = ones({3}, beta.dtype(), x.device())};
          return batch_norm(x, gamma, beta, {}, &running);
        });
    for (const Shape& x : {Shape{1, 5}, Shape{4, 7}, Shape{2, 2, 3, 5}, Shape{3, 31}, Shape{2, 33}}) {
      Shape sample(std::span<const int64_t>(x.begin() + 1, x.end()));
      row(text("layer_norm: ", x), {real(x), real(sample).range(0.5, 1.5), real(sample)},
          [](const Tensor& t, const Tensor& gamma, const Tensor& beta) { return layer_norm(t, gamma, beta); })
          .float_tolerance = 2e-5;
    }
  }

  void noise() {
    for (double probability : {0.0, 0.3, 0.5}) {
      row(text("dropout: probability ", probability), {real({5, 31})}, [probability](const Tensor& x) {
        Random random(7);
        return dropout(x, probability, random);
      });
    }
  }
};

inline const std::vector<OpCase>& op_cases() {
  static const OpTable table;
  return table.rows;
}

}  // namespace forger::test
