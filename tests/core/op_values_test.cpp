// What each op computes, against plain loops over doubles. A gradient check cannot see that sin computes a cosine:
// these do.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "tests/catch.h"
#include "tests/differences.h"
#include "tests/op_cases.h"

namespace forger::test {  // inside, so that exp is the op and not the C library's
namespace {

constexpr double rounding = 1e-12;

Tensor draw_tensor(Draw& draw, const Shape& shape, double low = -1, double high = 1) {
  return random_tensor(draw, shape, DType::f64, low, high);
}

// Row-major element access by coordinates.
struct Grid {
  explicit Grid(const Shape& s) : shape(s), values(s.numel(), 0.0) {}
  explicit Grid(const Tensor& x) : shape(x.shape()), values(x.to_vector()) {}
  double& operator()(std::initializer_list<int64_t> at) {
    int64_t offset = 0;
    int axis = 0;
    for (int64_t i : at) offset = offset * shape[axis++] + i;
    return values.at(offset);
  }
  Shape shape;
  Values values;
};

bool agrees(const Tensor& got, const Grid& expected) {
  return got.shape() == expected.shape && relative_error(got.to_vector(), expected.values) < rounding;
}
Tensor numbers(const Shape& shape) {  // 0, 1, 2, ...
  Values values(shape.numel());
  std::iota(values.begin(), values.end(), 0.0);
  return from_values(shape, values, DType::f64);
}

// Calls visit(coordinates) for every element, in order.
template <class F>
void for_each_place(const Shape& shape, F visit) {
  std::vector<int64_t> at(shape.rank(), 0);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    visit(at);
    for (int axis = shape.rank() - 1; axis >= 0 && ++at[axis] == shape[axis]; --axis) at[axis] = 0;
  }
}
// The element of x at the trailing part of `at`, sizes of 1 being repeated.
double broadcast_element(const Tensor& x, const Values& values, const std::vector<int64_t>& at) {
  int64_t offset = 0;
  const int64_t skipped = static_cast<int64_t>(at.size()) - x.rank();
  for (int axis = 0; axis < x.rank(); ++axis)
    offset = offset * x.size(axis) + (x.size(axis) == 1 ? 0 : at[axis + skipped]);
  return values.at(offset);
}

}  // namespace

TEST_CASE("elementwise ops compute their formulas") {
  struct Row {
    const char* name;
    std::function<Tensor(const Tensor&)> op;
    double (*formula)(double);
    double low, high;
  };
  const std::vector<Row> table = {
      {"affine", [](const Tensor& x) { return affine(x, 3, -2); }, [](double x) { return 3 * x - 2; }, -2, 2},
      {"neg", &neg, [](double x) { return -x; }, -2, 2},
      {"exp", &exp, [](double x) { return std::exp(x); }, -5, 5},
      {"log", &log, [](double x) { return std::log(x); }, 1e-3, 50},
      {"sqrt", &sqrt, [](double x) { return std::sqrt(x); }, 0, 50},
      {"reciprocal", &reciprocal, [](double x) { return 1 / x; }, 0.1, 9},
      {"square", &square, [](double x) { return x * x; }, -3, 3},
      {"abs", &abs, [](double x) { return std::abs(x); }, -3, 3},
      {"sign", &sign, [](double x) { return x > 0   ? 1.0
                                            : x < 0 ? -1.0
                                                    : 0.0; }, -3, 3},
      {"pow", [](const Tensor& x) { return pow(x, 1.7); }, [](double x) { return std::pow(x, 1.7); }, 0.1, 5},
      {"clamp", [](const Tensor& x) { return clamp(x, -1, 2); }, [](double x) { return std::clamp(x, -1.0, 2.0); }, -4,
       4},
      {"sin", &sin, [](double x) { return std::sin(x); }, -9, 9},
      {"cos", &cos, [](double x) { return std::cos(x); }, -9, 9},
      {"tanh", &tanh, [](double x) { return std::tanh(x); }, -4, 4},
      {"sigmoid", &sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -30, 30},
      {"softplus", &softplus, [](double x) { return std::log1p(std::exp(x)); }, -30, 30},
      {"relu", &relu, [](double x) { return x > 0 ? x : 0; }, -2, 2},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }, [](double x) { return x > 0 ? x : 0.2 * x; }, -2,
       2},
      {"elu", [](const Tensor& x) { return elu(x, 0.7); }, [](double x) { return x > 0 ? x : 0.7 * std::expm1(x); }, -4,
       4},
      {"unary operators", [](const Tensor& x) { return -(1 + (2 - (3 * x - 4) / 5) * 6) + 7; },
       [](double x) { return -(1 + (2 - (3 * x - 4) / 5) * 6) + 7; }, -2, 2},
  };
  for (const Row& row : table) {
    INFO(row.name);
    Draw draw(row.name);
    Values x = draw_tensor(draw, {67}, row.low, row.high).to_vector(), expected(67);
    x[0] = row.low, x[1] = row.high, x[2] = std::clamp(0.0, row.low, row.high);
    std::transform(x.begin(), x.end(), expected.begin(), row.formula);
    CHECK(relative_error(row.op(from_values({67}, x, DType::f64)).to_vector(), expected) < rounding);
  }
}

