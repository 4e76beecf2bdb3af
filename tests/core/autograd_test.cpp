// The engine beyond single ops: orders of differentiation, graphs used twice, writes in place, memory, long chains, and
// the three traps of gradient penalties (statistics as constants, sizes a stride forgets, parts that depend on each
// other).
#include "core/autograd.h"

#include <cmath>
#include <limits>
#include <thread>

#include "tests/catch.h"
#include "tests/differences.h"
#include "tests/message_of.h"
#include "tests/op_cases.h"

using namespace forger;
using test::message_of;
using namespace forger::test;

namespace {

Tensor leaf(const Shape& shape, const Values& values) {
  Tensor x = from_values(shape, values, DType::f64);
  return x.set_requires_grad();
}
Tensor random_leaf(Draw& draw, const Shape& shape, double low = -1, double high = 1) {
  return random_tensor(draw, shape, DType::f64, low, high).set_requires_grad();
}

bool has(const std::string& message, const std::string& word) { return message.find(word) != std::string::npos; }

double sum_of(const Tensor& a, const Tensor& b) { return inner(a.to_vector(), b.to_vector()); }

}  // namespace

// ---- orders ----

TEST_CASE("third derivatives of x^4 and tanh") {
  const Values at{-1.5, -0.25, 0.5, 2};
  auto third = [&](Tensor (*f)(const Tensor&)) {
    const Tensor x = leaf({4}, at);
    Tensor y = f(x);
    for (int order = 1; order <= 3; ++order) y = grad(sum(y), x, {.create_graph = order < 3});
    return y.to_vector();
  };
  const Values quartic = third([](const Tensor& x) { return square(square(x)); });
  const Values power = third([](const Tensor& x) { return pow(x, 4); });
  const Values hyperbolic = third([](const Tensor& x) { return tanh(x); });
  for (size_t i = 0; i < at.size(); ++i) {
    const double t = std::tanh(at[i]);
    CHECK(quartic[i] == Approx(24 * at[i]));
    CHECK(power[i] == Approx(24 * at[i]));
    CHECK(hyperbolic[i] == Approx((1 - t * t) * (6 * t * t - 2)));
  }
}

// Its kernels serve two orders, its reference all of them.
TEST_CASE("third derivatives through batch norm: kernels agree with the reference") {
  auto third = [](bool fused) {
    set_fused(fused);
    Draw draw("third derivatives through batch norm");
    const Tensors at{random_leaf(draw, {5, 3}), random_leaf(draw, {3}, 0.5, 1.5), random_leaf(draw, {3}, 2, 3)};
    Tensor y = sum(tanh(batch_norm(at[0], at[1], at[2], {.activation = kernels::Activation::leaky_relu})));
    Tensors last;
    for (int order = 1; order <= 3; ++order) {
      last = grad(Tensors{y}, at, {.create_graph = order < 3});
      y = add(sum(square(last[0])), add(sum(square(last[1])), sum(square(last[2]))));
    }
    set_fused(true);
    return last;
  };
  const Tensors kernels = third(true), reference = third(false);
  for (size_t i = 0; i < kernels.size(); ++i) {
    const Values a = kernels[i].to_vector(), b = reference[i].to_vector();
    for (size_t j = 0; j < a.size(); ++j) CHECK(a[j] == Approx(b[j]).epsilon(1e-9).margin(1e-9));
  }
}

TEST_CASE("derivatives towards an intermediate, a shared and a repeated tensor") {
  const Tensor x = leaf({}, {3});
  const Tensor middle = square(x), y = mul(middle, add(middle, x));  // m^2 + m x, m = x^2
  const Tensors gradients = grad(Tensors{y}, Tensors{middle, x, x});
  CHECK(gradients[0].item() == Approx(2 * 9 + 3));
  CHECK(gradients[1].item() == Approx(4 * 27 + 3 * 9));
  CHECK(gradients[2].item() == gradients[1].item());
}

