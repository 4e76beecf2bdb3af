// Gradient reversal: x itself, and the other sign of gradients of every order.
#include "nn/gradient_reversal.h"

#include <limits>

#include "core/autograd.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

TEST_CASE("gradient reversal is x, bit for bit") {
  Tensor x = random_tensor({50}, 1, DType::f32) * 1e20;
  x = concat(std::vector<Tensor>{x, random_tensor({50}, 2, DType::f32) * 1e-20}, 0).detach();
  x.set_requires_grad();
  for (const double lambda : {0.3, 0.0, 7.0}) CHECK(reverse_gradient(x, lambda).to_vector() == x.to_vector());
}

TEST_CASE("gradient reversal turns gradients round, of first and second order") {
  constexpr double lambda = 0.7;
  for (const bool scheduled : {false, true}) {
    Tensor x = random_tensor({4}, 3);
    x.set_requires_grad();
    const Tensor y = scheduled ? reverse_gradient(x, full(Shape{}, lambda, DType::f64)) : reverse_gradient(x, lambda);
    const Tensor g = grad(sum(pow(y, 3)), x, {.create_graph = true});
    CHECK(largest_difference(g, (-3 * lambda) * square(x.detach())) < 1e-14);
    // g is -3 lambda y^2, and y's own gradient is -lambda: that of g^2 is 2 g (-6 lambda y) (-lambda).
    const Tensor second = grad(sum(square(g)), x);
    CHECK(largest_difference(second, (-36 * lambda * lambda * lambda) * pow(x.detach(), 3)) < 1e-13);
  }
}

TEST_CASE("gradient reversal: the scale of a schedule can move between steps") {
  Tensor x = ones({2}, DType::f64);
  x.set_requires_grad();
  const Tensor lambda = full(Shape{}, 1, DType::f64);
  CHECK(grad(sum(reverse_gradient(x, lambda)), x).to_vector() == std::vector<double>{-1, -1});
  copy_into(lambda, full(Shape{}, 0.5, DType::f64), "test");
  CHECK(grad(sum(reverse_gradient(x, lambda)), x).to_vector() == std::vector<double>{-0.5, -0.5});
}
