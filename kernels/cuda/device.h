// The device-specific words that the .cu files of this folder share. Every file here is compiled twice: by nvcc, into
// the backend `Cuda`, and by the host compiler over kernels/simt, into the backend `Simt`. `Gpu` is the one being made.
#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>
#define Gpu Cuda
#define gpu_words cuda_words
#define gpu_runtime cuda_runtime
#else
#include "kernels/simt/cuda.h"
#define Gpu Simt
#define gpu_words simt_words
#define gpu_runtime simt_runtime
#endif

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kernels/kernels.h"

// What is below exists once per backend, under two names that the linker can tell apart.
namespace forger::kernels {
inline namespace gpu_words {

constexpr unsigned full_mask = 0xffffffffu;

template <class T>
__host__ __device__ constexpr T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

// ---- host side ----

// Throws DeviceError "what: CUDA's words" when `error` is not success. Kernels run later than they are launched: an
// error inside one comes out of whatever waits for it, and the message then says how to find the kernel.
void check_cuda(cudaError_t error, std::string_view what);
cudaStream_t stream();  // the one stream that all work of the process is queued on

CollectiveKey collective_key();
std::unique_ptr<Collective> join_collective(const CollectiveKey& key, int rank, int count);

const uint64_t* random_offset();  // device memory: added to the counter block of every draw

// Device memory for the life of the process. DeviceError when there is none left, even of what others keep unused.
void* lasting_memory(size_t bytes, std::string_view what);

// Working memory of a contract function, 256-byte aligned, contents undefined, valid until the next function's call. It
// grows on demand, at a step's first run. What it has outgrown stays where it is, so a recorded graph may go on using
// the buffer that it saw: all work is in one stream, hence no two functions use a buffer at once.
void* scratch(size_t bytes);
int multiprocessors();  // of the device; a plain number on simt

// Counters in device memory for last_block(); 0 between launches, of which no two run at once, being in one stream.
constexpr int ticket_count = 1024;
unsigned* tickets();

// What a launcher passes: blocks, threads per block, bytes of dynamic shared memory; for those who count, operations.
struct Grid {
  dim3 blocks, threads;
  size_t shared_bytes = 0;
  double operations = 0;  // multiply-adds of matrix products, each two; of everything else 0
};

// One thread per item; `threads` per block.
inline Grid over(int64_t items, unsigned threads = 256) {
  return {dim3(static_cast<unsigned>(ceil_div<int64_t>(items, threads))), dim3(threads)};
}

// The kernel's name out of the compiler's spelling of launch<kernel>: for error reports.
inline std::string_view kernel_name(std::string_view pretty) {
  const size_t begin = pretty.find("Kernel = ");
  if (begin == std::string_view::npos) return pretty;
  pretty.remove_prefix(begin + 9);
  pretty = pretty.substr(0, pretty.find_first_of(";]"));
  const size_t scope = pretty.substr(0, pretty.find_first_of("<(")).rfind("::");
  return scope == std::string_view::npos ? pretty : pretty.substr(scope + 2);
}

// Queues one run of a kernel: launch<kernel<T>>(grid, arguments...). A launch over nothing is left out.
#ifdef __CUDACC__
template <auto Kernel, class... Arguments>
void launch(const Grid& grid, Arguments... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  static size_t granted = 48 * 1024;  // of shared memory, by every architecture unasked
  if (grid.shared_bytes > granted) {
    check_cuda(
        cudaFuncSetAttribute(Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(grid.shared_bytes)),
        kernel_name(__PRETTY_FUNCTION__));
    granted = grid.shared_bytes;
  }
  Kernel<<<grid.blocks, grid.threads, grid.shared_bytes, stream()>>>(arguments...);
  check_cuda(cudaGetLastError(), kernel_name(__PRETTY_FUNCTION__));
}
#else
template <auto Kernel, class... Arguments>
__attribute__((no_sanitize("thread"))) void launch(const Grid& grid, Arguments... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  const simt::Launch what{kernel_name(__PRETTY_FUNCTION__),
                          {grid.blocks.x, grid.blocks.y, grid.blocks.z},
                          {grid.threads.x, grid.threads.y, grid.threads.z},
                          grid.shared_bytes,
                          grid.operations};
  stream()->submit([ what, arguments... ]() __attribute__((no_sanitize("thread"))) {
    auto thread = [&]() __attribute__((no_sanitize("thread"))) { Kernel(arguments...); };
    simt::run(
        what, [](void* it) __attribute__((no_sanitize("thread"))) { (*static_cast<decltype(thread)*>(it))(); },
        &thread);
  });
}
#endif

// ---- device side ----

// This launch's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#else
  return static_cast<T*>(simt::dynamic_shared());
#endif
}

__device__ __forceinline__ int64_t global_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t thread_count() { return int64_t{gridDim.x} * blockDim.x; }

// Two numbers as bfloat16, the first in the lower half.
__device__ __forceinline__ uint32_t bfloat16_pair(float low, float high) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return bfloat16::rounded(low) | uint32_t{bfloat16::rounded(high)} << 16;
#endif
}

