#include "gan/penalties.h"

#include "core/autograd.h"

namespace forger::gan {

Tensor gradient_norms(nn::Module& critic, const Tensor& x) {
  const Tensor slope = grad(critic(x), x, {.create_graph = true});
  constexpr double eps = 1e-12;  // inside the root, whose gradient does not exist at 0
  return norm(flatten(slope), {1}, eps);
}

Tensor gradient_penalty(nn::Module& critic, const Tensor& real, const Tensor& fake, const Tensor& a, double lambda) {
  Tensor between;
  {
    const NoGrad no_grad;
    const Tensor weight = reshape(a, real.rank() == 4 ? Shape{a.numel(), 1, 1, 1} : Shape{a.numel(), 1});
    between = fake + weight * (real - fake);
  }
  between.set_requires_grad();
  return lambda * mean(square(gradient_norms(critic, between) - 1));
}

}  // namespace forger::gan
