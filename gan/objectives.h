// Objectives (--loss): what the discriminator and the generator minimise, per raw output of D. Each is a sum of a term
// on real and a term on fake samples, so that the two can be back-propagated one after the other at half the memory.
#pragma once
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/ops.h"

namespace forger::gan {

struct Objective {
  // What is minimised of each of D's outputs, whatever their shape: one of the losses whose mean is a kernel, or any
  // function.
  class Term {
   public:
    Term() = default;
    Term(const kernels::Loss& loss)  // NOLINT: a term is its loss
        : each_([loss](const Tensor& out) { return losses(out, loss); }),
          mean_([loss](const Tensor& out) { return mean_loss(out, loss); }) {}
    template <std::invocable<const Tensor&> Each>
    Term(Each each)  // NOLINT: or its function
        : each_(each), mean_([each](const Tensor& out) { return forger::mean(each(out)); }) {}
    explicit operator bool() const { return each_ != nullptr; }
    Tensor operator()(const Tensor& out) const { return each_(out); }  // elementwise
    Tensor mean(const Tensor& out) const { return mean_(out); }        // over all of them

   private:
    std::function<Tensor(const Tensor&)> each_, mean_;
  };
  std::string name;
  std::string formula;
  Term real, fake;      // D minimises E real(D(x)) + E fake(D(x'))
  Term generator = {};  // G minimises E generator(D(x'))
  // Relativistic average (Jolicoeur-Martineau 2018, arXiv:1807.00734): an output counts beside the mean of the other
  // kind: D(x) - E D(x') takes the place of D(x), D(x') - E D(x) that of D(x'), and G minimises D's loss with the two
  // exchanged. `generator` is not there.
  bool relative = false;
  // The output at which D does not know. Labels can be softened, and overfitting seen, only where there is one.
  std::optional<double> undecided = {};
  // D's output is bounded by its network alone, an autoencoder: D(x) is minus the error of x rebuilt.
  bool of_energies = false;
};
const std::vector<Objective>& objectives();
const Objective& find_objective(const std::string& name);  // UsageError lists them

}  // namespace forger::gan