TEST_CASE("softplus, sigmoid and the losses stay finite at any logit") {
  const Tensor far = from_values({4}, Values{-1000, 1000, -60, 60}, DType::f64);
  CHECK(softplus(far).to_vector() == Values{0, 1000, std::log1p(std::exp(-60.0)), 60});
  CHECK(sigmoid(far).to_vector()[0] == 0);
  CHECK(sigmoid(far).to_vector()[1] == 1);
  CHECK(bce_with_logits(far, from_values({4}, Values{0, 1, 1, 0}, DType::f64)).item() == Approx(30));
  CHECK(logsumexp(far).item() == Approx(1000));
  CHECK(softmax(far).to_vector() == Values{0, 1, 0, 0});
  CHECK(log_softmax(far).to_vector()[0] == Approx(-2000));
}

TEST_CASE("NaN passes through what could hide it") {
  const Tensor x = from_values({3}, Values{1, std::numeric_limits<double>::quiet_NaN(), -1}, DType::f64);
  for (const Tensor& y : {relu(x), leaky_relu(x), clamp(x, -2, 2), abs(x), maximum(x, zeros({3}, DType::f64)),
                          minimum(zeros({3}, DType::f64), x), elu(x)}) {
    CHECK(std::isnan(y.to_vector()[1]));
    CHECK_FALSE(std::isnan(y.to_vector()[0]));
  }
  for (const Tensor& y : {sum(x), mean(x), max(x), min(x), variance(x), norm(x)}) CHECK(std::isnan(y.item()));
}

