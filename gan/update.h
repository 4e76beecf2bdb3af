// One optimiser step, guarded: no parameter is ever written from a loss or gradient that is not finite.
#pragma once
#include <functional>
#include <initializer_list>

#include "nn/optim.h"

namespace forger::gan {

struct Update {      // scalars on the parameters' device
  Tensor loss;       // the sum of the terms
  Tensor grad_norm;  // L2 over all of the optimiser's parameters, float64
};

// Scope: minimise() does not look at its loss, so that the step neither waits for the device nor reads from it. Whoever
// opens it looks at the losses afterwards.
class UncheckedUpdates {
 public:
  UncheckedUpdates();
  ~UncheckedUpdates();
  UncheckedUpdates(const UncheckedUpdates&) = delete;

 private:
  bool before_;
};

// Steps `optimizer` on the sum of the terms, each back-propagated before the next is computed, so that only one graph
// lives at a time. Terms are functions without random draws: when the loss or the gradient turns out not to be finite
// they are run again under a FiniteWatch, and NonFiniteError names the op that made the first NaN or infinity.
Update minimise(nn::Optimizer& optimizer, std::initializer_list<std::function<Tensor()>> terms);

}  // namespace forger::gan