// Vectors of 16 bytes: one load instruction for 8 bfloat16, 4 floats or 2 doubles.
template <class T>
struct Pack {
  static constexpr int size = 16 / sizeof(T);
  T v[size];
};
template <class T>
__device__ __forceinline__ Pack<T> load_pack(const T* p) {  // p 16-byte aligned
  Pack<T> pack;
  if constexpr (sizeof(T) == 2) {
    const uint4 words = *reinterpret_cast<const uint4*>(p);
    const unsigned pairs[] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < 8; i++) pack.v[i].bits = static_cast<uint16_t>(pairs[i / 2] >> i % 2 * 16);
  } else if constexpr (sizeof(T) == 4) {
    const float4 words = *reinterpret_cast<const float4*>(p);
    pack.v[0] = words.x, pack.v[1] = words.y, pack.v[2] = words.z, pack.v[3] = words.w;
  } else {
    const double2 words = *reinterpret_cast<const double2*>(p);
    pack.v[0] = words.x, pack.v[1] = words.y;
  }
  return pack;
}
template <class T>
__device__ __forceinline__ void store_pack(T* p, const Pack<T>& pack) {  // p 16-byte aligned
  if constexpr (sizeof(T) == 2) {
    const auto pair = [&](int i) { return pack.v[i].bits | unsigned{pack.v[i + 1].bits} << 16; };
    *reinterpret_cast<uint4*>(p) = make_uint4(pair(0), pair(2), pair(4), pair(6));
  } else if constexpr (sizeof(T) == 4) {
    *reinterpret_cast<float4*>(p) = make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3]);
  } else {
    *reinterpret_cast<double2*>(p) = make_double2(pack.v[0], pack.v[1]);
  }
}
// Count numbers, as what a kernel computes in; one by one, or by vectors of up to 16 bytes, to which p is then aligned.
template <int Count, class T>
__device__ __forceinline__ void load(const T* p, Wide<T> (&v)[Count]) {
  if constexpr (Count == 1) {
    v[0] = *p;
  } else if constexpr (Count * sizeof(T) == 8) {
    static_assert(sizeof(T) == 2);
    const uint2 words = *reinterpret_cast<const uint2*>(p);
#pragma unroll
    for (int i = 0; i < Count; i++) v[i] = __uint_as_float((i < 2 ? words.x : words.y) >> i % 2 * 16 << 16);
  } else {
#pragma unroll
    for (int i = 0; i < Count; i += Pack<T>::size) {
      const Pack<T> pack = load_pack(p + i);
#pragma unroll
      for (int j = 0; j < Pack<T>::size; j++) v[i + j] = pack.v[j];
    }
  }
}
template <int Count, class T>
__device__ __forceinline__ void store(T* p, const Wide<T> (&v)[Count]) {
  if constexpr (Count == 1) {
    *p = T(v[0]);
  } else if constexpr (Count * sizeof(T) == 4) {
    static_assert(sizeof(T) == 2);
    using Words __attribute__((may_alias)) = uint32_t;
    *reinterpret_cast<Words*>(p) = bfloat16_pair(v[0], v[1]);
  } else if constexpr (Count * sizeof(T) == 8) {
    static_assert(sizeof(T) == 2);
    *reinterpret_cast<uint2*>(p) = make_uint2(bfloat16_pair(v[0], v[1]), bfloat16_pair(v[2], v[3]));
  } else {
#pragma unroll
    for (int i = 0; i < Count; i += Pack<T>::size) {
      Pack<T> pack;
#pragma unroll
      for (int j = 0; j < Pack<T>::size; j++) pack.v[j] = T(v[i + j]);
      store_pack(p + i, pack);
    }
  }
}
// Host: whether pointers and a length allow packs throughout.
template <class... P>
bool packable(int64_t n, const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...) && ((n % (16 / int64_t{sizeof(P)}) == 0) && ...);
}

// Combines a value over the warp; every lane gets the result. All 32 lanes must call. The order is fixed.
template <class T, class F>
__device__ __forceinline__ T warp_reduce(T x, F combine) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = combine(x, __shfl_xor_sync(full_mask, x, offset));
  return x;
}

