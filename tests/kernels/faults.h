// Kernels with one fault each, and the same without it: what the software device must catch, and must let pass.
#pragma once
#include <string>
#include <vector>

namespace forger::kernels {

struct Fault {
  std::string name;
  std::string caught_as;     // words of the report
  void (*run)(bool faulty);  // launches on simt; throws what the device finds, or std::logic_error for a wrong result
};
const std::vector<Fault>& faults();

}  // namespace forger::kernels
