// The few functions of cuBLAS that the backend calls. The library is half a gigabyte, and is opened at the first
// product on a GPU.
#pragma once
#include <cublas_v2.h>

#include "kernels/cuda/library.h"

namespace forger::kernels {

struct CublasFunctions {
  SharedLibrary library{"libcublas.so." FORGER_QUOTED(CUBLAS_VER_MAJOR), "CUDA"};
  FORGER_IMPORT(cublasGetStatusString);
  FORGER_IMPORT(cublasCreate);
  FORGER_IMPORT(cublasSetStream);
  FORGER_IMPORT(cublasSetWorkspace);
  FORGER_IMPORT(cublasSetMathMode);
  FORGER_IMPORT(cublasSgemmStridedBatched);
  FORGER_IMPORT(cublasDgemmStridedBatched);
};

}  // namespace forger::kernels