TEST_CASE("several outputs, with and without seeds") {
  const Tensor x = leaf({2}, {2, 3});
  auto outputs = [&] { return Tensors{square(x), sum(x)}; };
  CHECK(grad(outputs(), Tensors{x})[0].to_vector() == Values{5, 7});
  const Tensors seeds{from_values({2}, Values{10, 100}, DType::f64), full({}, -1, DType::f64)};
  CHECK(grad(outputs(), Tensors{x}, {}, seeds)[0].to_vector() == Values{39, 599});
  CHECK_THROWS_AS(grad(outputs(), Tensors{x}, {}, Tensors{seeds[0]}), AutogradError);
  CHECK_THROWS_AS(grad(outputs(), Tensors{x}, {}, Tensors{seeds[1], seeds[0]}), ShapeError);
  CHECK_THROWS_AS(grad(outputs(), Tensors{x}, {}, Tensors{ones({2}), seeds[1]}), ShapeError);
}

TEST_CASE("an output that is itself the input") {
  const Tensor x = leaf({2}, {2, 3});
  CHECK(grad(x, x).to_vector() == Values{1, 1});
}

TEST_CASE("an input that no output depends on gets zeros of its own shape and dtype") {
  const Tensor x = leaf({2}, {1, 2});
  const Tensor other = ones({3, 2}).set_requires_grad();
  const Tensors gradients = grad(Tensors{square(x)}, Tensors{other, x});
  CHECK(gradients[0].shape() == Shape{3, 2});
  CHECK(gradients[0].dtype() == DType::f32);
  CHECK(gradients[0].to_vector() == Values(6, 0));
  CHECK(gradients[1].to_vector() == Values{2, 4});
  CHECK_THROWS_AS(grad(square(x), ones({2})), AutogradError);
}

TEST_CASE("ops by hand through record differentiate twice") {
  auto cube = [](const Tensor& x) {  // y = x^3 with a kept output: y' = 3 y / x
    Tensor y;
    {
      const NoGrad no_grad;
      y = mul(x, square(x));
    }
    return record(
        "cube", y, {x}, [x = Saved(x)](const Incoming& in) { return Tensors{3 * in.gy * in.y / *x}; }, true);
  };
  const Tensor x = leaf({2}, {2, -1});
  const Tensor first = grad(sum(cube(x)), x, {.create_graph = true});
  CHECK(first.to_vector() == Values{12, 3});
  CHECK(grad(sum(first), x).to_vector() == Values{12, -6});
}

TEST_CASE("a cast carries the gradient back in the input's type") {
  const Tensor x = leaf({2}, {0.5, -2});
  const Tensor narrow = cast(x, DType::f32);
  CHECK(narrow.dtype() == DType::f32);
  const Tensor first = grad(sum(mul(narrow, square(narrow))), x, {.create_graph = true});
  CHECK(first.dtype() == DType::f64);
  CHECK(first.to_vector() == Values{0.75, 12});
  CHECK(grad(sum(first), x).to_vector() == Values{3, -12});
}

// ---- where a derivative has a choice ----

TEST_CASE("ties and kinks follow the stated conventions") {
  auto gradient_at = [](const Values& at, const std::function<Tensor(const Tensor&)>& f) {
    const Tensor x = leaf({static_cast<int64_t>(at.size())}, at);
    return grad(sum(f(x)), x).to_vector();
  };
  CHECK(gradient_at({2, 2, 1}, [](const Tensor& x) { return max(x); }) == Values{0.5, 0.5, 0});
  CHECK(gradient_at({1, 3, 1}, [](const Tensor& x) { return min(x); }) == Values{0.5, 0, 0.5});
  CHECK(gradient_at({1, 2}, [](const Tensor& x) { return maximum(x, ones({2}, DType::f64)); }) == Values{0.5, 1});
  CHECK(gradient_at({1, 2}, [](const Tensor& x) { return minimum(x, ones({2}, DType::f64)); }) == Values{0.5, 0});
  CHECK(gradient_at({0, -1}, [](const Tensor& x) { return abs(x); }) == Values{0, -1});
  CHECK(gradient_at({0, 1}, [](const Tensor& x) { return relu(x); }) == Values{0, 1});
  CHECK(gradient_at({-1, 1, 2}, [](const Tensor& x) { return clamp(x, -1, 1); }) == Values{1, 1, 0});
  CHECK(gradient_at({5, 5, 1, 5}, [](const Tensor& x) {
          return max_pool2d(reshape(x, {1, 2, 2, 1}));
        }) == Values{1, 0, 0, 0});
}

