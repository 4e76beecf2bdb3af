// The device layer: one stream for all work, memory, copies, recorded graphs. Written against the CUDA runtime API,
// which kernels/simt provides too.
#include <cstring>
#include <new>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/devices.h"
#include "kernels/poison.h"

namespace forger::kernels {
inline namespace gpu_words {

void check_cuda(cudaError_t error, std::string_view what) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // clears it: the next launch is not to blame
  std::string message = "CUDA: " + std::string(what) + ": " + cudaGetErrorString(error);
#ifdef __CUDACC__
  for (const cudaError_t inside_a_kernel :
       {cudaErrorIllegalAddress, cudaErrorMisalignedAddress, cudaErrorInvalidAddressSpace, cudaErrorIllegalInstruction,
        cudaErrorInvalidPc, cudaErrorHardwareStackError, cudaErrorAssert, cudaErrorLaunchFailure,
        cudaErrorLaunchTimeout}) {
    if (error == inside_a_kernel) message += ", in a kernel; run again with CUDA_LAUNCH_BLOCKING=1 to see in which";
  }
#endif
  throw DeviceError(message);
}

cudaStream_t stream() {
  static const cudaStream_t one = [] {
    int cards = 0;
    check_cuda(cudaGetDeviceCount(&cards), "counting GPUs");
    if (chosen_card() >= cards) {
      throw DeviceError("CUDA: process " + std::to_string(chosen_card() + 1) +
                        " of this host needs a GPU of its own, and there are " + std::to_string(cards));
    }
    check_cuda(cudaSetDevice(chosen_card()), "choosing a GPU");
    cudaStream_t made{};
    check_cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "creating a stream");
    return made;
  }();
  return one;
}

namespace {

// Lasting memory, cleared once.
template <class T>
T* cleared(int count) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(T);
  void* const made = lasting_memory(bytes, "counters");
  check_cuda(cudaMemsetAsync(made, 0, bytes, stream()), "clearing counters");
  return static_cast<T*>(made);
}

}  // namespace

const uint64_t* random_offset() {
  static const uint64_t* const cell = cleared<uint64_t>(1);
  return cell;
}

unsigned* tickets() {
  static unsigned* const cells = cleared<unsigned>(ticket_count);
  return cells;
}

namespace {
size_t lasting_bytes = 0;
}

void* lasting_memory(size_t bytes, std::string_view what) {
  stream();  // chooses the GPU
  void* memory = nullptr;
  cudaError_t error = cudaMalloc(&memory, bytes);
  if (error == cudaErrorMemoryAllocation && gpu_runtime().reclaim) {
    (void)cudaGetLastError();
    gpu_runtime().reclaim();
    error = cudaMalloc(&memory, bytes);
  }
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    throw DeviceError("CUDA: out of memory: no " + std::to_string(bytes) + " bytes for " + std::string(what) +
                      "; a smaller --batch or --width needs less");
  }
  check_cuda(error, what);
  lasting_bytes += bytes;
  return memory;
}

// Outgrown buffers are kept, since queued work and recorded graphs may still use them; sizes double, so that all of
// them together are no larger than the last.
void* scratch(size_t bytes) {
  static void* buffer = nullptr;
  static size_t size = 0;
  if (bytes > size) {
    const size_t wanted = bytes > 2 * size ? bytes : 2 * size;
    buffer = lasting_memory(wanted, "intermediate results");
    size = wanted;
  }
#ifndef __CUDACC__
  // Recorded with the kernels that it is for: each finds what it asked for, and a fault where it wants more.
  stream()->submit([memory = buffer, bytes] { simt::trim(memory, bytes); });
  if (poisoning()) check_cuda(cudaMemsetAsync(buffer, 0xff, bytes, stream()), "poisoning intermediate results");
#endif
  return buffer;
}

int multiprocessors() {
#ifdef __CUDACC__
  static const int count = [] {
    int value = 0;
    check_cuda(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, chosen_card()),
               "asking for multiprocessors");
    return value;
  }();
  return count;
#else
  return simt::multiprocessors();
#endif
}

}  // namespace gpu_words

namespace {

__global__ void set_kernel(uint64_t value, uint64_t* cell) { *cell = value; }

class RecordedGraph : public Graph {
 public:
  explicit RecordedGraph(cudaGraph_t graph) {
    const cudaError_t made = cudaGraphInstantiate(&exec_, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(made, "instantiating a graph");
  }
  ~RecordedGraph() override { cudaGraphExecDestroy(exec_); }
  void replay() override { check_cuda(cudaGraphLaunch(exec_, stream()), "replaying a graph"); }

 private:
  cudaGraphExec_t exec_{};
};

class GpuRuntime : public DeviceRuntime {
 public:
  std::string missing() const override;
  std::string description() const override;

