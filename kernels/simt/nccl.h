// The few names of NCCL that the backend calls, on the software device: MPI sums, over all processes that mpirun has
// started, in place of its kernels.
#pragma once
#include <cstddef>

#ifdef FORGER_MPI
#include <mpi.h>
#endif

#include "kernels/simt/cuda.h"

enum ncclResult_t { ncclSuccess = 0, ncclInvalidUsage = 5 };
enum ncclDataType_t { ncclFloat = 7, ncclDouble = 8 };
enum ncclRedOp_t { ncclSum = 0 };
struct ncclUniqueId {
  char internal[128];
};
using ncclComm_t = int;  // how many there are

namespace forger::kernels {
struct NcclFunctions {};  // here they are plain functions
}  // namespace forger::kernels

inline const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess ? "no error"
                               : "invalid usage: not the processes that mpirun has started, or not in place";
}
inline ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  return ncclSuccess;
}
inline ncclResult_t ncclCommDestroy(ncclComm_t) { return ncclSuccess; }

inline ncclResult_t ncclCommInitRank(ncclComm_t* all, int count, ncclUniqueId, int rank) {
  *all = count;
  int mpi_count = 1, mpi_rank = 0;
#ifdef FORGER_MPI
  int started = 0;
  MPI_Initialized(&started);
  if (started != 0) {
    MPI_Comm_size(MPI_COMM_WORLD, &mpi_count);
    MPI_Comm_rank(MPI_COMM_WORLD, &mpi_rank);
  }
#endif
  return mpi_count == count && mpi_rank == rank ? ncclSuccess : ncclInvalidUsage;
}
// In place.
inline ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t,
                                  ncclComm_t all, cudaStream_t stream) {
  if (from != to) return ncclInvalidUsage;
  stream->submit([=] {
    const forger::simt::OpenMemory open;
#ifdef FORGER_MPI
    if (all > 1) {
      MPI_Allreduce(MPI_IN_PLACE, to, static_cast<int>(count), type == ncclFloat ? MPI_FLOAT : MPI_DOUBLE, MPI_SUM,
                    MPI_COMM_WORLD);
    }
#else
    (void)count, (void)type, (void)all;
#endif
  });
  return ncclSuccess;
}