// ---- graphs used twice ----

TEST_CASE("a graph is used up by a gradient unless it is retained") {
  const Tensor x = leaf({2}, {1, 2});
  const Tensor y = sum(square(square(x)));
  const Values once = grad(y, x, {.retain_graph = true}).to_vector();
  CHECK(once == Values{4, 32});
  CHECK(grad(y, x, {.create_graph = true}).to_vector() == once);
  CHECK(grad(y, x).to_vector() == once);
  for (GradOptions options : {GradOptions{}, GradOptions{.create_graph = true}, GradOptions{.retain_graph = true}}) {
    const std::string message = message_of<AutogradError>([&] { grad(y, x, options); });
    INFO(message);
    CHECK(has(message, "retain_graph"));
  }
}

TEST_CASE("backward fills leaves, adds up, and detaches") {
  Tensor x = leaf({2}, {1, 2}), w = leaf({2}, {3, 4});
  const Tensor constant = ones({2}, DType::f64);
  backward(sum(x * w + constant));
  CHECK(x.grad().to_vector() == Values{3, 4});
  CHECK(w.grad().to_vector() == Values{1, 2});
  CHECK_FALSE(constant.grad().defined());
  backward(sum(x * w));
  backward(sum(x));
  CHECK(x.grad().to_vector() == Values{7, 9});
  CHECK(w.grad().to_vector() == Values{2, 4});
  CHECK_FALSE(x.grad().requires_grad());
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  CHECK(w.grad().defined());
  backward(sum(square(x)), {.create_graph = true});
  CHECK_FALSE(x.grad().requires_grad());
}

TEST_CASE("gradients of two leaves never share memory") {
  const Tensor a = leaf({2}, {1, 2}), b = leaf({2}, {3, 4});
  backward(sum(a + b));
  a.grad().write<double>("scale")[0] = 50;
  CHECK(b.grad().to_vector() == Values{1, 1});
}

TEST_CASE("backward needs one number that depends on something") {
  const Tensor x = leaf({2}, {1, 2});
  const std::string message = message_of<AutogradError>([&] { backward(square(x)); });
  INFO(message);
  CHECK(has(message, "2"));
  CHECK_THROWS_AS(backward(sum(ones({2}))), AutogradError);
  CHECK_THROWS_AS(backward(Tensor()), AutogradError);
  CHECK_THROWS_AS(square(x).set_requires_grad(), AutogradError);
}

// ---- recording ----

TEST_CASE("NoGrad, detach and plain inputs record nothing") {
  const Tensor x = leaf({2}, {1, 2});
  {
    const NoGrad outer;
    {
      const NoGrad nested;
      CHECK_FALSE(recording());
    }
    CHECK_FALSE(recording());
    CHECK_FALSE(square(x).requires_grad());
    std::thread([] { CHECK(recording()); }).join();  // the scope is this thread's
  }
  CHECK(recording());
  CHECK_FALSE(square(x.detach()).requires_grad());
  CHECK_FALSE(square(ones({2})).requires_grad());
  CHECK(square(x).requires_grad());
  CHECK(grad(sum(x * x.detach()), x).to_vector() == Values{1, 2});
}

TEST_CASE("a gradient that throws leaves recording as it was") {
  const Tensor x = leaf({2}, {1, 2});
  const Tensor y = record("failing", ones({2}, DType::f64), {x},
                          [](const Incoming&) -> Tensors { throw Error("failing on purpose"); });
  CHECK_THROWS_AS(grad(sum(y), x), Error);
  CHECK(recording());
  CHECK(grad(sum(square(x)), x).to_vector() == Values{2, 4});
}

TEST_CASE("a closure must return one gradient per input") {
  const Tensor x = leaf({2}, {1, 2});
  const Tensor y =
      record("miscounted", ones({2}, DType::f64), {x, x}, [](const Incoming& in) { return Tensors{in.gy}; });
  CHECK(has(message_of<AutogradError>([&] { grad(sum(y), x); }), "[miscounted]"));
}

