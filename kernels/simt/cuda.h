// CUDA C++ for the host compiler: the language's words, vector types, built-in functions and the part of the runtime
// API that the backend calls, with the meaning that the CUDA programming guide gives them. kernels/cuda/device.h
// includes this in place of NVIDIA's headers; nothing else does.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/simt/runtime.h"

// ---- language ----

#define __global__ __attribute__((noipa))  // its loads stay in it: launch(), which calls it, is not watched
#define __device__
#define __host__
#define __constant__ const
#define __shared__ static  // one block at a time on one host thread: static storage is a block's shared memory
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (::forger::simt::thread_index())
#define blockIdx (::forger::simt::block_index())
#define blockDim (::forger::simt::block_dim())
#define gridDim (::forger::simt::grid_dim())
constexpr int warpSize = 32;

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// ---- vector types: one access each, which the hardware wants aligned to its size ----

namespace forger::simt {
inline void require_aligned(const void* address, size_t size) {
  if (reinterpret_cast<uintptr_t>(address) % size != 0) fault_misaligned(address, size);
}
// As one number of the compiler's, so that it is watched as one.
template <class Vector>
__attribute__((always_inline)) inline void copy_vector(Vector* to, const Vector* from) {
  using Whole __attribute__((vector_size(sizeof(Vector)), may_alias)) = float;
  require_aligned(to, sizeof(Vector));
  require_aligned(from, sizeof(Vector));
  *reinterpret_cast<Whole*>(to) = *reinterpret_cast<const Whole*>(from);
}
}  // namespace forger::simt

#define FORGER_VECTOR_COPIES(Name)             \
  Name() = default;                            \
  Name(const Name& other) { *this = other; }   \
  Name& operator=(const Name& other) {         \
    ::forger::simt::copy_vector(this, &other); \
    return *this;                              \
  }
#define FORGER_VECTOR2(Name, T)                  \
  struct alignas(2 * sizeof(T)) Name {           \
    T x, y;                                      \
    constexpr Name(T x_, T y_) : x(x_), y(y_) {} \
    FORGER_VECTOR_COPIES(Name)                   \
  };                                             \
  inline Name make_##Name(T x, T y) { return {x, y}; }
#define FORGER_VECTOR4(Name, T)                                            \
  struct alignas(4 * sizeof(T)) Name {                                     \
    T x, y, z, w;                                                          \
    constexpr Name(T x_, T y_, T z_, T w_) : x(x_), y(y_), z(z_), w(w_) {} \
    FORGER_VECTOR_COPIES(Name)                                             \
  };                                                                       \
  inline Name make_##Name(T x, T y, T z, T w) { return {x, y, z, w}; }

FORGER_VECTOR2(float2, float)
FORGER_VECTOR4(float4, float)
FORGER_VECTOR2(double2, double)
FORGER_VECTOR2(uint2, unsigned)
FORGER_VECTOR4(uint4, unsigned)
FORGER_VECTOR4(int4, int)
#undef FORGER_VECTOR_COPIES
#undef FORGER_VECTOR2
#undef FORGER_VECTOR4

// ---- barriers, votes, shuffles ----