// Combines a value over the block, of Threads threads in x (a multiple of 32); every thread gets the result. Has
// barriers before it returns and none before it begins.
template <int Threads, class T, class F>
__device__ __forceinline__ T block_reduce(T x, F combine) {
  static_assert(Threads % 32 == 0 && Threads <= 1024);
  constexpr int warps = Threads / 32;
  __shared__ T partial[warps];
  x = warp_reduce(x, combine);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  T result = partial[0];
#pragma unroll
  for (int i = 1; i < warps; i++) result = combine(result, partial[i]);
  __syncthreads();  // `partial` may be written again by the next call
  return result;
}

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

// Whether this block is the last of `blocks` to come here with this ticket; it then sees what the others wrote before.
// All threads of a one-dimensional block call it together, each ticket is drawn once per launch and is 0 afterwards.
//
// Why one thread's fence is enough: the barrier orders the block's writes before it, and order is cumulative in PTX's
// memory model, so what the fence and the counter publish is all of the block's. On the reading side likewise, as long
// as the others' results are read by ordinary loads: a `const __restrict__` pointer to them would allow the compiler
// the read-only path, which no fence orders, and a kernel that had read them before might find them in its L1 cache.
__device__ __forceinline__ bool last_block(unsigned* ticket, unsigned blocks) {
  __shared__ unsigned last;
  __syncthreads();
  if (blocks == 1) return true;
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) *ticket = 0;
    __threadfence();
  }
  __syncthreads();
  return last != 0;
}

// ---- asynchronous copies from global to shared memory (sm_80; plain copies before it) ----

// Copies Bytes (4, 8 or 16, both ends aligned to it), or writes zeros when !valid: `global` is then not read, by a copy
// of size 0, and may be null.
template <int Bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid = true) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
#if !defined(__CUDACC__)
  simt::copy_async(shared, valid ? global : nullptr, Bytes, simt::Where::current());
#elif __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int read = valid ? Bytes : 0;  // the rest is filled with zeros
  if constexpr (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(global), "r"(read));
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(address), "l"(global), "n"(Bytes), "r"(read));
  }
#else
  using Word = std::conditional_t<Bytes == 4, float, std::conditional_t<Bytes == 8, float2, float4>>;
  *static_cast<Word*>(shared) = valid ? *static_cast<const Word*>(global) : Word{};
#endif
}
__device__ __forceinline__ void cp_async_commit() {
#if !defined(__CUDACC__)
  simt::commit_async();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}
// Waits until at most Pending of this thread's newest groups are under way.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
#if !defined(__CUDACC__)
  simt::wait_async(Pending);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
#endif
}

// ---- tensor cores: d += a b on one warp, TF32 or bfloat16 inputs, FP32 sums (sm_80) ----

// Rounds to the 10 fraction bits that TF32 keeps, to nearest, ties away from zero.
__device__ __forceinline__ uint32_t to_tf32(float x) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(r) : "f"(x));
  return r;
#else
  const uint32_t bits = __float_as_uint(x);
  const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
  return finite ? (bits + 0x1000u) & 0xffffe000u : bits;
#endif
}

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32. Fragments by the PTX ISA, with g = lane/4, t = lane%4:
//   a (16, 8): a0 (g, t)  a1 (g+8, t)  a2 (g, t+4)  a3 (g+8, t+4)
//   b (8, 8):  b0 (t, g)  b1 (t+4, g)
//   d (16, 8): d0 (g, 2t) d1 (g, 2t+1) d2 (g+8, 2t) d3 (g+8, 2t+1)
__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if !defined(__CUDACC__)
  simt::mma_m16n8k8_tf32(d, a, b);
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)d, (void)a, (void)b;  // launched on sm_80 and later only
#endif
}

// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32. A register holds two numbers that are neighbours along the depth:
//   a (16, 16): a0 (g, 2t)  a1 (g+8, 2t)  a2 (g, 2t+8)  a3 (g+8, 2t+8)
//   b (16, 8):  b0 (2t, g)  b1 (2t+8, g)
//   d (16, 8):  as above
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if !defined(__CUDACC__)
  simt::mma_m16n8k16_bf16(d, a, b);
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)d, (void)a, (void)b;  // launched on sm_80 and later only
#endif
}

// ldmatrix.sync.aligned.m8n8.x4: four matrices of 8x8 bfloat16 out of shared memory, row r of matrix m being the 16 bytes
// at the address that lane 8m + r gives. Of each a lane gets (g, 2t) and (g, 2t+1); Transposed: (2t, g) and (2t+1, g).
template <bool Transposed>
__device__ __forceinline__ void load_matrices(const bfloat16* row, uint32_t (&matrices)[4]) {
#if !defined(__CUDACC__)
  simt::load_matrices(row, Transposed, matrices);
#else
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(address)
                 : "memory");
  }
#endif
}

}  // namespace gpu_words
}  // namespace forger::kernels
