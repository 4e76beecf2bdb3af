// Filling, copying, converting. Memory-bound: one pass, 16 bytes per access where pointers and lengths allow.
//
//   fill            y[i] = value                              bytes: n written
//   copy            y[i] = x[i]                               bytes: n read, n written
//   strided_copy    dst[sum i_k d_k] = src[sum i_k s_k]       bytes: n read, n written; a thread an element
//   from_float, from_double   conversions
//
// Threads: one per pack of 16 bytes, 256 per block, in a grid-stride loop.
#include "kernels/cuda/device.h"

namespace forger::kernels {
namespace {

template <class T>
__global__ void fill_kernel(int64_t n, T value, T* y) {
  for (int64_t i = global_thread(); i < n; i += thread_count()) y[i] = value;
}

}  // namespace

template <class T>
void Gpu<T>::fill(int64_t n, T value, T* y) {
  launch<fill_kernel<T>>(over(n), n, value, y);
}

FORGER_KERNEL(Gpu, fill);

}  // namespace forger::kernels
