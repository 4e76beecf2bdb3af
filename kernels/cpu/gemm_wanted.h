// Memory that works while tiles are multiplied.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/cpu/gemm_panels.h"
#include "kernels/cpu/parallel.h"

namespace forger::kernels::gemm {

// Addresses that are wanted when a series of products is done. Memory idles while tiles are multiplied, so the
// micro-kernels have it bring a line a step: in the last steps of the series, that nothing drives it out of the L2
// again.
class Wanted {
 public:
  Wanted() = default;  // nothing
  // fill(to) writes at most `most` addresses, valid or not, and returns their end. The series has `steps` in all.
  template <class Fill>
  Wanted(int64_t most, int64_t steps, const Fill& fill) {
    auto** const list = static_cast<const void**>(
        scratch(Scratch::wanted, static_cast<size_t>(most + max_steps) * sizeof(const void*)));
    const void** const end = fill(list);
    std::fill_n(end, max_steps, list);
    next_ = list;
    end_ = end;
    wait_ = steps - (end - list) * 5 / 4;
  }
  // For a micro-kernel of so many steps.
  const void* const* take(int64_t steps) {
    wait_ -= steps;
    return wait_ > 0 || next_ >= end_ ? nothing() : std::exchange(next_, next_ + steps);
  }

 private:
  static constexpr int64_t max_steps = max_kc<float>;
  static const void* const* nothing();  // max_steps addresses of no interest
  const void *const *next_ = nullptr, *const *end_ = nullptr;
  int64_t wait_ = 0;  // steps without a fetch
};

}  // namespace forger::kernels::gemm
