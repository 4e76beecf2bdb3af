#include "core/random.h"

#include <numeric>

#include "core/dispatch.h"
#include "core/ops.h"
#include "kernels/cpu/philox.h"

namespace forger {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  return kernels::philox(counter, key);
}

namespace {
uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }
}  // namespace

// fill(tensor) writes all of it.
template <class F>
Tensor Random::draw(const Shape& shape, DType dtype, Device device, const F& fill) {
  Shape whole = shape;
  const bool shared = parts_ > 1 && shape.rank() > 0;
  if (shared) whole.set(0, drawn_for(shape[0]));
  Tensor result(whole, dtype == DType::bf16 ? DType::f32 : dtype, device);
  fill(result);
  block += blocks(result.numel());
  return shared ? slice(result, 0, first_kept(shape[0]), first_kept(shape[0]) + shape[0]) : result;
}

Tensor Random::uniform(const Shape& shape, double lowest, double highest, DType dtype, Device device) {
  return draw(shape, dtype, device, [&](const Tensor& result) {
    dispatch(result, [&]<class K>() {
      using T = typename K::Scalar;
      K::random_uniform(seed_, stream_, block, result.numel(), static_cast<T>(lowest), static_cast<T>(highest),
                        result.data<T>());
    });
  });
}

Tensor Random::normal(const Shape& shape, double mean, double stddev, DType dtype, Device device) {
  return draw(shape, dtype, device, [&](const Tensor& result) {
    dispatch(result, [&]<class K>() {
      using T = typename K::Scalar;
      K::random_normal(seed_, stream_, block, result.numel(), static_cast<T>(mean), static_cast<T>(stddev),
                       result.data<T>());
    });
  });
}

uint64_t Random::below(uint64_t bound) {
  check<Error>(bound > 0, "Random::below needs a positive bound");
  // Words past the last whole multiple of `bound` are drawn again, so that no value is favoured.
  const uint64_t limit = ~uint64_t{0} - ~uint64_t{0} % bound;
  for (;;) {
    const auto words = philox({low(block), high(block), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
    block++;
    const uint64_t value = uint64_t{words[1]} << 32 | words[0];
    if (value < limit) return value % bound;
  }
}

std::vector<int64_t> Random::permutation(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace forger