TEST_CASE("two-operand ops broadcast as in NumPy") {
  struct Row {
    const char* name;
    Tensor (*op)(const Tensor&, const Tensor&);
    double (*formula)(double, double);
  };
  const std::vector<Row> table = {
      {"add", &add, [](double a, double b) { return a + b; }},
      {"sub", &sub, [](double a, double b) { return a - b; }},
      {"mul", &mul, [](double a, double b) { return a * b; }},
      {"div", &div, [](double a, double b) { return a / b; }},
      {"maximum", &maximum, [](double a, double b) { return a > b ? a : b; }},
      {"minimum", &minimum, [](double a, double b) { return a < b ? a : b; }},
      {"greater", &greater, [](double a, double b) { return a > b ? 1.0 : 0.0; }},
      {"equal", &equal, [](double a, double b) { return a == b ? 1.0 : 0.0; }},
      {"operator+", &operator+, [](double a, double b) { return a + b; }},
      {"operator-", &operator-, [](double a, double b) { return a - b; }},
      {"operator*", &operator*, [](double a, double b) { return a * b; }},
      {"operator/", &operator/, [](double a, double b) { return a / b; }},
  };
  struct Pattern {
    Shape a, b, y;
  };
  const std::vector<Pattern> patterns = {
      {{}, {}, {}},
      {{3, 5}, {3, 5}, {3, 5}},
      {{3, 5}, {}, {3, 5}},
      {{}, {3, 5}, {3, 5}},
      {{5}, {3, 5}, {3, 5}},
      {{3, 1}, {1, 5}, {3, 5}},
      {{2, 1, 3, 1}, {5, 1, 4}, {2, 5, 3, 4}},
      {{2, 3, 1, 33}, {2, 1, 31, 1}, {2, 3, 31, 33}},
      {{1, 2, 1, 2, 1, 3}, {2, 1, 2, 1, 2, 1}, {2, 2, 2, 2, 2, 3}},
  };
  Draw draw("broadcast");
  for (const Pattern& pattern : patterns) {
    auto whole = [&](const Shape& shape) {  // whole numbers, so that equal finds some; none is zero
      Values values(shape.numel());
      for (double& v : values) v = static_cast<double>(draw.below(4) + 1) * (draw.below(2) ? 1 : -1);
      return from_values(shape, values, DType::f64);
    };
    const Tensor a = whole(pattern.a), b = whole(pattern.b);
    const Values av = a.to_vector(), bv = b.to_vector();
    for (const Row& row : table) {
      INFO(row.name << " " << text(pattern.a) << " " << text(pattern.b));
      Values expected;
      for_each_place(pattern.y, [&](const std::vector<int64_t>& at) {
        expected.push_back(row.formula(broadcast_element(a, av, at), broadcast_element(b, bv, at)));
      });
      const Tensor y = row.op(a, b);
      CHECK(y.shape() == pattern.y);
      CHECK(relative_error(y.to_vector(), expected) < rounding);
    }
    const Shape out = pattern.y;
    Values repeated, summed(av.size(), 0.0);
    for_each_place(out, [&](const std::vector<int64_t>& at) { repeated.push_back(broadcast_element(a, av, at)); });
    CHECK(broadcast_to(a, out).to_vector() == repeated);
    const Tensor wide = draw_tensor(draw, out), place = numbers(pattern.a);
    const Values wide_values = wide.to_vector(), places = broadcast_to(place, out).to_vector();
    for (size_t i = 0; i < places.size(); ++i) summed[static_cast<size_t>(places[i])] += wide_values[i];
    CHECK(relative_error(sum_to(wide, pattern.a).to_vector(), summed) < rounding);
  }
}

TEST_CASE("reductions over any axes") {
  Draw draw("reductions");
  const Shape shape{3, 2, 5, 4};
  const Tensor x = draw_tensor(draw, shape);
  const Values xv = x.to_vector();
  for (const Axes& axes :
       {Axes{}, Axes{0}, Axes{3}, Axes{1, 2}, Axes{0, 1, 2}, Axes{-1, 0}, Axes{2, -3}, Axes{3, 2, 1, 0}}) {
    Shape kept = shape, squeezed;
    std::vector<int64_t> sizes;
    for (int axis = 0; axis < 4; ++axis) {
      const bool reduced =
          axes.empty() || std::any_of(axes.begin(), axes.end(), [&](int a) { return (a + 4) % 4 == axis; });
      if (reduced) kept.set(axis, 1);
      if (!reduced) sizes.push_back(shape[axis]);
    }
    squeezed = Shape(sizes);
    const Values places = broadcast_to(numbers(kept), shape).to_vector();
    std::vector<Values> groups(kept.numel());
    for (size_t i = 0; i < xv.size(); ++i) groups[static_cast<size_t>(places[i])].push_back(xv[i]);
    auto of_groups = [&](auto&& formula) {
      Values result;
      for (const Values& group : groups) result.push_back(formula(group));
      return result;
    };
    auto total = [](const Values& g) { return std::accumulate(g.begin(), g.end(), 0.0); };
    auto average = [&](const Values& g) { return total(g) / static_cast<double>(g.size()); };
    auto check_op = [&](const char* name, auto&& op, auto&& formula) {
      INFO(name << " to " << text(kept));
      CHECK(op(x, axes, false).shape() == squeezed);
      CHECK(op(x, axes, true).shape() == kept);
      CHECK(relative_error(op(x, axes, false).to_vector(), of_groups(formula)) < rounding);
      CHECK(op(x, axes, true).to_vector() == op(x, axes, false).to_vector());
    };
    check_op("sum", sum, total);
    check_op("mean", mean, average);
    check_op("max", max, [](const Values& g) { return *std::max_element(g.begin(), g.end()); });
    check_op("min", min, [](const Values& g) { return *std::min_element(g.begin(), g.end()); });
    check_op("variance", variance, [&](const Values& g) {
      double sum_of_squares = 0;
      for (double v : g) sum_of_squares += (v - average(g)) * (v - average(g));
      return sum_of_squares / static_cast<double>(g.size());
    });
    check_op(
        "norm", [](const Tensor& t, const Axes& over, bool keepdim) { return norm(t, over, 0.25, keepdim); },
        [](const Values& g) { return std::sqrt(inner(g, g) + 0.25); });
  }
  CHECK(argmax(from_values({2, 3}, Values{1, 5, 5, 3, 2, 1}, DType::f64)).to_vector() == Values{1, 0});
  CHECK(argmax(x).shape() == Shape{3, 2, 5});
}

