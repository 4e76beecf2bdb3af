// Layers in a row, and gradients through whole networks.
#include "nn/layers.h"

#include "tests/nn/gradients.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

using Values = std::vector<double>;

TEST_CASE("sequential runs its modules in turn") {
  Sequential net;
  CHECK(net(ones({2})).to_vector() == Values{1, 1});
  net.append(fn([](const Tensor& x) { return x + 1.0; }));
  net.append(fn([](const Tensor& x) { return x * 3.0; }));
  CHECK(net(ones({2})).to_vector() == Values{6, 6});
}

TEST_CASE("gradients of a whole network agree with central differences, of first and second order") {
  Random random(5);
  Sequential net{std::make_shared<Conv2d>(2, 3, 3, Conv2dOptions{2, 1, 0}, random, true, DType::f64),
                 std::make_shared<BatchNorm>(3, NormOptions{}, 0.1, DType::f64),
                 nn::tanh(),
                 std::make_shared<ConvTranspose2d>(3, 2, 4, Conv2dOptions{2, 1, 0}, random, true, DType::f64),
                 std::make_shared<InstanceNorm>(2, NormOptions{}, DType::f64),
                 nn::tanh(),
                 nn::flatten(),
                 std::make_shared<Linear>(32, 2, random, true, DType::f64),
                 std::make_shared<LayerNorm>(Shape{2}, 0.1, DType::f64)};
  check_gradients(net.parameters(), random_tensor({3, 4, 4, 2}, 11), [&](const Tensor& x) { return net(x); });
}
