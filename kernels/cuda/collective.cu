// Sums over several processes that have a GPU each, by NCCL, on a stream of their own: events let it begin after what it
// sums has been computed, and what needs the sums after it.
#if !defined(__CUDACC__)
#include "kernels/simt/nccl.h"
#elif __has_include(<nccl.h>)
#include "kernels/cuda/nccl.h"
#else
#define FORGER_NO_NCCL
#endif

#include <algorithm>
#include <string>

#include "kernels/cuda/device.h"

namespace forger::kernels {
inline namespace gpu_words {

#ifndef FORGER_NO_NCCL

namespace {

class Nccl : NcclFunctions {
 public:
  CollectiveKey key() const {
    ncclUniqueId id{};
    check(ncclGetUniqueId(&id), "making a key");
    CollectiveKey key;
    static_assert(sizeof id.internal == sizeof key);
    std::copy(std::begin(id.internal), std::end(id.internal), key.begin());
    return key;
  }

  ncclComm_t join(const CollectiveKey& key, int rank, int count) const {
    ncclUniqueId id{};
    std::copy(key.begin(), key.end(), id.internal);
    ncclComm_t all{};
    check(ncclCommInitRank(&all, count, id, rank), "finding the other processes");
    return all;
  }
  void leave(ncclComm_t all) const { (void)ncclCommDestroy(all); }

  template <class T>
  void sum(T* values, int64_t n, ncclComm_t all, cudaStream_t stream) const {
    check(ncclAllReduce(values, values, static_cast<size_t>(n), sizeof(T) == 4 ? ncclFloat : ncclDouble, ncclSum, all,
                        stream),
          "a sum over processes");
  }

 private:
  void check(ncclResult_t result, const char* what) const {
    if (result != ncclSuccess) throw DeviceError(std::string("NCCL: ") + what + ": " + ncclGetErrorString(result));
  }
};

const Nccl& nccl() {
  static const Nccl& one = *new Nccl;
  return one;
}

class NcclCollective : public Collective {
 public:
  NcclCollective(const CollectiveKey& key, int rank, int count) {
    stream();  // chooses the GPU
    all_ = nccl().join(key, rank, count);
    check_cuda(cudaStreamCreateWithFlags(&own_, cudaStreamNonBlocking), "creating a stream");
    for (cudaEvent_t* event : {&computed_, &summed_})
      check_cuda(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "creating an event");
  }
  ~NcclCollective() override { nccl().leave(all_); }

  void sum(float* values, int64_t n) override { queue(values, n); }
  void sum(double* values, int64_t n) override { queue(values, n); }
  void wait() override {
    check_cuda(cudaEventRecord(summed_, own_), "waiting for sums over processes");
    check_cuda(cudaStreamWaitEvent(stream(), summed_), "waiting for sums over processes");
  }

 private:
  template <class T>
  void queue(T* values, int64_t n) {
    check_cuda(cudaEventRecord(computed_, stream()), "a sum over processes");
    check_cuda(cudaStreamWaitEvent(own_, computed_), "a sum over processes");
    nccl().sum(values, n, all_, own_);
  }

  ncclComm_t all_{};
  cudaStream_t own_{};
  cudaEvent_t computed_{}, summed_{};
};

}  // namespace

CollectiveKey collective_key() { return nccl().key(); }
std::unique_ptr<Collective> join_collective(const CollectiveKey& key, int rank, int count) {
  return std::make_unique<NcclCollective>(key, rank, count);
}

#else

namespace {
[[noreturn]] void refuse() {
  throw DeviceError("this build knows no NCCL, which several processes need: install libnccl-dev, and build again");
}
}  // namespace

CollectiveKey collective_key() { refuse(); }
std::unique_ptr<Collective> join_collective(const CollectiveKey&, int, int) { refuse(); }

#endif

}  // namespace gpu_words
}  // namespace forger::kernels