  void* allocate(size_t bytes) override {
    stream();  // chooses the GPU
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      throw std::bad_alloc();
    }
    check_cuda(error, "cudaMalloc");
    return memory;
  }
  // Comes from destructors. What fails here has failed before, inside a kernel, and is told by whatever waits for that.
  void release(void* memory, size_t) override {
    if (cudaFree(memory) != cudaSuccess) (void)cudaGetLastError();
  }

  void copy(void* to, const void* from, size_t bytes) override {
    refuse_while_recording("a copy to or from the host");
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream()), "copying");
    check_cuda(cudaStreamSynchronize(stream()), "copying");
  }

  void upload(void* to, const void* from, size_t bytes) override {
    refuse_while_recording("an upload");
    Staging& buffer = staging_[next_staging_++ % staging_count];
    buffer.reserve(bytes);
    std::memcpy(buffer.memory, from, bytes);
    check_cuda(cudaMemcpyAsync(to, buffer.memory, bytes, cudaMemcpyDefault, stream()), "uploading");
    check_cuda(cudaEventRecord(buffer.copied, stream()), "uploading");
  }

  void synchronize() override {
    refuse_while_recording("a wait");
    check_cuda(cudaStreamSynchronize(stream()), "synchronising");
  }

  // Relaxed: a recording may make memory and load a kernel that was not used before. Nothing of that is usually left to
  // do, since a step is run once before it is recorded.
  void begin_recording() override {
    random_offset();  // these clear memory at their first call, which would be recorded
    tickets();
    check_cuda(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "recording");
    recording_ = true;
  }
  std::unique_ptr<Graph> end_recording() override {
    cudaGraph_t graph{};
    recording_ = false;
    check_cuda(cudaStreamEndCapture(stream(), &graph), "recording");
    return std::make_unique<RecordedGraph>(graph);
  }
  CollectiveKey collective_key() override { return gpu_words::collective_key(); }
  std::unique_ptr<Collective> join(const CollectiveKey& key, int rank, int count) override {
    return join_collective(key, rank, count);
  }
  size_t own_bytes() const override { return lasting_bytes; }
  void set_random_offset(uint64_t blocks) override {
    launch<set_kernel>({dim3(1), dim3(1)}, blocks, const_cast<uint64_t*>(random_offset()));
  }

 private:
  // Pinned host memory on its way to the device. A few in turn: the next batch is staged while one is copied.
  struct Staging {
    void* memory = nullptr;
    size_t bytes = 0;
    cudaEvent_t copied{};

    void reserve(size_t wanted) {  // waits until the last copy out of it is done
      if (copied) {
        check_cuda(cudaEventSynchronize(copied), "waiting for an upload");
      } else {
        check_cuda(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming), "creating an event");
      }
      if (wanted <= bytes) return;
      check_cuda(cudaFreeHost(memory), "cudaFreeHost");
      memory = nullptr;
      bytes = 0;
      check_cuda(cudaMallocHost(&memory, wanted), "cudaMallocHost");
      bytes = wanted;
    }
  };
  static constexpr size_t staging_count = 4;

  void refuse_while_recording(const char* what) const {
    if (recording_) throw DeviceError(std::string(what) + " inside a recorded graph: it cannot be replayed");
  }

  Staging staging_[staging_count];
  size_t next_staging_ = 0;
  bool recording_ = false;
};

#ifdef __CUDACC__
std::string GpuRuntime::missing() const {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorString(error);
  return count > 0 ? "" : "no CUDA device";
}
std::string GpuRuntime::description() const {
  cudaDeviceProp p{};
  check_cuda(cudaGetDeviceProperties(&p, chosen_card()), "asking for the device's properties");
  return std::string(p.name) + ", " + std::to_string(p.totalGlobalMem >> 30) + " GiB, compute capability " +
         std::to_string(p.major) + "." + std::to_string(p.minor);
}
#else
std::string GpuRuntime::missing() const { return ""; }
std::string GpuRuntime::description() const { return "the CUDA kernels, executed and checked on the CPU"; }
#endif

}  // namespace

DeviceRuntime& gpu_runtime() {
  static DeviceRuntime& one = *new GpuRuntime;
  return one;
}

}  // namespace forger::kernels