TEST_CASE("matrix products") {
  Draw draw("matmul");
  for (int transposed = 0; transposed < 4; ++transposed) {
    for (int64_t batch_a : {1, 3}) {
      for (int64_t batch_b : {1, 3}) {
        const bool ta = transposed & 1, tb = transposed & 2;
        constexpr int64_t m = 5, k = 7, n = 3;
        const int64_t batch = std::max(batch_a, batch_b);
        const Tensor a = draw_tensor(draw, ta ? Shape{batch_a, k, m} : Shape{batch_a, m, k});
        const Tensor b = draw_tensor(draw, tb ? Shape{batch_b, n, k} : Shape{batch_b, k, n});
        Grid av(a), bv(b), expected({batch, m, n});
        for_each_place({batch, m, n, k}, [&](const std::vector<int64_t>& at) {
          const int64_t g = at[0], i = at[1], j = at[2], l = at[3], ga = g % batch_a, gb = g % batch_b;
          expected({g, i, j}) += (ta ? av({ga, l, i}) : av({ga, i, l})) * (tb ? bv({gb, j, l}) : bv({gb, l, j}));
        });
        // A shared operand has no leading axis.
        const Tensor left = batch_a == 1 ? reshape(a, {a.size(1), a.size(2)}) : a;
        const Tensor right = batch_b == 1 ? reshape(b, {b.size(1), b.size(2)}) : b;
        const Tensor y = matmul(left, right, ta, tb);
        INFO(text(left.shape(), " ", right.shape(), " ", ta, tb));
        CHECK(y.shape() == (batch == 1 ? Shape{m, n} : Shape{batch, m, n}));
        CHECK(relative_error(y.to_vector(), expected.values) < rounding);
      }
    }
  }
}

TEST_CASE("softmax and losses") {
  Draw draw("losses");
  constexpr int64_t n = 4, classes = 5;
  const Tensor x = draw_tensor(draw, {n, classes}, -3, 3), t = draw_tensor(draw, {n, classes}, 0, 1);
  Grid xv(x), tv(t), soft({n, classes}), log_soft({n, classes}), lse({n});
  double bce = 0, l1 = 0, mse = 0, ce = 0;
  const std::vector<int64_t> labels{4, 0, 2, 2};
  for (int64_t i = 0; i < n; ++i) {
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) total += std::exp(xv({i, c}));
    lse({i}) = std::log(total);
    for (int64_t c = 0; c < classes; ++c) {
      const double a = xv({i, c}), b = tv({i, c}), p = 1 / (1 + std::exp(-a));
      soft({i, c}) = std::exp(a) / total;
      log_soft({i, c}) = a - std::log(total);
      bce -= (b * std::log(p) + (1 - b) * std::log(1 - p)) / (n * classes);
      l1 += std::abs(a - b) / (n * classes);
      mse += (a - b) * (a - b) / (n * classes);
    }
    ce -= log_soft({i, labels[i]}) / n;
  }
  CHECK(agrees(softmax(x), soft));
  CHECK(agrees(log_softmax(x), log_soft));
  CHECK(agrees(logsumexp(x), lse));
  CHECK(bce_with_logits(x, t).item() == Approx(bce));
  CHECK(l1_loss(x, t).item() == Approx(l1));
  CHECK(mse_loss(x, t).item() == Approx(mse));
  CHECK(cross_entropy(x, from_indices(labels)).item() == Approx(ce));
  CHECK(cross_entropy(x, from_indices(labels)).shape() == Shape{});
}