// ---- writes in place ----

TEST_CASE("writing what a gradient needs is an error that names both ops") {
  const Tensor x = leaf({2}, {1, 2}), w = leaf({2}, {3, 4});
  struct Row {
    const char* op;
    Tensor y, written;
  };
  const Tensor squashed = tanh(x), root = sqrt(w), soft = softmax(x);
  const Tensor tall = reshape(x, {2, 1}), wide = reshape(w, {1, 2});
  for (const Row& row : {Row{"mul", x * w, w}, Row{"square", square(x), x}, Row{"tanh", squashed, squashed},
                         Row{"sqrt", root, root}, Row{"softmax", soft, soft}, Row{"matmul", matmul(tall, wide), w}}) {
    INFO(row.op);
    row.written.write<double>("optimizer");
    const std::string message = message_of<AutogradError>([&] { grad(Tensors{sum(row.y)}, Tensors{x, w}); });
    INFO(message);
    CHECK(has(message, std::string("[") + row.op + "]"));
    CHECK(has(message, "[optimizer]"));
  }
}

TEST_CASE("writing what no gradient needs is fine") {
  const Tensor x = leaf({2}, {1, 2}), w = leaf({2}, {3, 4});
  const Tensor fixed = ones({2}, DType::f64);
  const Tensor total = sum(x + w), scaled = sum(3 * x), product = sum(w * fixed);
  x.write<double>("optimizer");
  w.write<double>("optimizer");  // the product needs `fixed` only, which takes no gradient itself
  CHECK(grad(Tensors{total}, Tensors{x, w})[1].to_vector() == Values{1, 1});
  CHECK(grad(scaled, x).to_vector() == Values{3, 3});
  CHECK(grad(product, w).to_vector() == Values{1, 1});
}

// ---- memory ----

TEST_CASE("only what a gradient needs stays alive, and a gradient sets it free") {
  constexpr size_t bytes = 8 * 1000;
  Draw draw("memory");
  const Tensor x = random_leaf(draw, {1000});
  const size_t baseline = memory_stats().live_bytes;
  const Tensor y = sum(affine(add(affine(x, 2, 1), x), 3, 0));  // linear: nothing to keep
  CHECK(memory_stats().live_bytes == baseline + 8);
  const Tensor z = sum(square(exp(x)));  // exp's output, kept once for both
  CHECK(memory_stats().live_bytes == baseline + 16 + bytes);
  {
    const Tensor gradient = grad(z, x);
    CHECK(memory_stats().live_bytes == baseline + 16 + bytes);
  }
  CHECK(memory_stats().live_bytes == baseline + 16);
}

TEST_CASE("a product keeps only what some gradient will read") {
  constexpr size_t bytes = 8 * 1000;
  Draw draw("product");
  const Tensor x = random_leaf(draw, {1000});
  const size_t baseline = memory_stats().live_bytes;
  const Tensor y = sum(mul(x, affine(x.detach(), 2, 0)));  // the second factor, for x
  CHECK(memory_stats().live_bytes == baseline + 8 + bytes);
  const Tensor z = sum(mul(ones({1000}, DType::f64), affine(x, 2, 0)));  // ones; the second factor is not read again
  CHECK(memory_stats().live_bytes == baseline + 16 + 2 * bytes);
}

