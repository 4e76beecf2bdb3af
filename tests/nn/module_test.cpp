// Names and order of parameters, modes, shared modules, and state by name.
#include "nn/module.h"

#include "core/autograd.h"
#include "nn/layers.h"
#include "tests/catch.h"
#include "tests/nn/support.h"

using namespace forger;
using namespace forger::nn;
using namespace forger::test;

namespace {

std::vector<std::string> names_of(const NamedTensors& list) {
  std::vector<std::string> names;
  for (const auto& named : list) names.push_back(named.name);
  return names;
}

using Names = std::vector<std::string>;

// A module whose registrations the test chooses.
class Open : public Module {
 public:
  using Module::buffer;
  using Module::child;
  using Module::parameter;
};

std::shared_ptr<Sequential> make_network(uint64_t seed) {
  Random random(seed);
  auto net = std::make_shared<Sequential>();
  net->append(std::make_shared<Conv2d>(3, 4, 3, Conv2dOptions{2, 1, 0}, random, false));
  net->append(std::make_shared<BatchNorm>(4));
  net->append(leaky_relu());
  net->append(flatten());
  net->append(std::make_shared<Linear>(16, 2, random));
  return net;
}

}  // namespace

TEST_CASE("parameters and buffers are named by the tree, in the order of registration") {
  const auto net = make_network(1);
  CHECK(names_of(net->parameters()) == Names{"0.weight", "1.weight", "1.bias", "4.weight", "4.bias"});
  CHECK(names_of(net->buffers()) == Names{"1.running_mean", "1.running_var"});
  CHECK(names_of(net->state()) ==
        Names{"0.weight", "1.weight", "1.bias", "4.weight", "4.bias", "1.running_mean", "1.running_var"});
  CHECK(net->parameters()[0].tensor.shape() == Shape{4, 3, 3, 3});
  CHECK(tensors_of(net->parameters()).size() == 5);
  CHECK(tensors_of(net->parameters())[3].storage() == net->parameters()[3].tensor.storage());
}

TEST_CASE("a module's own parameters come before its children's, whatever was registered first") {
  Open outer;
  const auto inner = std::make_shared<Open>();
  outer.child("inner", inner);
  outer.parameter("a", zeros({1}));
  inner->parameter("b", zeros({1}));
  outer.parameter("c", zeros({1}));
  CHECK(names_of(outer.parameters()) == Names{"a", "c", "inner.b"});
}

TEST_CASE("names are unique, not empty and hold no dot") {
  Open module;
  module.parameter("weight", zeros({2}));
  module.child("body", std::make_shared<Open>());
  CHECK(contains(message_of<Error>([&] { module.parameter("weight", zeros({2})); }), "\"weight\""));
  CHECK_THROWS_AS(module.buffer("weight", zeros({2})), Error);
  CHECK_THROWS_AS(module.buffer("body", zeros({2})), Error);
  CHECK_THROWS_AS(module.child("weight", std::make_shared<Open>()), Error);
  CHECK_THROWS_AS(module.child("no", std::shared_ptr<Open>()), Error);
  CHECK(contains(message_of<Error>([&] { module.parameter("a.b", zeros({2})); }), "no dot"));
  CHECK_THROWS_AS(module.buffer("", zeros({2})), Error);
  CHECK(module.state().size() == 1);
}

TEST_CASE("parameters require gradients, buffers do not, and all handles are one") {
  Random random(1);
  Linear layer(2, 3, random);
  CHECK(layer.weight.requires_grad());
  CHECK(layer.parameters()[0].tensor.storage() == layer.weight.storage());
  CHECK(layer.parameters()[0].tensor.variable() == layer.weight.variable());
  const BatchNorm norm(3);
  CHECK_FALSE(norm.running_mean.requires_grad());

  layer.set_requires_grad(false);
  CHECK_FALSE(layer.weight.requires_grad());
  const Tensor x = random_tensor({4, 2}, 1, DType::f32);
  CHECK(layer(x).variable() == nullptr);  // nothing was recorded
  layer.set_requires_grad(true);
  CHECK(layer.weight.requires_grad());
  backward(sum(layer(x)));
  REQUIRE(layer.parameters()[1].tensor.grad().defined());
  CHECK(layer.parameters()[1].tensor.grad().to_vector() == std::vector<double>{4, 4, 4});
}