TEST_CASE("moving elements") {
  const Tensor x = numbers({2, 3});
  CHECK(reshape(x, {3, 2}).to_vector() == x.to_vector());
  CHECK(reshape(x, {3, 2}).data<double>() == x.data<double>());
  CHECK(flatten(numbers({2, 3, 2})).shape() == Shape{2, 6});
  CHECK(transpose(x).shape() == Shape{3, 2});
  CHECK(transpose(x).to_vector() == Values{0, 3, 1, 4, 2, 5});
  CHECK(slice(x, 1, 1, 3).to_vector() == Values{1, 2, 4, 5});
  CHECK(slice(x, -2, 1, 2).to_vector() == Values{3, 4, 5});
  CHECK(pad(x, -1, 1, 2).to_vector() == Values{0, 0, 1, 2, 0, 0, 0, 3, 4, 5, 0, 0});
  CHECK(pad(x, 0, 0, 1).shape() == Shape{3, 3});
  CHECK(concat(Tensors{x, numbers({2, 1})}, 1).to_vector() == Values{0, 1, 2, 0, 3, 4, 5, 1});
  CHECK(concat(Tensors{x, numbers({1, 3})}, 0).to_vector() == Values{0, 1, 2, 3, 4, 5, 0, 1, 2});
  const Tensors parts = split(x, 1, std::vector<int64_t>{1, 2});
  CHECK(parts.at(0).to_vector() == Values{0, 3});
  CHECK(parts.at(1).to_vector() == Values{1, 2, 4, 5});
  const Tensor index = from_indices(std::vector<int64_t>{1, 0, 1});
  CHECK(gather(x, index).to_vector() == Values{3, 4, 5, 0, 1, 2, 3, 4, 5});
  CHECK(scatter_add(numbers({3, 2}), index, 3).to_vector() == Values{2, 3, 4, 6, 0, 0});
  CHECK(cast(x, DType::f32).dtype() == DType::f32);
  CHECK(cast(cast(x, DType::f32), DType::f64).to_vector() == x.to_vector());

  const Tensor cube = numbers({2, 3, 4});
  const Tensor turned = permute(cube, {2, 0, 1});
  CHECK(turned.shape() == Shape{4, 2, 3});
  Grid from(cube), to(turned);
  for_each_place(cube.shape(), [&](const std::vector<int64_t>& at) {
    CHECK(to({at[2], at[0], at[1]}) == from({at[0], at[1], at[2]}));
  });
}

