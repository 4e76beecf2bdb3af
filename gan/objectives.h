// Objectives (--loss): what the discriminator and the generator minimise, on raw discriminator outputs. Each is a sum
// of a term on real and a term on fake samples, so that the two can be back-propagated one after the other at half the
// memory.
#pragma once
#include <string>
#include <vector>

#include "core/ops.h"

namespace forger::gan {

struct Objective {
  std::string name;
  std::string formula;
  Tensor (*d_real)(const Tensor& real);  // D(x) (N) -> scalar
  Tensor (*d_fake)(const Tensor& fake);  // D(G(z)) (N) -> scalar
  Tensor (*generator)(const Tensor& fake);
};
const std::vector<Objective>& objectives();
const Objective& find_objective(const std::string& name);  // UsageError lists them

}  // namespace forger::gan
