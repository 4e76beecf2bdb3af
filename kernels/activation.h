// From an activation that is known at run time to one that is known to the compiler.
#pragma once
#include <type_traits>

#include "kernels/kernels.h"

namespace forger::kernels {

template <Activation act>
using Tag = std::integral_constant<Activation, act>;

template <class F>
void with_activation(Activation act, const F& f) {
  switch (act) {
    case Activation::none:
      return f(Tag<Activation::none>{});
    case Activation::relu:
      return f(Tag<Activation::relu>{});
    case Activation::leaky_relu:
      return f(Tag<Activation::leaky_relu>{});
  }
}

}  // namespace forger::kernels
