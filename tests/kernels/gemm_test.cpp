// Matrix products against a plain triple loop, for every transpose, size class, vector width and thread count.
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"
#include "tests/catch.h"
#include "tests/kernels/matmul_reference.h"
#include "tests/kernels/setting.h"
#include "tests/worst.h"

using namespace forger::kernels;

namespace {

template <class T>
std::vector<T> random_values(size_t n, std::mt19937& generator) {
  std::uniform_real_distribution<T> uniform(-1, 1);
  std::vector<T> values(n);
  for (T& v : values) v = uniform(generator);
  return values;
}

// Largest |c - reference| over sqrt(k), the scale of a sum of k random products.
template <class T>
double matmul_error(const MatmulShape& s, std::mt19937& generator) {
  const auto a = random_values<T>(static_cast<size_t>(s.a_batch_stride ? s.batch * s.m * s.k : s.m * s.k), generator);
  const auto b = random_values<T>(static_cast<size_t>(s.b_batch_stride ? s.batch * s.k * s.n : s.k * s.n), generator);
  std::vector<T> c(static_cast<size_t>(s.batch * s.m * s.n), T(NAN));
  Cpu<T>::matmul(s, a.data(), b.data(), c.data());
  const std::vector<double> right = triple_loop(s, a, b);
  return forger::test::largest_difference(c, right) / std::sqrt(double(s.k) + 1);
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 2e-6 : 4e-15;

MatmulShape shape(int64_t m, int64_t n, int64_t k, int transposes) {
  MatmulShape s;
  s.m = m, s.n = n, s.k = k, s.trans_a = transposes & 1, s.trans_b = transposes & 2;
  return s;
}

}  // namespace

TEMPLATE_TEST_CASE("matmul agrees with a triple loop", "[matmul]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2), transposes = GENERATE(0, 1, 2, 3);
  const Setting setting(count, bytes);
  CAPTURE(bytes, count, transposes);
  std::mt19937 generator(1);
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                   {1, 33, 31},
                                                                   {31, 1, 33},
                                                                   {33, 31, 1},
                                                                   {1, 1, 1030},
                                                                   {2, 3, 600},
                                                                   {37, 2, 257},
                                                                   {15, 17, 16},
                                                                   {31, 33, 257},
                                                                   {257, 31, 33},
                                                                   {33, 257, 31},
                                                                   {3, 1100, 17},
                                                                   {61, 1057, 300}}) {
    CAPTURE(m, n, k);
    CHECK(matmul_error<TestType>(shape(m, n, k, transposes), generator) < tolerance<TestType>);
  }
}

TEMPLATE_TEST_CASE("matmul over a batch, strides of zero repeat an operand", "[matmul]", float, double) {
  const int bytes = GENERATE(16, 32, 64), count = GENERATE(1, 2, 3);
  const Setting setting(count, bytes);
  std::mt19937 generator(2);
  for (int transposes = 0; transposes < 4; transposes++) {
    for (int repeat = 0; repeat < 4; repeat++) {
      MatmulShape s = shape(19, 35, 21, transposes);
      s.batch = 7;
      s.a_batch_stride = repeat & 1 ? 0 : s.m * s.k;
      s.b_batch_stride = repeat & 2 ? 0 : s.k * s.n;
      CAPTURE(bytes, count, transposes, repeat);
      CHECK(matmul_error<TestType>(s, generator) < tolerance<TestType>);
    }
  }
}

TEMPLATE_TEST_CASE("matmul with an empty side", "[matmul]", float, double) {
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{0, 5, 3}, {5, 0, 3}, {0, 0, 0}}) {
    MatmulShape s = shape(m, n, k, 0);
    const std::vector<TestType> a(15), b(15);
    TestType untouched = 7;
    Cpu<TestType>::matmul(s, a.data(), b.data(), &untouched);
    s.batch = 4;
    Cpu<TestType>::matmul(s, a.data(), b.data(), &untouched);
    CHECK(untouched == 7);
  }
  for (const int64_t batch : {1, 3}) {  // an empty sum is zero
    MatmulShape s = shape(3, 50, 0, 0);
    s.batch = batch;
    std::vector<TestType> c(static_cast<size_t>(batch) * 150, TestType(7));
    Cpu<TestType>::matmul(s, nullptr, nullptr, c.data());
    CHECK(c == std::vector<TestType>(c.size()));
  }
}

TEST_CASE("matmul repeats bit for bit, and writes nothing but its output", "[matmul]") {
  const Setting setting(2, 64);
  std::mt19937 generator(3);
  const auto a = random_values<float>(300 * 700, generator), b = random_values<float>(700 * 90, generator);
  std::vector<float> first(300 * 90 + 32, 5), again(first);
  Cpu<float>::matmul(shape(300, 90, 700, 0), a.data(), b.data(), first.data() + 16);
  Cpu<float>::matmul(shape(300, 90, 700, 0), a.data(), b.data(), again.data() + 16);
  CHECK(first == again);
  for (size_t i = 0; i < 16; i++) {
    REQUIRE(first[i] == 5);
    REQUIRE(first[first.size() - 1 - i] == 5);
  }
}

TEST_CASE("what is wanted is fetched in the last steps of a series of products", "[matmul]") {
  constexpr int64_t steps = 1000, count = 100, kernel = 30;
  const std::array<char, count> memory{};
  gemm::Wanted wanted(count, steps, [&](const void** to) {
    for (const char& byte : memory) *to++ = &byte;
    return to;
  });
  std::set<const void*> fetched;
  for (int64_t step = 0; step < steps; step += kernel) {
    const void* const* const addresses = wanted.take(kernel);
    for (int64_t k = 0; k < kernel; k++) {
      CHECK(addresses[k] != nullptr);
      if (addresses[k] >= memory.data() && addresses[k] < memory.data() + count) fetched.insert(addresses[k]);
    }
    if (step + kernel < steps - 2 * count) CHECK(fetched.empty());
  }
  CHECK(fetched.size() == count);
}

TEST_CASE("threads and vector width can be set", "[matmul]") {
  const Setting setting(3, 16);
  CHECK(threads() == 3);
  CHECK(std::string(simd_level()) == "portable");
  set_threads(0);
  CHECK(threads() == 1);
  set_simd_bytes(32);
  CHECK(simd_bytes() <= 32);
}

TEST_CASE("device memory is aligned and usable", "[device]") {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{3} << 20}) {
    void* memory = forger::kernels::runtime(forger::Device::cpu).allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(memory) % 64 == 0);
    std::memset(memory, 1, bytes);
    forger::kernels::runtime(forger::Device::cpu).release(memory, bytes);
  }
  CHECK_THROWS_AS(forger::kernels::runtime(forger::Device::cpu).allocate(size_t{1} << 63), std::bad_alloc);
}
