// Matrix products of the CUDA backend on the software device: that cuBLAS is asked for the right ones.
#include <array>
#include <vector>

#include "kernels/simt/runtime.h"
#include "tests/kernels/matmul_reference.h"
#include "tests/kernels/on_device.h"
#include "tests/kernels/values.h"

using namespace forger;
using namespace forger::kernels;

namespace {

MatmulShape shape(int64_t m, int64_t n, int64_t k, int transposes, int64_t batch = 1, int repeats = 0) {
  MatmulShape s;
  s.batch = batch, s.m = m, s.n = n, s.k = k, s.trans_a = transposes & 1, s.trans_b = transposes & 2;
  s.a_batch_stride = repeats & 1 ? 0 : m * k;
  s.b_batch_stride = repeats & 2 ? 0 : k * n;
  return s;
}

template <class T>
struct Operands {
  std::vector<T> a, b;
  explicit Operands(const MatmulShape& s)
      : a(values<T>(s.m * s.k + (s.batch - 1) * s.a_batch_stride, -1, 1, 1)),
        b(values<T>(s.k * s.n + (s.batch - 1) * s.b_batch_stride, -1, 1, 2)) {}
};

// Operands and result lie `offset` elements behind an aligned address.
template <class T>
std::vector<T> on_gpu(const MatmulShape& s, const Operands<T>& x, size_t offset = 0) {
  const auto shifted = [&](std::vector<T> v) {
    v.insert(v.begin(), offset, T{7});
    return v;
  };
  const OnDevice<T> a(shifted(x.a)), b(shifted(x.b)),
      c(shifted(std::vector<T>(static_cast<size_t>(s.batch * s.m * s.n), T(NAN))));
  Gpu<T>::matmul(s, a.data() + offset, b.data() + offset, c.data() + offset);
  const std::vector<T> all = c.host();
  for (size_t i = 0; i < offset; i++) REQUIRE(all[i] == T{7});
  return {all.begin() + static_cast<ptrdiff_t>(offset), all.end()};
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;

}  // namespace

GPU_TEMPLATE_TEST_CASE("matmul agrees with a triple loop") {
  const int transposes = GENERATE(0, 1, 2, 3);
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {1, 33, 31}, {31, 1, 33}, {33, 31, 1}, {1, 1, 700}, {31, 33, 257}, {65, 40, 7}}) {
    CAPTURE(transposes, m, n, k);
    const MatmulShape s = shape(m, n, k, transposes);
    const Operands<TestType> x(s);
    require_close(on_gpu(s, x), triple_loop(s, x.a, x.b), tolerance<TestType>);
    require_close(on_gpu(s, x, 1), triple_loop(s, x.a, x.b), tolerance<TestType>);
  }
}

GPU_TEMPLATE_TEST_CASE("matmul over a batch, strides of zero repeat an operand") {
  for (int transposes = 0; transposes < 4; transposes++) {
    for (int repeats = 0; repeats < 4; repeats++) {
      CAPTURE(transposes, repeats);
      MatmulShape s = shape(9, 17, 13, transposes, 5, repeats);
      const Operands<TestType> x(s);
      require_close(on_gpu(s, x), triple_loop(s, x.a, x.b), tolerance<TestType>);
      if (repeats == 0) {  // strides longer than a matrix
        s.a_batch_stride += 3, s.b_batch_stride += 5;
        const Operands<TestType> wide(s);
        require_close(on_gpu(s, wide), triple_loop(s, wide.a, wide.b), tolerance<TestType>);
      }
    }
  }
}

GPU_TEMPLATE_TEST_CASE("matmul with an empty side") {
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{0, 5, 3}, {5, 0, 3}, {0, 0, 0}}) {
    const MatmulShape s = shape(m, n, k, 0);
    CHECK(on_gpu(s, Operands<TestType>(s)).empty());
  }
  for (const int64_t batch : {1, 3}) {  // an empty sum is zero
    const MatmulShape s = shape(3, 50, 0, 0, batch);
    CHECK(on_gpu(s, Operands<TestType>(s)) == std::vector<TestType>(static_cast<size_t>(batch) * 150));
  }
}

GPU_TEST_CASE("TF32 is taken by matmul too, and means FP32 on the software device") {
  const MatmulShape s = shape(12, 20, 33, 2);
  const Operands<float> x(s);
  const auto fp32 = on_gpu(s, x);
  CHECK(math_mode() == MathMode::fp32);  // at first
  set_math_mode(MathMode::tf32);
  const auto tf32 = on_gpu(s, x);
  set_math_mode(MathMode::fp32);
  require_close(tf32, triple_loop(s, x.a, x.b), 0x1p-9);
  if (gpu == Device::simt) CHECK(same_bits(fp32, tf32));
}

GPU_TEST_CASE("a recorded matmul can be replayed on new numbers") {
  const MatmulShape s = shape(6, 10, 14, 1);
  const Operands<float> x(s);
  DeviceRuntime& device = runtime(gpu);
  const OnDevice<float> a(x.a), b(x.b), c(60);
  Gpu<float>::matmul(s, a.data(), b.data(), c.data());  // opens cuBLAS, as a first step does
  const std::vector<float> nothing(60, NAN);
  device.copy(c.data(), nothing.data(), nothing.size() * sizeof(float));
  device.begin_recording();
  Gpu<float>::matmul(s, a.data(), b.data(), c.data());
  const auto graph = device.end_recording();
  CHECK(std::isnan(c.host()[0]));  // written down, not run
  graph->replay();
  require_close(c.host(), triple_loop(s, x.a, x.b), tolerance<float>);
  auto twice = x;
  for (float& v : twice.a) v *= 2;
  device.copy(a.data(), twice.a.data(), twice.a.size() * sizeof(float));
  graph->replay();
  require_close(c.host(), triple_loop(s, twice.a, twice.b), tolerance<float>);
}

SIMT_TEST_CASE("the software cuBLAS finds operands that are too short") {
  const MatmulShape s = shape(6, 10, 14, 0);
  const Operands<float> x(s);
  const OnDevice<float> a(x.a), b(x.b), c(60), short_b(139), short_c(59);
  CHECK_THROWS_AS(Gpu<float>::matmul(s, a.data(), short_b.data(), c.data()), DeviceError);
  CHECK_THROWS_AS(Gpu<float>::matmul(s, a.data(), b.data(), short_c.data()), DeviceError);
  CHECK_THROWS_AS(Gpu<float>::matmul(s, x.a.data(), b.data(), c.data()), DeviceError);  // host memory
  CHECK_NOTHROW(Gpu<float>::matmul(s, a.data(), b.data(), c.data()));
}
