// Work sharing of the CPU kernels, and their scratch memory. Chunks depend on the sizes and on the thread count alone,
// never on timing.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/thread_pool.h"
#include "kernels/kernels.h"

namespace forger::kernels {

// Calls f(begin, end) on each of up to threads() contiguous chunks of [0, n); a chunk holds at least `grain` items and
// begins at a multiple of `align`.
template <class F>
void parallel_for(int64_t n, int64_t grain, const F& f, int64_t align = 1) {
  const int64_t chunks = std::clamp<int64_t>(n / std::max<int64_t>(grain, 1), 1, threads());
  const int64_t step = ((n + chunks - 1) / chunks + align - 1) / align * align;
  parallel_jobs(chunks, [&](int64_t i) {
    const int64_t begin = i * step, end = std::min(n, begin + step);
    if (begin < end) f(begin, end);
  });
}

// Memory of the calling thread, 64-byte aligned, one piece per slot. It grows on demand, is kept between calls (a
// steady state allocates nothing and takes no page faults) and goes when the thread ends. Contents are unspecified.
enum class Scratch : uint8_t {
  gemm_a,
  gemm_b,
  gemm_c,
  partial_sums,
  winograd_in,
  winograd_out,
  winograd_weight,
  wanted
};
constexpr int scratch_slots = 8;
void* scratch(Scratch slot, size_t bytes);

}  // namespace forger::kernels