TEST_CASE("the convolution triangle") {
  struct Geometry {
    int64_t n, h, w, c, oc, kh, kw, stride, padding;
  };
  Draw draw("convolutions");
  for (const Geometry& g : {Geometry{2, 7, 6, 3, 5, 4, 4, 2, 1},
                            {1, 5, 5, 1, 2, 3, 2, 1, 0},
                            {2, 4, 4, 2, 3, 5, 5, 1, 2},
                            {1, 7, 8, 2, 1, 2, 2, 3, 0}}) {
    const Conv2dOptions options{.stride = g.stride, .padding = g.padding};
    const int64_t oh = (g.h + 2 * g.padding - g.kh) / g.stride + 1, ow = (g.w + 2 * g.padding - g.kw) / g.stride + 1;
    const Tensor x = draw_tensor(draw, {g.n, g.h, g.w, g.c}), weight = draw_tensor(draw, {g.oc, g.kh, g.kw, g.c});
    const Tensor gy = draw_tensor(draw, {g.n, oh, ow, g.oc});
    const int64_t th = (oh - 1) * g.stride - 2 * g.padding + g.kh, tw = (ow - 1) * g.stride - 2 * g.padding + g.kw;
    Grid xv(x), wv(weight), gv(gy), map(gy.shape()), kernel(weight.shape()), image({g.n, th, tw, g.c});
    for_each_place({g.n, oh, ow, g.oc}, [&](const std::vector<int64_t>& at) {
      const int64_t n = at[0], o = at[3];
      for_each_place({g.kh, g.kw, g.c}, [&](const std::vector<int64_t>& tap) {
        const int64_t i = tap[0], j = tap[1], c = tap[2];
        const int64_t row = at[1] * g.stride - g.padding + i, col = at[2] * g.stride - g.padding + j;
        if (row < 0 || col < 0) return;
        if (row < g.h && col < g.w) {
          map({n, at[1], at[2], o}) += xv({n, row, col, c}) * wv({o, i, j, c});
          kernel({o, i, j, c}) += xv({n, row, col, c}) * gv({n, at[1], at[2], o});
        }
        if (row < th && col < tw) image({n, row, col, c}) += gv({n, at[1], at[2], o}) * wv({o, i, j, c});
      });
    });
    INFO(text(x.shape(), " by ", weight.shape()));
    CHECK(agrees(conv2d(x, weight, options), map));
    CHECK(agrees(conv_weight_grad(x, gy, g.kh, g.kw, options), kernel));
    CHECK(agrees(conv_transpose2d(gy, weight, options), image));
  }
  // A pixel of output padding lies under no window.
  const Tensor padded = conv_transpose2d(ones({1, 1, 1, 1}), ones({1, 1, 1, 1}), {.stride = 2, .output_padding = 1});
  CHECK(padded.to_vector() == Values{1, 0, 0, 0});
}

