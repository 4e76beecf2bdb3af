// A program outside of Forger's tree that uses its engine: the slope of a network, and how the slope's length changes
// with each of the weights, which is what a gradient penalty needs.
#include <iostream>

#include "core/autograd.h"
#include "nn/layers.h"

using namespace forger;

int main() {
  Random random(/*seed=*/1);
  nn::Sequential network;
  network.append(std::make_shared<nn::Linear>(2, 16, random));
  network.append(nn::leaky_relu());
  network.append(std::make_shared<nn::Linear>(16, 1, random));

  Tensor x = random.normal({8, 2});
  x.set_requires_grad();
  const Tensor slope = grad(sum(network(x)), x, {.create_graph = true});  // (8, 2)
  backward(norm_penalty(slope));
  std::cout << "slope " << norm(slope).item() << ", gradient of its penalty "
            << norm(network.parameters().front().tensor.grad()).item() << '\n';
}
