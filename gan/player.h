// A player of the game: an optimiser over some networks, and its step, guarded: no parameter is ever written from a
// loss or gradient that is not finite.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "nn/optim.h"

namespace forger::gan {

struct Reading {
  std::string name;  // a column of metrics.csv: "loss_d", "penalty", "grad_norm_d", ...
  Tensor value;      // a scalar on the device, not yet looked at
};
using Readings = std::vector<Reading>;
// One after the other: losses first, norms of gradients last, the rest between them.
Readings operator+(Readings a, const Readings& b);

struct Scalar {  // a reading that was looked at
  std::string name;
  double value;
};
using Scalars = std::vector<Scalar>;
Scalars look_at(const Readings& readings);  // waits for the device

// A value that several terms use: made at its first use, and again whenever a failed step is replayed to find the op
// that spoilt it.
class Shared {
 public:
  explicit Shared(std::function<Tensor()> make) : make_(std::move(make)) {}
  const Tensor& operator()();

 private:
  std::function<Tensor()> make_;
  Tensor value_;
};

// What a term of a loss comes to: a number, or a sum of several, each a curve of its own.
struct Losses {
  Losses(Tensor loss) : parts{{"", std::move(loss)}} {}  // NOLINT: a term is usually just its value
  Losses(std::initializer_list<Reading> named) : parts(named) {}
  Readings parts;
};

struct Update {      // scalars on the parameters' device
  Tensor loss;       // the sum of the terms
  Tensor grad_norm;  // L2 over all of the optimiser's parameters, float64, before it is clipped
  Readings named;    // parts of the terms that have names
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
// lives at a time: what shares a graph is one term. Terms are functions without random draws: when the loss or the
// gradient turns out not to be finite they are run again under a FiniteWatch, and NonFiniteError names the op that made
// the first NaN or infinity.
// `max_norm`: gradients of a larger L2 norm over all parameters are scaled to it; 0: none are.
using Terms = std::vector<std::function<Losses()>>;
Update minimise(nn::Optimizer& optimizer, const Terms& terms, double max_norm = 0);

class Player {
 public:
  Player(std::string name, std::shared_ptr<nn::Optimizer> optimizer, double max_grad_norm = 0)
      : name_(std::move(name)), optimizer_(std::move(optimizer)), max_grad_norm_(max_grad_norm) {}
  const std::string& name() const { return name_; }
  nn::Optimizer& optimizer() const { return *optimizer_; }
  // One step. Readings "loss_NAME", the named parts of the terms, "grad_norm_NAME".
  Readings minimise(const Terms& terms);

 private:
  std::string name_;
  std::shared_ptr<nn::Optimizer> optimizer_;
  double max_grad_norm_;
};

}  // namespace forger::gan
