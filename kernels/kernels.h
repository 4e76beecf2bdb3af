// The contract between the engine and its backends: plain functions on raw pointers plus small geometry structs.
//
// Every function is listed once, in kernels/contract.h, and declared from that list for each backend:
// `Cpu<float>::conv2d`, `Cuda<float>::conv2d`, `Simt<float>::conv2d`, and the same in double. A backend defines each of
// them and instantiates it with FORGER_KERNEL(Cpu, conv2d); one that it lacks is a link error, not a run-time surprise.
// GPUs also keep activations as bfloat16: what a training step spends its bytes on is instantiated for that too, with
// FORGER_KERNEL_BF16, and its `Wide` numbers (weights, statistics, sums) are floats then.
// Kernels never see a Tensor and never check shapes: the op that calls them has done so.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "kernels/bfloat16.h"

namespace forger {

enum class Device : uint8_t {
  cpu,
  cuda,  // an NVIDIA GPU
  simt,  // the CUDA kernels, executed on the CPU: slow and exact
};
const char* name_of(Device device);  // "cpu", "cuda", "simt"

// A device failed: no such device, an error of the CUDA runtime, or a fault that `simt` found in a kernel.
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace kernels {

constexpr int max_rank = 6;

// ---- geometry -------------------------------------------------------------------------------------------------------

// y[i0..] = f(a[i0*a_stride0 + ...], b[...]): `sizes` are the output's, a stride of 0 repeats an operand along an axis.
struct Broadcast {
  int rank = 0;
  int64_t sizes[max_rank] = {};
  int64_t a_strides[max_rank] = {};
  int64_t b_strides[max_rank] = {};
};

// dst[dst_offset + sum i_k*dst_strides[k]] = src[src_offset + sum i_k*src_strides[k]], strides in elements, may be 0 on
// src.
struct StridedCopy {
  int rank = 0;
  int64_t sizes[max_rank] = {};
  int64_t src_strides[max_rank] = {}, src_offset = 0;
  int64_t dst_strides[max_rank] = {}, dst_offset = 0;
};

// Reduction of a contiguous tensor over some of its axes. Adjacent axes of the same kind are merged by the caller, so
// kept and reduced axes alternate: e.g. {rows reduced, channels kept}.
struct ReduceShape {
  int rank = 0;
  int64_t sizes[max_rank] = {};
  bool reduced[max_rank] = {};
};

// c (batch, m, n) = op(a) op(b), row-major; op(a) is (m, k), stored (k, m) when trans_a. A batch stride of 0 repeats.
struct MatmulShape {
  int64_t batch = 1, m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false;
  int64_t a_batch_stride = 0, b_batch_stride = 0;  // elements
};

// The geometry of a whole convolution triangle, NHWC. "Image" is the larger, strided-over side (input of conv2d, output
// of conv_transpose2d), "map" is the smaller one. Both sizes are kept: with stride 2 neither determines the other.
//   image (n, h, w, c)   map (n, oh, ow, oc)   weight (oc, kh, kw, c)
//   oh = (h + 2*pad_h - kh) / stride_h + 1, rounded down: `leftover` image rows may belong to no window.
struct ConvShape {
  int64_t n = 0, h = 0, w = 0, c = 0;
  int64_t oh = 0, ow = 0, oc = 0;
  int64_t kh = 0, kw = 0;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;
  double flops() const {  // multiply-adds counted as two, padding included
    return 2.0 * static_cast<double>(n * oh * ow * oc * kh) * static_cast<double>(kw * c);
  }
};

// Pooling windows over an image (n, h, w, c) -> (n, oh, ow, c); padding cells never count, neither as maxima nor in
// means.
struct PoolShape {
  int64_t n = 0, h = 0, w = 0, c = 0, oh = 0, ow = 0;
  int64_t kh = 0, kw = 0, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
};

// Statistics per (group, channel) over rows: x (groups, rows, channels). Batch norm has groups = 1, rows = N*H*W;
// instance norm has groups = N, rows = H*W. gamma and beta are (channels).
struct NormShape {
  int64_t groups = 1, rows = 0, channels = 0;
};

// Running averages of statistics (channels), in place: r = (1 - momentum)*r + momentum*statistic, the variance taken
// unbiased: variance * rows/(rows - 1). Null where none are kept.
template <class T>
struct Running {
  T *mean = nullptr, *variance = nullptr;
  T momentum = 0;
};

// ---- enumerations ---------------------------------------------------------------------------------------------------

enum class Unary : uint8_t {  // y = f(x); p and q are the op's scalars
  affine,                     // p*x + q
  exp,
  log,
  sqrt,
  reciprocal,
  abs,
  sign,   // -1, 0, 1
  pow,    // x^p
  clamp,  // min(max(x, p), q)
  tanh,
  sigmoid,
  softplus,  // log(1 + e^x), stable at both ends
  relu,
  leaky_relu,  // x > 0 ? x : p*x
  elu,         // x > 0 ? x : p*(e^x - 1)
  sin,
  cos,
  positive,  // x > 0 ? 1 : 0
  inside,    // p <= x && x <= q ? 1 : 0   (gradient mask of clamp)
};

enum class Binary : uint8_t {  // y = f(a, b); p is the op's scalar
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  greater,          // a > b ? 1 : 0
  equal,            // a == b ? 1 : 0
  tanh_grad,        // a * (1 - b*b), b = tanh(x)
  sigmoid_grad,     // a * b * (1 - b), b = sigmoid(x)
  leaky_relu_grad,  // b > 0 ? a : p*a     (relu: p = 0)
  elu_grad,         // b > 0 ? a : a*p*e^b
};

enum class Reduce : uint8_t { sum, max, min };

enum class Activation : uint8_t { none, relu, leaky_relu };  // fused behind a norm or a convolution; leaky_relu: slope

enum class Resize : uint8_t { nearest, bilinear };  // bilinear: half-pixel centres, no antialias, edges clamped

enum class Curve : uint8_t {  // f(u) of a loss
  linear,                     // u
  square,                     // u^2
  hinge,                      // max(0, u)
  softplus,                   // log(1 + e^u)
};

// factor * f(scale*x + shift): what nearly every objective makes of a number.
struct Loss {
  Curve curve = Curve::linear;
  double scale = 1, shift = 0, factor = 1;
};

// ---- multi-tensor updates: one call for a whole list of parameters --------------------------------------------------

template <class T>
struct AdamSlice {
  T* param;
  const T* grad;
  T* m;  // first moment
  T* v;  // second moment
  int64_t n;
  double* step;  // updates so far, as many in all slices of a list; counted on. t of the bias corrections is one more
};

struct AdamSettings {  // Kingma and Ba 2015, algorithm 1; weight_decay is decoupled (AdamW) and 0 for plain Adam
  double lr = 2e-4, beta1 = 0.5, beta2 = 0.999, eps = 1e-8, weight_decay = 0;  // lr: at the start; kernels are given it
};

template <class T>
struct RmsPropSlice {
  T* param;
  const T* grad;
  T* v;
  int64_t n;
};

template <class T>
struct SgdSlice {
  T* param;
  const T* grad;
  T* velocity;  // null when momentum is 0
  int64_t n;
};

template <class T>
struct LerpSlice {  // dst += weight * (src - dst)
  T* dst;
  const T* src;
  int64_t n;
};

template <class T>
struct SumSlice {  // sum += x
  T* sum;
  const T* x;
  int64_t n;
};

template <class T>
struct NormSlice {
  const T* x;
  int64_t n;
};

template <class T>
struct ClipSlice {
  T* x;
  int64_t n;
};

// ---- backends -------------------------------------------------------------------------------------------------------

template <class T>
struct Cpu {
  using Scalar = T;
  using Wide = forger::Wide<T>;
#include "kernels/contract.h"
};

template <class T>
struct Cuda {
  using Scalar = T;
  using Wide = forger::Wide<T>;
#include "kernels/contract.h"
};

template <class T>
struct Simt {
  using Scalar = T;
  using Wide = forger::Wide<T>;
#include "kernels/contract.h"
};

// Launches that were recorded once and can be queued again with one call: a CUDA graph.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};

// Sums over several processes that have a device each (NCCL). All of them call the same functions in the same order.
class Collective {
 public:
  virtual ~Collective() = default;
  // Queued: n numbers of device memory become the sums of all processes' ones. Begins when what was queued on the device
  // before has ended, and goes on beside what is queued after it.
  virtual void sum(float* values, int64_t n) = 0;
  virtual void sum(double* values, int64_t n) = 0;
  virtual void wait() = 0;  // what is queued on the device from here on comes after all sums
};
using CollectiveKey = std::array<char, 128>;  // by which processes find each other

// What a device does besides computing. Work is queued in order; only the calls that say so wait for it.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;
  virtual std::string missing() const = 0;      // why this machine has none, in one line; empty when it has
  virtual std::string description() const = 0;  // "NVIDIA H100, 80 GB, compute capability 9.0"
  virtual void* allocate(size_t bytes) = 0;     // 64-byte aligned at least; throws std::bad_alloc
  virtual void release(void* memory, size_t bytes) = 0;
  // Either side may be host memory. Waits: when this returns, the copy is done.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  // From host to device, in order with other work, without waiting for it; `from` may be reused when this returns.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void synchronize() = 0;  // waits for all queued work; throws what went wrong in it
  // Recording: what is queued between the two calls is not run but written down. Waiting, uploading and copying in
  // between are errors. DeviceError on the CPU.
  virtual void begin_recording() = 0;
  virtual std::unique_ptr<Graph> end_recording() = 0;
  // Random kernels draw from counter block + offset: a recorded step draws new numbers at each replay. 0 at first.
  virtual void set_random_offset(uint64_t blocks) = 0;

  // One process makes the key, by which all join: this one as number `rank` of `count`. DeviceError on the CPU, and where
  // there is no NCCL.
  virtual CollectiveKey collective_key();
  virtual std::unique_ptr<Collective> join(const CollectiveKey& key, int rank, int count);

  // Device memory that the runtime itself holds for good, beside what was allocated: intermediate results, workspaces.
  virtual size_t own_bytes() const { return 0; }
  // Called when the runtime itself is short of memory, before it fails: whoever keeps memory that nobody uses sets it,
  // and releases that.
  std::function<void()> reclaim;
};
DeviceRuntime& runtime(Device device);  // DeviceError when the device is not part of this build
// Which of a host's GPUs `cuda` means in this process: the first one until it is said, which must be before it is used.
void choose_card(int index);
int chosen_card();
std::string unavailable(Device device);  // why it cannot be used, by this build or this machine; empty when it can

// Threads the CPU backend uses: available_threads() until they are set. Results are bit-identical for a given count.
void set_threads(int count);
int threads();

// What this process may use of the machine, at least 1: the first number of the environment variable OMP_NUM_THREADS
// where it holds one; else the cores that it may run on, or its container's share of their time, rounded up, if that is
// less. Looked up anew by each call.
int available_threads();

// How GPUs multiply floats, in convolutions and matrix products: fp32 (at first), or tf32 on tensor cores, which round
// the factors to 10 fraction bits and sum in fp32. GPUs older than compute capability 8.0 stay with fp32. bf16: what
// convolutions and linear layers read and write is kept as bfloat16, and so is all that follows elementwise or by a norm;
// weights, statistics, sums, losses and optimisers stay in fp32, and other products are as with tf32. From compute
// capability 8.0 on.
enum class MathMode : uint8_t { fp32, tf32, bf16 };
const char* name_of(MathMode mode);  // "fp32", "tf32", "bf16"
void set_math_mode(MathMode mode);
MathMode math_mode();

// How the CPU convolves: by the cheaper of two algorithms, estimated from the shape (cpu/winograd.cpp), by direct
// products only, or by Winograd's wherever it applies. They differ in the last bits.
enum class ConvMethod : uint8_t { automatic, direct, winograd };
void set_conv_method(ConvMethod method);
ConvMethod conv_method();

// What the running processor offers and the CPU backend uses: "avx512", "avx2" or "portable". The environment variable
// FORGER_SIMD lowers it (never raises it); read once.
const char* simd_level();

}  // namespace kernels
}  // namespace forger

// Instantiates one function of the contract for both scalar types, in the file that defines it.
#define FORGER_KERNEL(Backend, function)                                \
  template decltype(Backend<float>::function) Backend<float>::function; \
  template decltype(Backend<double>::function) Backend<double>::function
#define FORGER_KERNEL_BF16(Backend, function) template decltype(Backend<bfloat16>::function) Backend<bfloat16>::function