TEST_CASE("pooling windows count only what is inside") {
  Draw draw("pooling");
  const Tensor x = draw_tensor(draw, {2, 7, 6, 3});
  Grid xv(x);
  for (const Pool2dOptions& p : {Pool2dOptions{2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {4, 3, 2}}) {
    const int64_t oh = (7 + 2 * p.padding - p.kernel) / p.stride + 1,
                  ow = (6 + 2 * p.padding - p.kernel) / p.stride + 1;
    Grid average({2, oh, ow, 3}), maximum_of({2, oh, ow, 3});
    for_each_place(average.shape, [&](const std::vector<int64_t>& at) {
      Values window;
      for_each_place({p.kernel, p.kernel}, [&](const std::vector<int64_t>& tap) {
        const int64_t row = at[1] * p.stride - p.padding + tap[0], col = at[2] * p.stride - p.padding + tap[1];
        if (row >= 0 && row < 7 && col >= 0 && col < 6) window.push_back(xv({at[0], row, col, at[3]}));
      });
      average({at[0], at[1], at[2], at[3]}) =
          std::accumulate(window.begin(), window.end(), 0.0) / static_cast<double>(window.size());
      maximum_of({at[0], at[1], at[2], at[3]}) = *std::max_element(window.begin(), window.end());
    });
    INFO("kernel " << p.kernel << " stride " << p.stride << " padding " << p.padding);
    CHECK(agrees(avg_pool2d(x, p), average));
    CHECK(agrees(max_pool2d(x, p), maximum_of));
  }
}

TEST_CASE("resampling") {
  CHECK(upsample_nearest(numbers({1, 2, 2, 1}), 2).to_vector() ==
        Values{0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3});
  Draw draw("resampling");
  const Tensor x = draw_tensor(draw, {2, 3, 4, 2});
  Grid xv(x);
  for (const Shape& size : {Shape{6, 8}, Shape{3, 4}, Shape{5, 3}, Shape{1, 9}}) {
    const int64_t oh = size[0], ow = size[1];
    Grid expected({2, oh, ow, 2});
    for_each_place(expected.shape, [&](const std::vector<int64_t>& at) {
      // Half-pixel centres; positions before the first centre or behind the last take the edge.
      auto axis = [](int64_t i, int64_t in, int64_t out) {
        const double scale = static_cast<double>(in) / static_cast<double>(out);
        const double at_in = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
        const int64_t low = std::min(in - 1, static_cast<int64_t>(at_in));
        return std::tuple{low, std::min(in - 1, low + 1), at_in - static_cast<double>(low)};
      };
      const auto [top, bottom, down] = axis(at[1], 3, oh);
      const auto [left, right, across] = axis(at[2], 4, ow);
      const int64_t n = at[0], c = at[3];
      const double above = xv({n, top, left, c}) * (1 - across) + xv({n, top, right, c}) * across;
      const double below = xv({n, bottom, left, c}) * (1 - across) + xv({n, bottom, right, c}) * across;
      expected({n, at[1], at[2], c}) = above * (1 - down) + below * down;
    });
    INFO("to " << text(size));
    CHECK(agrees(upsample_bilinear(x, oh, ow), expected));
  }

  constexpr int64_t f = 2, channels = 3;
  const Tensor deep = numbers({2, 2, 3, channels * f * f});
  const Tensor wide = pixel_shuffle(deep, f);
  REQUIRE(wide.shape() == Shape{2, 4, 6, channels});
  Grid from(deep), to(wide);
  for_each_place(wide.shape(), [&](const std::vector<int64_t>& at) {  // PyTorch: input channel c*f*f + i*f + j
    const int64_t i = at[1] % f, j = at[2] % f;
    CHECK(to({at[0], at[1], at[2], at[3]}) == from({at[0], at[1] / f, at[2] / f, at[3] * f * f + i * f + j}));
  });
  CHECK(pixel_unshuffle(wide, f).shape() == deep.shape());
  CHECK(pixel_unshuffle(wide, f).to_vector() == deep.to_vector());
}

TEST_CASE("normalisation") {
  using kernels::Activation;
  Draw draw("normalisation");
  constexpr int64_t n = 3, h = 2, w = 4, c = 5;
  const Tensor x = draw_tensor(draw, {n, h, w, c}, -1, 3);
  const Tensor gamma = draw_tensor(draw, {c}, 0.5, 2), beta = draw_tensor(draw, {c});
  const Tensor mean_of = draw_tensor(draw, {c}), variance_of = draw_tensor(draw, {c}, 0.5, 2);
  const Tensor wide_gamma = draw_tensor(draw, {h, w, c}), wide_beta = draw_tensor(draw, {h, w, c});
  const Values xv = x.to_vector(), gv = gamma.to_vector(), bv = beta.to_vector();
  auto moments = [&](auto&& member) {  // mean and biased variance of the elements for which member(i) holds
    double total = 0, squares = 0, count = 0;
    for (size_t i = 0; i < xv.size(); ++i) {
      if (member(i)) total += xv[i], squares += xv[i] * xv[i], count += 1;
    }
    return std::pair{total / count, squares / count - total / count * total / count};
  };
  constexpr size_t channels = c, sample = h * w * c;
  for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
    const NormOptions options{.eps = 0.01, .activation = activation, .slope = 0.3};
    auto finish = [&](double value) {
      const double slope = activation == Activation::none ? 1 : activation == Activation::relu ? 0 : 0.3;
      return value > 0 ? value : slope * value;
    };
    Values batch, inference, instance;
    for (size_t i = 0; i < xv.size(); ++i) {
      const size_t channel = i % channels;
      auto normalise = [&](double m, double v) {
        return finish((xv[i] - m) / std::sqrt(v + 0.01) * gv[channel] + bv[channel]);
      };
      const auto [bm, bvar] = moments([&](size_t k) { return k % channels == channel; });
      const auto [im, ivar] = moments([&](size_t k) { return k % channels == channel && k / sample == i / sample; });
      batch.push_back(normalise(bm, bvar));
      instance.push_back(normalise(im, ivar));
      inference.push_back(normalise(mean_of.to_vector()[channel], variance_of.to_vector()[channel]));
    }
    INFO("activation " << static_cast<int>(activation));
    CHECK(relative_error(batch_norm(x, gamma, beta, options).to_vector(), batch) < rounding);
    CHECK(relative_error(instance_norm(x, gamma, beta, options).to_vector(), instance) < rounding);
    CHECK(relative_error(batch_norm_inference(x, gamma, beta, mean_of, variance_of, options).to_vector(), inference) <
          rounding);
  }
  Values layer;
  for (size_t i = 0; i < xv.size(); ++i) {
    const auto [m, v] = moments([&](size_t k) { return k / sample == i / sample; });
    layer.push_back((xv[i] - m) / std::sqrt(v + 0.02) * wide_gamma.to_vector()[i % sample] +
                    wide_beta.to_vector()[i % sample]);
  }
  CHECK(relative_error(layer_norm(x, wide_gamma, wide_beta, 0.02).to_vector(), layer) < rounding);
}