TEST_CASE("a chain of 200,000 ops is differentiated and freed without deep recursion") {
  const size_t baseline = memory_stats().live_bytes;
  {
    const Tensor x = leaf({}, {1});
    Tensor y = x;
    for (int i = 0; i < 200'000; ++i) y = affine(y, 1, 1e-6);
    CHECK(y.item() == Approx(1.2));
    CHECK(grad(y, x, {.retain_graph = true}).item() == 1);
    y = Tensor();
    Tensor dropped = x;
    for (int i = 0; i < 200'000; ++i) dropped = mul(dropped, x);  // saves its operands, so closures hold the chain too
  }
  CHECK(memory_stats().live_bytes == baseline);
}

TEST_CASE("a diamond of 60 squares is walked once per node") {
  const Tensor x = leaf({}, {1});
  Tensor y = x;
  for (int i = 0; i < 60; ++i) y = affine(add(y, y), 0.5, 0);  // 2^60 paths
  CHECK(grad(y, x).item() == 1);
}

// ---- numbers gone bad ----

TEST_CASE("FiniteWatch names the op that made a NaN, forward and backward") {
  const Tensor x = leaf({2}, {0, 1}), negative = leaf({1}, {-1});
  CHECK_FALSE(std::isfinite(log(x).to_vector()[0]));  // not watched: allowed
  {
    const FiniteWatch watch;
    std::string message = message_of<NonFiniteError>([&] { exp(log(x)); });
    INFO(message);
    CHECK(has(message, "[log]"));
    message = message_of<NonFiniteError>([&] { sum(sqrt(negative)); });
    INFO(message);
    CHECK(has(message, "[sqrt]"));
    const Tensor y = sum(sqrt(x));  // finite at 0; its slope is not
    message = message_of<NonFiniteError>([&] { grad(y, x); });
    INFO(message);
    CHECK(has(message, "[sqrt]"));
    CHECK(has(message, "gradient"));
    CHECK(grad(sum(sqrt(x + 1e-12)), x).to_vector()[1] == Approx(0.5));
  }
  CHECK_NOTHROW(log(x));
}

// ---- fused ops ----

TEST_CASE("batch norm's second derivative takes its statistics as functions of x") {
  Draw draw("batch norm twice");
  const Tensor x = random_leaf(draw, {6, 3}), weight = random_tensor(draw, {6, 3}, DType::f64);
  const Tensor gamma = random_leaf(draw, {3}, 0.5, 1.5), beta = random_leaf(draw, {3});
  auto penalty = [&](const Tensor& at, GradOptions options, auto&& norm_of) {
    return sum(square(grad(sum(weight * norm_of(at)), at, options)));
  };
  auto right = [&](const Tensor& at) { return batch_norm(at, gamma, beta); };
  auto wrong = [&](const Tensor& at) {  // the same value and first order; rstd as a constant afterwards
    const Tensor rstd = reciprocal(sqrt(variance(at, {0}, true) + 1e-5)).detach();
    return (at - mean(at, {0}, true)) * rstd * gamma + beta;
  };
  const Scalar differences = [&](const Tensors& points) { return penalty(points[0], {}, right).item(); };
  auto error_of = [&](auto&& norm_of) {
    const Tensor gradient = grad(penalty(x, {.create_graph = true}, norm_of), x);
    return gradient_error(differences, {x}, {gradient}, draw);
  };
  CHECK(error_of(right) < 1e-6);
  CHECK(error_of(wrong) > 0.1);  // so the check above can tell
}

TEST_CASE("a fused op's inputs may depend on each other") {
  Draw draw("fused inputs");
  const Tensor x = random_leaf(draw, {6, 3});
  auto f = [](const Tensor& at) {  // gamma and beta are made from x itself
    return sum(square(batch_norm(at, mean(square(at), {0}), sum(at, {0}))));
  };
  const Values plain = grad(f(x), x).to_vector();
  const Tensor first = grad(f(x), x, {.create_graph = true});
  CHECK(relative_error(first.to_vector(), plain) < 1e-10);
  const Scalar second = [&](const Tensors& p) { return sum_of(square(grad(f(p[0]), p[0])), ones({6, 3}, DType::f64)); };
  CHECK(gradient_error(second, {x}, {grad(sum(square(first)), x)}, draw) < 1e-6);
}

TEST_CASE("batch norm moves its running statistics towards the batch's") {
  const Tensor x = from_values({4, 2}, Values{1, 10, 2, 10, 3, 20, 6, 20}, DType::f64);
  RunningStats running{.mean = full({2}, 1, DType::f64), .variance = full({2}, 2, DType::f64), .momentum = 0.25};
  const uint64_t version = running.mean.storage()->version;
  const Tensor y = batch_norm(x, ones({2}, DType::f64), zeros({2}, DType::f64), {.eps = 0}, &running);
  CHECK(running.mean.to_vector()[0] == Approx(0.75 * 1 + 0.25 * 3));
  CHECK(running.mean.to_vector()[1] == Approx(0.75 * 1 + 0.25 * 15));
  CHECK(running.variance.to_vector()[0] == Approx(0.75 * 2 + 0.25 * 14.0 / 3));  // unbiased
  CHECK(running.variance.to_vector()[1] == Approx(0.75 * 2 + 0.25 * 100.0 / 3));
  CHECK(running.mean.storage()->version > version);
  CHECK(y.to_vector()[0] == Approx(-2 / std::sqrt(3.5)));  // biased
  CHECK(y.to_vector()[7] == Approx(1));
}

// ---- convolutions and penalties ----

TEST_CASE("the convolution triangle is one trilinear form") {
  struct Geometry {
    int64_t h, w, kernel, stride, padding;
  };
  Draw draw("triangle");
  for (const Geometry& g :
       {Geometry{5, 5, 3, 1, 1}, {8, 8, 4, 2, 1}, {7, 6, 4, 2, 1}, {9, 7, 2, 3, 0}, {6, 6, 5, 2, 2}}) {
    INFO(g.h << "x" << g.w << " kernel " << g.kernel << " stride " << g.stride << " padding " << g.padding);
    const Tensor x = random_tensor(draw, {2, g.h, g.w, 3}, DType::f64);
    const Tensor weight = random_tensor(draw, {5, g.kernel, g.kernel, 3}, DType::f64);
    const Conv2dOptions options{.stride = g.stride, .padding = g.padding};
    const Tensor y = conv2d(x, weight, options);
    const Tensor map = random_tensor(draw, y.shape(), DType::f64);
    const double form = sum_of(y, map);
    CHECK(sum_of(conv_weight_grad(x, map, g.kernel, g.kernel, options), weight) == Approx(form).epsilon(1e-12));

    // The transposed convolution cannot know of leftover pixels; output_padding restores a square remainder.
    const int64_t rest = (g.h + 2 * g.padding - g.kernel) % g.stride;
    if (rest != (g.w + 2 * g.padding - g.kernel) % g.stride) continue;
    const Tensor image = conv_transpose2d(map, weight, {g.stride, g.padding, rest});
    REQUIRE(image.shape() == x.shape());
    CHECK(sum_of(image, x) == Approx(form).epsilon(1e-12));
  }
}

TEST_CASE("the gradient penalty of a strided critic has the right parameter gradients") {
  // E (||grad_x D(x)|| - 1)^2 of Gulrajani et al. 2017; 9 pixels leave one over at both strides.
  Tensor x, first, second, last;
  auto hidden = [&](const Tensors& p, const Tensor& at) {
    const Tensor h = conv2d(at, p[0], {.stride = 2, .padding = 1});
    return Tensors{h, conv2d(leaky_relu(h), p[1], {.stride = 2, .padding = 1})};
  };
  auto penalty = [&](const Tensors& p, GradOptions options) {
    const Tensor scores = conv2d(leaky_relu(hidden(p, x)[1]), p[2]);
    return mean(square(norm(grad(sum(scores), x, options), {1, 2, 3}) - 1));
  };
  Draw draw("gradient penalty");
  do {  // no unit near its kink
    x = random_leaf(draw, {2, 9, 9, 2});
    first = random_leaf(draw, {3, 4, 4, 2}, -0.5, 0.5);
    second = random_leaf(draw, {4, 4, 4, 3}, -0.5, 0.5);
    last = random_leaf(draw, {1, 2, 2, 4});
    const Tensors units = hidden({first, second}, x);
    if (stays_clear_of_zero(units[0]) && stays_clear_of_zero(units[1])) break;
  } while (true);
  const Tensors parameters{first, second, last};
  const Tensors gradients = grad(Tensors{penalty(parameters, {.create_graph = true})}, parameters);
  const Scalar differences = [&](const Tensors& p) { return penalty(p, {}).item(); };
  CHECK(gradient_error(differences, parameters, gradients, draw) < 1e-6);
  CHECK(inner(gradients, gradients) > 1e-3);
}
