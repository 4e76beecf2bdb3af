// Kernels whose requests of memory are known by hand: what the software device must count.
#pragma once
#include <string>
#include <vector>

#include "kernels/simt/runtime.h"

namespace forger::kernels {

struct Counted {
  std::string name;
  simt::Requests global, shared;  // of two warps
  uint64_t barriers;
  uint64_t sectors;  // of global memory, each once read and once written
  void (*run)();     // one launch of one block on simt
};
const std::vector<Counted>& counted();

}  // namespace forger::kernels