TEST_CASE("dropout keeps the mean and advances the generator") {
  Random random(17);
  const Tensor x = ones({20'000}, DType::f64);
  const Values y = dropout(x, 0.25, random).to_vector();
  const int64_t dropped = std::count(y.begin(), y.end(), 0.0);
  CHECK(std::abs(static_cast<double>(dropped) - 5000) < 300);
  for (double value : y) REQUIRE((value == 0 || value == Approx(1 / 0.75)));
  CHECK(random.block > 0);
  CHECK(dropout(x, 0.25, random).to_vector() != y);
  CHECK(dropout(x, 0, random).to_vector() == x.to_vector());
}

TEST_CASE("moving ops on sizes at random, on the CPU and the software device") {
  std::mt19937_64 generator(17);
  const auto pick = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(generator() % static_cast<uint64_t>(high - low + 1));
  };
  for (const Device device : {Device::cpu, Device::simt}) {
    const auto there = [&](const Tensor& x) { return to(x, device); };
    for (int trial = 0; trial < 20; trial++) {
      const int64_t outer = pick(1, 4), inner = pick(1, 5), parts = trial == 0 ? 70 : pick(1, 9);
      Tensors pieces;
      Values joined;
      std::vector<int64_t> sizes;
      for (int64_t k = 0; k < parts; k++) {
        sizes.push_back(pick(trial == 0 ? 1 : 0, 4));
        pieces.push_back(there(numbers({outer, sizes.back(), inner}) + static_cast<double>(1000 * k)));
      }
      for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < parts; k++)
          for (int64_t i = 0; i < sizes[k] * inner; i++)
            joined.push_back(static_cast<double>(1000 * k + o * sizes[k] * inner + i));
      CAPTURE(name_of(device), trial, outer, inner, parts);
      const Tensor whole = concat(pieces, 1);
      CHECK(whole.to_vector() == joined);
      const Tensors again = split(whole, 1, sizes);
      for (int64_t k = 0; k < parts; k++) CHECK(again[k].to_vector() == pieces[k].to_vector());

      const int64_t rows_ = trial == 0 ? 500 : pick(0, 40), width = trial == 0 ? 1 : pick(1, 40), entries = pick(1, 9);
      std::vector<int64_t> places;
      for (int64_t i = 0; i < rows_; i++) places.push_back(pick(0, entries - 1));
      const Tensor rows = there(numbers({rows_, width})), index = there(from_indices(places));
      Values table(static_cast<size_t>(entries * width), 0.0), gathered;
      for (int64_t i = 0; i < rows_; i++)
        for (int64_t j = 0; j < width; j++) table[places[i] * width + j] += static_cast<double>(i * width + j);
      CHECK(scatter_add(rows, index, entries).to_vector() == table);
      for (int64_t i = 0; i < rows_; i++)
        for (int64_t j = 0; j < width; j++) gathered.push_back(static_cast<double>(places[i] * width + j));
      CHECK(gather(there(numbers({entries, width})), index).to_vector() == gathered);
    }
  }
}

TEST_CASE("indices lie where their rows do") {
  const Tensor table = to(numbers({3, 2}), Device::simt), index = from_indices(std::vector<int64_t>{0, 2});
  CHECK_THROWS_AS(gather(table, index), ShapeError);
  CHECK_THROWS_AS(gather(numbers({3, 2}), to(index, Device::simt)), ShapeError);
  CHECK_THROWS_AS(scatter_add(to(numbers({2, 2}), Device::simt), index, 3), ShapeError);
}

}  // namespace forger::test
