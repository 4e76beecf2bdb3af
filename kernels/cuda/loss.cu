// Means of losses: formulas in cpu/loss.cpp.
//
//                    launches     bytes
//   mean_loss           1         x read
//   mean_loss_grad      1         x read, gx written
//
// x is what a discriminator says of a batch, some hundred numbers, so that launches are all that these kernels cost.
// mean_loss: threads walk over x with the grid's stride and add in double, a block's sums as a tree; the last block to
// end, known by its ticket, adds those of all blocks in a fixed order. The branches of a curve are the same for all
// threads.
#include <algorithm>
#include <cmath>

#include "kernels/cuda/device.h"

namespace forger::kernels {
namespace {

constexpr int threads_per_block = 256;

template <class T>
__device__ __forceinline__ T value(Curve curve, T u) {
  switch (curve) {
    case Curve::linear:
      break;
    case Curve::square:
      return u * u;
    case Curve::hinge:
      return u <= T(0) ? T(0) : u;  // a NaN stays
    case Curve::softplus:
      return (u > T(0) ? u : T(0)) + std::log1p(std::exp(-std::abs(u)));
  }
  return u;
}

template <class T>
__device__ __forceinline__ T slope(Curve curve, T u) {
  switch (curve) {
    case Curve::linear:
      break;
    case Curve::square:
      return 2 * u;
    case Curve::hinge:
      return u > T(0) ? T(1) : T(0);
    case Curve::softplus: {
      const T t = std::exp(-std::abs(u));
      return (u < T(0) ? t : T(1)) / (T(1) + t);
    }
  }
  return 1;
}

template <class T>
__global__ void mean_loss_kernel(Curve curve, T scale, T shift, double factor, int64_t n, const T* __restrict__ x,
                                 double* sums, unsigned* ticket, T* mean) {
  double sum = 0;
  for (int64_t i = global_thread(); i < n; i += thread_count())
    sum += static_cast<double>(value(curve, scale * x[i] + shift));
  sum = block_reduce<threads_per_block>(sum, Plus{});
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
  if (!last_block(ticket, gridDim.x)) return;
  double share = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += threads_per_block) share += sums[block];
  const double total = block_reduce<threads_per_block>(share, Plus{});
  if (threadIdx.x == 0) *mean = static_cast<T>(factor * total / static_cast<double>(n));
}

template <class T>
__global__ void mean_loss_grad_kernel(Curve curve, T scale, T shift, T factor, int64_t n, const T* __restrict__ x,
                                      const T* __restrict__ gy, T* __restrict__ gx) {
  const T each = *gy * (1 / static_cast<T>(n)) * (factor * scale);
  for (int64_t i = global_thread(); i < n; i += thread_count()) gx[i] = each * slope(curve, scale * x[i] + shift);
}

// Blocks for n elements, four to a thread until they fill the device.
Grid walk(int64_t n) {
  const int64_t blocks = std::min<int64_t>(ceil_div<int64_t>(n, 4 * threads_per_block), 4 * multiprocessors());
  return {dim3(static_cast<unsigned>(blocks)), dim3(threads_per_block)};
}

}  // namespace

template <class T>
void Gpu<T>::mean_loss(const Loss& loss, int64_t n, const T* x, T* mean) {
  const Grid grid = walk(n);
  auto* const sums = static_cast<double*>(scratch(grid.blocks.x * sizeof(double)));
  launch<mean_loss_kernel<T>>(grid, loss.curve, static_cast<T>(loss.scale), static_cast<T>(loss.shift), loss.factor, n,
                              x, sums, tickets(), mean);
}

template <class T>
void Gpu<T>::mean_loss_grad(const Loss& loss, int64_t n, const T* x, const T* gy, T* gx) {
  launch<mean_loss_grad_kernel<T>>(walk(n), loss.curve, static_cast<T>(loss.scale), static_cast<T>(loss.shift),
                                   static_cast<T>(loss.factor), n, x, gy, gx);
}

FORGER_KERNEL(Gpu, mean_loss);
FORGER_KERNEL(Gpu, mean_loss_grad);

}  // namespace forger::kernels
