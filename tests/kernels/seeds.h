// Runs of simt kernels under several orders of threads.
#pragma once
#include "kernels/simt/runtime.h"
#include "tests/kernels/on_device.h"
#include "tests/kernels/values.h"

namespace forger::kernels {

// What run(y) writes to device memory of n elements; three orders of threads must agree on its bits.
template <class T, class F>
std::vector<T> under_seeds(int64_t n, const F& run) {
  std::vector<T> first;
  for (uint64_t seed : {1, 2, 3}) {
    simt::set_seed(seed);
    const OnDevice<T> y(static_cast<size_t>(n));
    run(y.data());
    const auto values = y.host();
    if (seed == 1) first = values;
    CHECK(same_bits(values, first));
  }
  return first;
}

// The same, aligned to one element only.
template <class T, class F>
std::vector<T> unaligned(int64_t n, const F& run) {
  const OnDevice<T> y(static_cast<size_t>(n + 1));
  run(y.data() + 1);
  const auto values = y.host();
  CHECK(same_bits(std::vector<T>{values[0]}, std::vector<T>{OnDevice<T>::blank()}));
  return std::vector<T>(values.begin() + 1, values.end());
}

// make() for three orders of blocks and threads: the same bits each time.
template <class F>
void check_order(const F& make) {
  simt::set_seed(1);
  const auto first = make();
  for (uint64_t seed : {2u, 3u}) {
    simt::set_seed(seed);
    const auto again = make();
    for (size_t i = 0; i < first.size(); i++) CHECK(same_bits(again[i], first[i]));
  }
}

// body(T{}) for both scalar types, without the CPU's thread counts.
template <class F>
void for_scalars(const F& body) {
  body(float{});
  body(double{});
}

}  // namespace forger::kernels