TEST_CASE("a network becomes float64 and float32 again in place: the same values, the same handles") {
  const auto net = make_network(7);
  const NamedTensors handles = net->state(), before = copy_of(handles);
  const auto variable = handles[0].tensor.variable();
  net->to(DType::f64);
  for (size_t i = 0; i < handles.size(); i++) {
    CHECK(handles[i].tensor.dtype() == DType::f64);
    CHECK(handles[i].tensor.to_vector() == before[i].tensor.to_vector());
  }
  CHECK(net->state()[0].tensor.variable() == variable);
  const Tensor y = (*net)(random_tensor({2, 4, 4, 3}, 1));
  CHECK(y.dtype() == DType::f64);
  CHECK(grad(sum(y), handles[0].tensor).dtype() == DType::f64);
  net->to(DType::f32);
  CHECK(handles[0].tensor.dtype() == DType::f32);
}

TEST_CASE("a frozen network still passes gradients to its input") {
  const auto net = make_network(2);
  net->set_requires_grad(false);
  Tensor x = random_tensor({2, 4, 4, 3}, 3, DType::f32);
  x.set_requires_grad();
  backward(sum(square((*net)(x))));
  CHECK(x.grad().defined());
  for (const auto& [name, p] : net->parameters()) CHECK_FALSE(p.grad().defined());
}

TEST_CASE("modes reach every module") {
  const auto net = make_network(1);
  int modules = 0;
  net->eval();
  net->visit([&](const Module& m) {
    CHECK_FALSE(m.training());
    modules++;
  });
  CHECK(modules == 6);
  net->train();
  net->visit([](const Module& m) { CHECK(m.training()); });
}

TEST_CASE("a module shared by two is listed once") {
  Random random(1);
  const auto shared = std::make_shared<Linear>(2, 2, random);
  const auto first = std::make_shared<Sequential>(std::initializer_list<LayerPtr>{shared, relu()});
  const auto second = std::make_shared<Sequential>(std::initializer_list<LayerPtr>{tanh(), shared});
  const Sequential both{first, second};
  CHECK(names_of(both.parameters()) == Names{"0.0.weight", "0.0.bias"});
  CHECK(names_of(second->parameters()) == Names{"1.weight", "1.bias"});
}

TEST_CASE("load_state copies values by name, in place") {
  const auto a = make_network(1), b = make_network(2);
  a->forward(random_tensor({2, 4, 4, 3}, 3, DType::f32));  // moves the running statistics
  REQUIRE_FALSE(identical(a->state(), b->state()));
  NamedTensors reordered = a->state();
  std::reverse(reordered.begin(), reordered.end());
  const Tensor handle = b->parameters()[0].tensor;
  load_state(b->state(), reordered);
  CHECK(identical(a->state(), b->state()));
  CHECK(handle.to_vector() == a->parameters()[0].tensor.to_vector());
  CHECK(handle.storage() != a->parameters()[0].tensor.storage());
  CHECK(handle.requires_grad());
}

TEST_CASE("load_state says which tensor does not fit, and writes nothing") {
  const auto net = make_network(1);
  const NamedTensors before = copy_of(net->state());
  const auto refused = [&](const NamedTensors& source, const std::string& part) {
    const std::string message = message_of<DataError>([&] { load_state(net->state(), source); });
    INFO(message);
    CHECK(contains(message, part));
    CHECK(identical(net->state(), before));
  };
  NamedTensors source = copy_of(make_network(2)->state());
  NamedTensors missing = source, surplus = source, shape = source, dtype = source, twice = source;
  missing.erase(missing.begin() + 3);
  refused(missing, "\"4.weight\" (2x16) is missing");
  surplus.push_back({"5.weight", zeros({7})});
  refused(surplus, "\"5.weight\" (7)");
  shape[0].tensor = zeros({4, 3, 3, 2});
  refused(shape, "\"0.weight\" should be float32 4x3x3x3, is float32 4x3x3x2");
  dtype[6].tensor = zeros({4}, DType::f64);
  refused(dtype, "\"1.running_var\" should be float32 4, is float64 4");
  twice.push_back(source[2]);
  refused(twice, "\"1.bias\" is given twice");
}

TEST_CASE("backward refuses to use a parameter that was loaded after it was used") {
  Random random(1);
  Linear layer(2, 1, random);
  Tensor x = random_tensor({3, 2}, 1, DType::f32);
  x.set_requires_grad();
  const Tensor loss = sum(layer(x));
  load_state(layer.state(), copy_of(layer.state()));
  CHECK(contains(message_of<AutogradError>([&] { backward(loss); }), "load_state"));
}