inline void __syncthreads(forger::simt::Where where = forger::simt::Where::current()) {
  forger::simt::block_barrier(forger::simt::Vote::none, 0, where);
}
inline int __syncthreads_count(int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::block_barrier(forger::simt::Vote::count, p, where);
}
inline int __syncthreads_and(int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::block_barrier(forger::simt::Vote::all, p, where);
}
inline int __syncthreads_or(int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::block_barrier(forger::simt::Vote::any, p, where);
}
inline void __syncwarp(unsigned mask = ~0u, forger::simt::Where where = forger::simt::Where::current()) {
  forger::simt::warp_barrier(mask, where);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace forger::simt {

template <class T>
struct Exchange {
  T value;
  int source;  // the lane to read from
  T result;
};

template <class T>
T shuffle(const char* name, unsigned mask, T value, int source, Where where) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  Exchange<T> mine{value, source, value};
  warp_operation(
      name, mask, &mine,
      [](void* const(&lanes)[32]) {
        for (void* lane : lanes) {
          if (!lane) continue;
          auto& to = *static_cast<Exchange<T>*>(lane);
          const auto* from = static_cast<const Exchange<T>*>(lanes[to.source]);
          if (!from) fault("shuffle from lane " + std::to_string(to.source) + ", which takes no part");
          to.result = from->value;
        }
      },
      where);
  return mine.result;
}

inline int lane_of_thread() {
  const Index3 t = thread_index(), d = block_dim();
  return static_cast<int>((t.x + d.x * (t.y + d.y * t.z)) % 32);
}

struct Ballot {
  bool predicate;
  unsigned result;
};
inline unsigned ballot(const char* name, unsigned mask, bool predicate, Where where) {
  Ballot mine{predicate, 0};
  warp_operation(
      name, mask, &mine,
      [](void* const(&lanes)[32]) {
        unsigned votes = 0;
        for (int i = 0; i < 32; i++)
          if (lanes[i] && static_cast<const Ballot*>(lanes[i])->predicate) votes |= 1u << i;
        for (void* lane : lanes)
          if (lane) static_cast<Ballot*>(lane)->result = votes;
      },
      where);
  return mine.result;
}

struct Fragments {
  float* d;
  const uint32_t *a, *b;
};
// The tensor cores' product by the PTX layout (kernels/cuda/device.h); inputs lose the 13 bits that TF32 has not.
inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                             Where where = Where::current()) {
  Fragments mine{d, a, b};
  warp_operation(
      "mma.sync", ~0u, &mine,
      [](void* const(&lanes)[32]) {
        float a16x8[16][8], b8x8[8][8];
        const auto tf32 = [](uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); };
        for (int lane = 0; lane < 32; lane++) {
          if (!lanes[lane]) fault("mma.sync without lane " + std::to_string(lane));
          const auto& f = *static_cast<const Fragments*>(lanes[lane]);
          const int g = lane / 4, t = lane % 4;
          for (int i = 0; i < 4; i++) a16x8[g + 8 * (i % 2)][t + 4 * (i / 2)] = tf32(f.a[i]);
          for (int i = 0; i < 2; i++) b8x8[t + 4 * i][g] = tf32(f.b[i]);
        }
        for (int lane = 0; lane < 32; lane++) {
          float* out = static_cast<const Fragments*>(lanes[lane])->d;
          for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            float sum = out[i];
            for (int k = 0; k < 8; k++) sum += a16x8[row][k] * b8x8[k][column];
            out[i] = sum;
          }
        }
      },
      where);
}

inline float bfloat16_of(uint32_t pair, int which) {
  return std::bit_cast<float>(which ? pair & 0xffff0000u : pair << 16);
}
inline void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                              Where where = Where::current()) {
  Fragments mine{d, a, b};
  warp_operation(
      "mma.sync", ~0u, &mine,
      [](void* const(&lanes)[32]) {
        float a16x16[16][16], b16x8[16][8];
        for (int lane = 0; lane < 32; lane++) {
          if (!lanes[lane]) fault("mma.sync without lane " + std::to_string(lane));
          const auto& f = *static_cast<const Fragments*>(lanes[lane]);
          const int g = lane / 4, t = lane % 4;
          for (int which = 0; which < 2; which++) {
            for (int i = 0; i < 4; i++)
              a16x16[g + 8 * (i % 2)][2 * t + which + 8 * (i / 2)] = bfloat16_of(f.a[i], which);
            for (int i = 0; i < 2; i++) b16x8[2 * t + which + 8 * i][g] = bfloat16_of(f.b[i], which);
          }
        }
        for (int lane = 0; lane < 32; lane++) {
          float* out = static_cast<const Fragments*>(lanes[lane])->d;
          for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            float sum = out[i];
            for (int k = 0; k < 16; k++) sum += a16x16[row][k] * b16x8[k][column];
            out[i] = sum;
          }
        }
      },
      where);
}

struct MatrixLoad {
  uint32_t row[4];  // the line that this lane names
  bool transposed;
  uint32_t* matrices;
};
// ldmatrix, of four matrices. Each lane reads the line that it names, so that the reads are watched as they are made.
inline void load_matrices(const void* row, bool transposed, uint32_t (&matrices)[4], Where where = Where::current()) {
  MatrixLoad mine{{}, transposed, matrices};
  const uint4 words = *static_cast<const uint4*>(row);
  mine.row[0] = words.x, mine.row[1] = words.y, mine.row[2] = words.z, mine.row[3] = words.w;
  warp_operation(
      "ldmatrix", ~0u, &mine,
      [](void* const(&lanes)[32]) {
        const auto of = [&](int lane) -> const MatrixLoad& { return *static_cast<const MatrixLoad*>(lanes[lane]); };
        for (int lane = 0; lane < 32; lane++)
          if (!lanes[lane]) fault("ldmatrix without lane " + std::to_string(lane));
        const auto number = [&](int m, int line, int column) {
          return of(8 * m + line).row[column / 2] >> column % 2 * 16 & 0xffffu;
        };
        for (int lane = 0; lane < 32; lane++) {
          const int g = lane / 4, t = lane % 4;
          for (int m = 0; m < 4; m++)
            of(lane).matrices[m] = of(lane).transposed ? number(m, 2 * t, g) | number(m, 2 * t + 1, g) << 16
                                                       : number(m, g, 2 * t) | number(m, g, 2 * t + 1) << 16;
        }
      },
      where);
}

}  // namespace forger::simt

