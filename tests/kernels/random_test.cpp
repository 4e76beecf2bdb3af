// Philox against the known answers of its authors, the layout of the stream, and the distributions.
#include <array>
#include <limits>

#include "kernels/cpu/philox.h"
#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

using Block = std::array<uint32_t, 4>;

// Element i of the uniform stream on (0, 1], from the scalar cipher.
float uniform_at(uint64_t seed, uint64_t stream, uint64_t block, int64_t i) {
  const uint64_t counter = block + static_cast<uint64_t>(i / 4);
  const Block words = philox({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                              static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                             {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<float>(words[static_cast<size_t>(i % 4)]) * 0x1p-32f + 0x1p-33f;
}

constexpr uint64_t seed = 0x123456789abcdef0, stream = 0xfedcba9876543210;

}  // namespace

TEST_CASE("philox gives the known answers of Random123") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform numbers are the words of the stream, whatever the length, start and thread count") {
  for_types([]<class T>(T) {
    for (uint64_t block : {uint64_t{0}, uint64_t{7}, uint64_t{0xfffffff0}, ~uint64_t{0} - 3}) {
      for (int64_t n : {0, 1, 3, 31, 33, 257, 1000, 20001}) {
        std::vector<T> y = unwritten<T>(static_cast<size_t>(n));
        Cpu<T>::random_uniform(seed, stream, block, n, 0, 1, y.data());
        bool same = true;
        for (int64_t i = 0; i < n; i++) same &= y[i] == static_cast<T>(uniform_at(seed, stream, block, i));
        CHECK(same);
      }
    }
  });
}

TEST_CASE("normal numbers are Box-Muller pairs of the stream") {
  for_types([]<class T>(T) {
    const int64_t n = 20003;
    std::vector<T> z = unwritten<T>(static_cast<size_t>(n));
    Cpu<T>::random_normal(seed, stream, 5, n, 0, 1, z.data());
    std::vector<double> right;
    for (int64_t i = 0; i < n; i++) {
      const double u = static_cast<double>(uniform_at(seed, stream, 5, i / 2 * 2));
      const double v = static_cast<double>(uniform_at(seed, stream, 5, i / 2 * 2 + 1)) * 6.283185307179586;
      right.push_back((i % 2 ? std::cos(v) : std::sin(v)) * std::sqrt(-2 * std::log(u)));
    }
    require_close(z, right, std::is_same_v<T, float> ? 2e-6 : 1e-14);
  });
}

TEST_CASE("float and double streams agree; mean and stddev, low and high scale them") {
  const int64_t n = 1001;
  std::vector<float> a(n), c(n);
  std::vector<double> b(n), d(n);
  Cpu<float>::random_normal(1, 2, 3, n, 0, 1, a.data());
  Cpu<double>::random_normal(1, 2, 3, n, 0, 1, b.data());
  require_close(a, b, 2e-6);
  Cpu<double>::random_normal(1, 2, 3, n, 4, 0.5, d.data());
  for (int64_t i = 0; i < n; i++) CHECK(d[i] == Approx(4 + 0.5 * b[i]).epsilon(1e-12));
  Cpu<float>::random_uniform(1, 2, 3, n, 0, 1, a.data());
  Cpu<float>::random_uniform(1, 2, 3, n, -3, 5, c.data());
  for (int64_t i = 0; i < n; i++) CHECK(c[i] == Approx(-3 + 8 * a[i]).margin(1e-6));
}

TEST_CASE("moments and range of the distributions") {
  with_threads([] {
    const int64_t n = 1 << 20;
    std::vector<float> z = unwritten<float>(static_cast<size_t>(n)), u = unwritten<float>(static_cast<size_t>(n));
    Cpu<float>::random_normal(42, 0, 0, n, 0, 1, z.data());
    Cpu<float>::random_uniform(42, 0, 0, n, 0, 1, u.data());
    double m[5] = {}, mean = 0, square = 0, neighbours = 0;
    for (size_t i = 0; i < z.size(); i++) {
      const double v = static_cast<double>(z[i]), w = static_cast<double>(u[i]);
      double power = 1;
      for (double& moment : m) {
        moment += power / static_cast<double>(n);
        power *= v;
      }
      mean += w / static_cast<double>(n);
      square += w * w / static_cast<double>(n);
      if (i > 0) neighbours += v * static_cast<double>(z[i - 1]) / static_cast<double>(n);
    }
    const double sigma = 1 / std::sqrt(static_cast<double>(n));  // five standard errors of each estimate
    CHECK(std::abs(m[1]) < 5 * sigma);
    CHECK(std::abs(m[2] - 1) < 5 * std::sqrt(2.0) * sigma);
    CHECK(std::abs(m[3]) < 5 * std::sqrt(15.0) * sigma);
    CHECK(std::abs(m[4] - 3) < 5 * std::sqrt(96.0) * sigma);
    CHECK(std::abs(neighbours) < 5 * sigma);
    CHECK(std::abs(mean - 0.5) < 5 * std::sqrt(1 / 12.0) * sigma);
    CHECK(std::abs(square - 1 / 3.0) < 5 * std::sqrt(4 / 45.0) * sigma);
    CHECK(Cpu<float>::all_finite(n, z.data()));
    CHECK((*std::min_element(u.begin(), u.end()) > 0 && *std::max_element(u.begin(), u.end()) <= 1));
  });
}

TEST_CASE("streams and seeds differ") {
  std::vector<float> a(64), b(64);
  Cpu<float>::random_uniform(1, 0, 0, 64, 0, 1, a.data());
  Cpu<float>::random_uniform(1, 1, 0, 64, 0, 1, b.data());
  CHECK_FALSE(same_bits(a, b));
  Cpu<float>::random_uniform(2, 0, 0, 64, 0, 1, b.data());
  CHECK_FALSE(same_bits(a, b));
  Cpu<float>::random_uniform(1, 0, 4, 64, 0, 1, b.data());
  CHECK(std::vector<float>(a.begin() + 16, a.end()) == std::vector<float>(b.begin(), b.begin() + 48));
}

TEST_CASE("dropout keeps what the stream's numbers above p mark, scaled to keep the mean") {
  for_types([]<class T>(T) {
    for (int64_t n : {0, 1, 3, 31, 257, 40001}) {
      const auto x = values<T>(n);
      std::vector<T> y = unwritten<T>(static_cast<size_t>(n));
      Cpu<T>::dropout(seed, stream, 3, n, T(0.25), x.data(), y.data());
      std::vector<double> right;
      int64_t kept = 0;
      for (int64_t i = 0; i < n; i++) {
        const bool keep = uniform_at(seed, stream, 3, i) > 0.25f;
        kept += keep;
        right.push_back(keep ? static_cast<double>(x[i]) / 0.75 : 0);
      }
      require_close(y, right, 2 * epsilon<T>);
      if (n > 10000) CHECK(static_cast<double>(kept) / static_cast<double>(n) == Approx(0.75).margin(0.01));
      Cpu<T>::dropout(seed, stream, 3, n, T(0), x.data(), y.data());
      CHECK(y == x);
    }
  });
}

TEST_CASE("a dropped NaN is a zero, a kept one stays") {
  const std::vector<float> x(64, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> y = unwritten<float>(64);
  Cpu<float>::dropout(1, 2, 3, 64, 0.5f, x.data(), y.data());
  int kept = 0;
  for (int64_t i = 0; i < 64; i++) {
    const bool keep = uniform_at(1, 2, 3, i) > 0.5f;
    kept += keep;
    CHECK((keep ? std::isnan(y[i]) : y[i] == 0));
  }
  CHECK((kept > 10 && kept < 54));
}
