#include "gan/penalties.h"

#include "core/autograd.h"

namespace forger::gan {

Tensor gradient_penalty(const std::function<Tensor(const Tensor&)>& critic, const Tensor& real, const Tensor& fake,
                        const Tensor& a, double lambda) {
  Tensor between;
  {
    const NoGrad no_grad;
    const Tensor weight = reshape(a, real.rank() == 4 ? Shape{a.numel(), 1, 1, 1} : Shape{a.numel(), 1});
    between = fake + weight * (real - fake);
  }
  between.set_requires_grad();
  return lambda * norm_penalty(grad(critic(between), between, {.create_graph = true}));
}

}  // namespace forger::gan
