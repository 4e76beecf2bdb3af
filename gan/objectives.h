// Objectives (--loss): what the discriminator and the generator minimise, per raw output of D. Each is a sum of a term
// on real and a term on fake samples, so that the two can be back-propagated one after the other at half the memory.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/ops.h"

namespace forger::gan {

struct Objective {
  using Term = std::function<Tensor(const Tensor& out)>;  // elementwise: D's outputs, whatever their shape
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
