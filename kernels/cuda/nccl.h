// The few functions of NCCL that the backend calls. The library is opened when several processes first train together.
#pragma once
#include <nccl.h>

#include "kernels/cuda/library.h"

namespace forger::kernels {

struct NcclFunctions {
  SharedLibrary library{"libnccl.so." FORGER_QUOTED(NCCL_MAJOR), "NCCL (package libnccl2)"};
  FORGER_IMPORT(ncclGetErrorString);
  FORGER_IMPORT(ncclGetUniqueId);
  FORGER_IMPORT(ncclCommInitRank);
  FORGER_IMPORT(ncclCommDestroy);
  FORGER_IMPORT(ncclAllReduce);
};

}  // namespace forger::kernels
