// The device layer: one stream for all work, memory, copies, recorded graphs. Written against the CUDA runtime API,
// which kernels/simt provides too.
#include <cstring>
#include <mutex>
#include <new>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/devices.h"

namespace forger::kernels {
inline namespace gpu_words {

void check_cuda(cudaError_t error, std::string_view what) {
  if (error == cudaSuccess) return;
  throw DeviceError("CUDA: " + std::string(what) + ": " + cudaGetErrorString(error));
}

cudaStream_t stream() {
  static const cudaStream_t one = [] {
    cudaStream_t made{};
    check_cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "creating a stream");
    return made;
  }();
  return one;
}

const uint64_t* random_offset() {
  static const uint64_t* const cell = [] {
    void* made = nullptr;
    check_cuda(cudaMalloc(&made, sizeof(uint64_t)), "allocating the random offset");
    check_cuda(cudaMemsetAsync(made, 0, sizeof(uint64_t), stream()), "clearing the random offset");
    return static_cast<const uint64_t*>(made);
  }();
  return cell;
}

}  // namespace gpu_words

namespace {

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
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();  // clears it
      throw std::bad_alloc();
    }
    check_cuda(error, "cudaMalloc");
    return memory;
  }
  void release(void* memory, size_t) override { check_cuda(cudaFree(memory), "cudaFree"); }

  // Through a pinned buffer, in pieces: a copy from pageable memory would stage it anyway, and wait.
  void copy(void* to, const void* from, size_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream()), "copying");
    check_cuda(cudaStreamSynchronize(stream()), "copying");
  }
  void synchronize() override { check_cuda(cudaStreamSynchronize(stream()), "synchronising"); }

  void begin_recording() override {
    random_offset();  // allocates at its first call, which a recording may not
    check_cuda(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "recording");
  }
  std::unique_ptr<Graph> end_recording() override {
    cudaGraph_t graph{};
    check_cuda(cudaStreamEndCapture(stream(), &graph), "recording");
    return std::make_unique<RecordedGraph>(graph);
  }
  void set_random_offset(uint64_t blocks) override {
    copy(const_cast<uint64_t*>(random_offset()), &blocks, sizeof blocks);
  }
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
  check_cuda(cudaGetDeviceProperties(&p, 0), "asking for the device's properties");
  return std::string(p.name) + ", " + std::to_string(p.totalGlobalMem >> 30) + " GiB, compute capability " +
         std::to_string(p.major) + "." + std::to_string(p.minor);
}
#else
std::string GpuRuntime::missing() const { return ""; }
std::string GpuRuntime::description() const { return "the CUDA kernels, executed and checked on the CPU"; }
#endif

GpuRuntime& gpu_runtime() {
  static GpuRuntime& one = *new GpuRuntime;
  return one;
}

}  // namespace

#ifdef __CUDACC__
DeviceRuntime& cuda_runtime() { return gpu_runtime(); }
#else
DeviceRuntime& simt_runtime() { return gpu_runtime(); }
#endif

}  // namespace forger::kernels
