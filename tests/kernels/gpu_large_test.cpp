// More elements than 31 bits count, which takes a GPU: its memory, and its speed.
#include "tests/kernels/on_device.h"

#ifdef FORGER_ON_CUDA
using namespace forger;
using namespace forger::kernels;

namespace {

constexpr int64_t n = (int64_t{1} << 31) + 5;

// Floats on the GPU, of which the host looks at a few.
struct Large {
  int64_t count;
  float* data;
  explicit Large(int64_t size) : count(size), data(static_cast<float*>(runtime(gpu).allocate(bytes()))) {}
  ~Large() { runtime(gpu).release(data, bytes()); }
  Large(const Large&) = delete;
  size_t bytes() const { return static_cast<size_t>(count) * sizeof(float); }
  void set(int64_t i, float value) const { runtime(gpu).copy(data + i, &value, sizeof value); }
  std::vector<float> at(int64_t first, int64_t size) const {
    std::vector<float> values(static_cast<size_t>(size));
    runtime(gpu).copy(values.data(), data + first, values.size() * sizeof(float));
    return values;
  }
};

float reduced(Reduce op, const Large& x) {
  const OnDevice<float> y(1);
  ReduceShape s{.rank = 1};
  s.sizes[0] = x.count, s.reduced[0] = true;
  Gpu<float>::reduce(op, s, x.data, y.data());
  return y.host()[0];
}

}  // namespace

GPU_TEST_CASE("more elements than 31 bits count") try {
  const Large x(n), y(n);
  Gpu<float>::fill(n, 1, x.data);
  CHECK(x.at(n - 2, 2) == std::vector<float>{1, 1});
  x.set(n - 1, 7);
  CHECK(reduced(Reduce::max, x) == 7);
  CHECK(reduced(Reduce::min, x) == 1);
  Gpu<float>::unary(Unary::affine, n, x.data, y.data, 2, 1);
  CHECK(y.at(n - 2, 2) == std::vector<float>{3, 15});
  CHECK(reduced(Reduce::min, y) == 3);
  const SumSlice<float> sum = {y.data, x.data, n};
  Gpu<float>::accumulate({&sum, 1});
  CHECK(y.at(n - 2, 2) == std::vector<float>{4, 22});
  Gpu<float>::binary(Binary::sub, {1, {n}, {1}, {1}}, y.data, x.data, y.data, 0);
  CHECK(y.at(n - 2, 2) == std::vector<float>{3, 15});
  CHECK(Gpu<float>::all_finite(n, y.data));
  y.set(n - 1, NAN);
  CHECK_FALSE(Gpu<float>::all_finite(n, y.data));

  constexpr int64_t rows = n / 3;  // of three elements; the five is in the middle of the last
  x.set(3 * rows - 2, 5);
  y.set(n - 1, 1);
  Gpu<float>::strided_copy({2, {3, rows}, {1, 3}, 0, {rows, 1}, 0}, x.data, y.data);  // turned
  CHECK(y.at(2 * rows - 2, 3) == std::vector<float>{1, 5, 1});
  CHECK(reduced(Reduce::max, y) == 5);

  const OnDevice<int64_t> last(std::vector<int64_t>{rows - 1});
  const OnDevice<float> row(3);
  Gpu<float>::gather(1, 3, x.data, last.data(), row.data());
  CHECK(row.host() == std::vector<float>{1, 5, 1});

  Gpu<float>::random_uniform(1, 2, 0, n, 0, 1, x.data);
  std::vector<float> drawn(5);
  Cpu<float>::random_uniform(1, 2, static_cast<uint64_t>(n / 4 - 1), 5, 0, 1, drawn.data());
  CHECK(x.at(n / 4 * 4 - 4, 5) == drawn);
} catch (const std::bad_alloc&) {
  std::cout << "skipped: the GPU has less than " << (2 * n * sizeof(float) >> 30) << " GiB free" << std::endl;
}
#endif