template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32,
              forger::simt::Where where = forger::simt::Where::current()) {
  const int lane = forger::simt::lane_of_thread(), first = lane & ~(width - 1);
  return forger::simt::shuffle("__shfl_sync", mask, v, first + (source & (width - 1)), where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32,
                  forger::simt::Where where = forger::simt::Where::current()) {
  const int lane = forger::simt::lane_of_thread(), source = lane ^ bits;
  return forger::simt::shuffle("__shfl_xor_sync", mask, v, source / width > lane / width ? lane : source, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32,
                   forger::simt::Where where = forger::simt::Where::current()) {
  const int lane = forger::simt::lane_of_thread(), source = lane + static_cast<int>(delta);
  return forger::simt::shuffle("__shfl_down_sync", mask, v, source / width == lane / width ? source : lane, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32,
                 forger::simt::Where where = forger::simt::Where::current()) {
  const int lane = forger::simt::lane_of_thread(), source = lane - static_cast<int>(delta);
  const bool inside = source >= (lane & ~(width - 1));
  return forger::simt::shuffle("__shfl_up_sync", mask, v, inside ? source : lane, where);
}
inline unsigned __ballot_sync(unsigned mask, int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::ballot("__ballot_sync", mask, p != 0, where);
}
inline int __any_sync(unsigned mask, int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::ballot("__any_sync", mask, p != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int p, forger::simt::Where where = forger::simt::Where::current()) {
  return forger::simt::ballot("__all_sync", mask, p == 0, where) == 0;
}

// ---- atomics: threads run one at a time, so a plain update is one ----

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "floating-point atomics would make sums depend on the order of threads");
  forger::simt::touch(address, sizeof(T), forger::simt::Access::atomic);
  T before;
  std::memcpy(&before, address, sizeof(T));
  const T after = before + value;
  std::memcpy(address, &after, sizeof(T));
  return before;
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  forger::simt::touch(address, sizeof(T), forger::simt::Access::atomic);
  T before;
  std::memcpy(&before, address, sizeof(T));
  std::memcpy(address, &value, sizeof(T));
  return before;
}

// ---- arithmetic ----

inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  return b < a ? b : a;
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  return a < b ? b : a;
}

// ---- the runtime API ----

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorStreamCaptureInvalidated = 901 };
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

namespace forger::simt {

struct Graph {
  std::vector<std::function<void()>> nodes;
};
// Work runs as soon as it is submitted; while capturing it is only written down.
struct Stream {
  Graph* recording = nullptr;
  void submit(std::function<void()> work) {
    if (recording) {
      recording->nodes.push_back(std::move(work));
    } else {
      work();
    }
  }
};
struct Event {};

}  // namespace forger::simt

using cudaStream_t = forger::simt::Stream*;
using cudaGraph_t = forger::simt::Graph*;
using cudaGraphExec_t = forger::simt::Graph*;
using cudaEvent_t = forger::simt::Event*;

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : error == cudaErrorMemoryAllocation ? "out of memory" : "invalid use";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1 << 16;  // one for each process that wants one
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = forger::simt::allocate(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* memory) {
  forger::simt::release(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  stream->submit([=] {
    const forger::simt::OpenMemory open;
    std::memmove(to, from, bytes);
  });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  stream->submit([=] {
    const forger::simt::OpenMemory open;
    std::memset(to, value, bytes);
  });
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new forger::simt::Stream;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return stream->recording ? cudaErrorStreamCaptureInvalidated : cudaSuccess;  // as CUDA: not while capturing
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new forger::simt::Event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned = 0) { return cudaSuccess; }
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->recording = new forger::simt::Graph;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->recording, nullptr);
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new forger::simt::Graph(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  for (const auto& node : exec->nodes) node();
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
