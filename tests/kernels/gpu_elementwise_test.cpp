// Elementwise CUDA kernels against the CPU's: every op, every kind of broadcast, every length and alignment.
#include "kernels/cuda/index.h"
#include "tests/kernels/elementwise_reference.h"
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

template <class T>
std::vector<double> on_cpu(Unary op, const std::vector<T>& x, T p, T q) {
  std::vector<T> y(x.size());
  Cpu<T>::unary(op, static_cast<int64_t>(x.size()), x.data(), y.data(), p, q);
  return widened(y);
}

// Operands and result begin `shift` elements into their memory.
template <class T>
void check_binary(Binary op, const Broadcast& s, int64_t shift = 0) {
  INFO("op " << static_cast<int>(op) << ", rank " << s.rank << ", sizes " << s.sizes[0] << " " << s.sizes[1] << " "
             << s.sizes[2] << ", shift " << shift);
  const int64_t n = numel(s);
  const auto a = values<T>(extent(s, s.a_strides) + shift, -2, 2, 1);
  auto b = values<T>(extent(s, s.b_strides) + shift, -2, 2, 2);
  if (n > 0) b[shift] = a[shift];
  const T p = T(0.3);
  std::vector<T> right(static_cast<size_t>(n));
  Cpu<T>::binary(op, s, a.data() + shift, b.data() + shift, right.data(), p);
  const OnDevice<T> on_a(a), on_b(b), on_y(static_cast<size_t>(n + shift));
  Gpu<T>::binary(op, s, on_a.data() + shift, on_b.data() + shift, on_y.data() + shift, p);
  const auto y = on_y.host();
  require_close(std::vector<T>(y.begin() + shift, y.end()), widened(right), 4 * epsilon<T>);
}

const std::vector<Broadcast> patterns = patterns_and({
    {2, {50, 3}, {3, 1}, {0, 1}},  // per channel
    {2, {31, 32}, {0, 1}, {32, 1}},
    {2, {33, 64}, {64, 1}, {1, 0}},
    {2, {33, 57}, {1, 0}, {57, 1}},
    {3, {5, 6, 7}, {42, 7, 1}, {0, 1, 0}},  // channels in the middle
});

}  // namespace

GPU_TEST_CASE("unary ops at every length and alignment, also in place") {
  for_scalars([]<class T>(T) {
    for (const int64_t n : lengths) {
      for (int i = 0; i < unary_count; i++) {
        const Unary op = static_cast<Unary>(i);
        if (n > 2000 && op != Unary::affine && op != Unary::tanh) continue;
        INFO("op " << i << ", n " << n);
        const T p = T(-0.7), q = T(1.3);
        const auto x = domain_of<T>(op, n);
        const auto right = on_cpu(op, x, p, q);
        const OnDevice<T> on_x(x);
        const auto y = under_seeds<T>(n, [&](T* to) { Gpu<T>::unary(op, n, on_x.data(), to, p, q); });
        require_close(y, right, 4 * epsilon<T>);
        CHECK(same_bits(unaligned<T>(n, [&](T* to) { Gpu<T>::unary(op, n, on_x.data(), to, p, q); }), y));
        Gpu<T>::unary(op, n, on_x.data(), on_x.data(), p, q);
        CHECK(same_bits(on_x.host(), y));
      }
    }
  });
}

GPU_TEST_CASE("unary ops at special values") {
  for_scalars([]<class T>(T) {
    const T tiny = std::numeric_limits<T>::denorm_min();
    const std::vector<T> x = special_values<T>();
    const int64_t n = static_cast<int64_t>(x.size());
    for (int i = 0; i < unary_count; i++) {
      const Unary op = static_cast<Unary>(i);
      const T p = op == Unary::pow ? T(2) : op == Unary::affine ? T(1) : T(-0.75);
      const auto right = on_cpu(op, x, p, T(0.75));
      const OnDevice<T> y(x);
      Gpu<T>::unary(op, n, y.data(), y.data(), p, T(0.75));
      const auto actual = widened(y.host());
      for (int64_t k = 0; k < n; k++) {
        INFO("op " << i << " of " << x[k] << " is " << actual[k] << ", on the CPU " << right[k]);
        const bool same = actual[k] == right[k] || (std::isnan(actual[k]) && std::isnan(right[k]));
        const double error = std::abs(actual[k] - right[k]);
        CHECK((same || error <= 4 * epsilon<T> * std::abs(right[k]) + 2 * static_cast<double>(tiny)));
      }
    }
  });
}

GPU_TEST_CASE("pow takes its shortcuts and the general way") {
  for_scalars([]<class T>(T) {
    const auto x = values<T>(101, 0.2, 3);
    for (double p : {2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.7, 0.0, -3.25}) {
      const OnDevice<T> y(x);
      Gpu<T>::unary(Unary::pow, 101, y.data(), y.data(), static_cast<T>(p), 0);
      require_close(y.host(), on_cpu(Unary::pow, x, static_cast<T>(p), T(0)), 4 * epsilon<T>);
    }
  });
}

GPU_TEST_CASE("binary ops under every kind of broadcast, aligned and not") {
  for_scalars([]<class T>(T) {
    for (const Broadcast& s : patterns) {
      for (int i = 0; i < binary_count; i++) check_binary<T>(static_cast<Binary>(i), s);
      check_binary<T>(Binary::sub, s, 1);
    }
  });
}

GPU_TEST_CASE("binary ops beyond one stride of the grid") {
  for_scalars([]<class T>(T) {
    constexpr int64_t n = several_strides, rows = n / 99;
    check_binary<T>(Binary::sub, {1, {n}, {1}, {1}});
    check_binary<T>(Binary::sub, {1, {n / 2 + 1}, {1}, {1}}, 1);
    check_binary<T>(Binary::sub, {2, {n / 3, 3}, {3, 1}, {0, 1}});
    check_binary<T>(Binary::sub, {2, {rows, 101}, {1, rows}, {101, 1}});
  });
}

GPU_TEST_CASE("binary ops work in place of either operand") {
  for_scalars([]<class T>(T) {
    const Broadcast s = {2, {50, 7}, {7, 1}, {0, 1}}, swapped = {2, {50, 7}, {0, 1}, {7, 1}};
    const auto big = values<T>(350);
    const OnDevice<T> small(values<T>(7, 1, 2, 3)), out(350), left(big), right(big);
    Gpu<T>::binary(Binary::div, s, left.data(), small.data(), out.data(), 0);
    Gpu<T>::binary(Binary::div, s, left.data(), small.data(), left.data(), 0);
    CHECK(same_bits(left.host(), out.host()));
    Gpu<T>::binary(Binary::div, swapped, small.data(), right.data(), out.data(), 0);
    Gpu<T>::binary(Binary::div, swapped, small.data(), right.data(), right.data(), 0);
    CHECK(same_bits(right.host(), out.host()));
  });
}

GPU_TEST_CASE("a NaN operand wins maximum and minimum, and is neither greater nor equal") {
  for_scalars([]<class T>(T) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> u = {nan, 1, nan, 2, 2}, v = {1, nan, nan, 1, 2};
    const OnDevice<T> a(u), b(v), y(5);
    for (Binary op : {Binary::maximum, Binary::minimum, Binary::greater, Binary::equal}) {
      std::vector<T> right(5);
      Cpu<T>::binary(op, {1, {5}, {1}, {1}}, u.data(), v.data(), right.data(), 0);
      Gpu<T>::binary(op, {1, {5}, {1}, {1}}, a.data(), b.data(), y.data(), 0);
      require_close(y.host(), widened(right), 0);
    }
  });
}

GPU_TEST_CASE("all_finite finds one bad value anywhere") {
  for_scalars([]<class T>(T) {
    for (const int64_t n : lengths) {
      const auto x = values<T>(n);
      const OnDevice<T> on_x(x);
      CHECK(Gpu<T>::all_finite(n, on_x.data()));
      for (T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
        if (n == 0) continue;
        auto spoiled = x;
        spoiled[static_cast<size_t>(n * 2 / 3)] = -bad;
        CHECK_FALSE(Gpu<T>::all_finite(n, OnDevice<T>(spoiled).data()));
      }
    }
  });
}

SIMT_TEST_CASE("division by multiplication is exact up to 2^31") {
  const uint32_t largest = 0x7fffffff;
  for (uint32_t d : {1u, 2u, 3u, 5u, 7u, 31u, 32u, 33u, 641u, 65535u, 65536u, 65537u, 1000003u, 0x3fffffffu,
                     0x40000000u, 0x40000001u, largest}) {
    const Divider<uint32_t> divider(d);
    std::vector<uint32_t> numbers = {0, 1, d - 1, d, largest, largest - 1, largest / d * d, largest / d * d - 1};
    for (uint32_t i = 1; i < 2000; i++) numbers.push_back(i * 1073741u % largest);
    bool same = true;
    for (uint32_t i : numbers) same &= divider.quotient(i) == i / d && divider.remainder(i) == i % d;
    CHECK(same);
  }
}

SIMT_TEST_CASE("64-bit indices begin where 32 bits end, and reach beyond") {
  const auto bits = [](int64_t largest) {
    int found = 0;
    with_index(largest, [&]<class I>(I) { found = 8 * static_cast<int>(sizeof(I)); });
    return found;
  };
  CHECK(bits(0x7fffffff) == 32);
  CHECK(bits(0x80000000) == 64);
  // Rows of 3 x 70,000 elements, 5,000,000,000 apart.
  const int64_t sizes[] = {40'000, 3, 70'000}, a[] = {5'000'000'000, 1, 3}, b[] = {210'000, 70'000, 1};
  const Strided<int64_t> wide(Walk(3, sizes, a, b));
  bool same = true;
  for (int64_t i = 0; i < 40'000 * 210'000ll; i += 1'234'567'891 / 7) {
    const int64_t row = i / 210'000, middle = i / 70'000 % 3, column = i % 70'000;
    const auto at = wide.at(i);
    same &= at.a == row * 5'000'000'000 + middle + column * 3 && at.b == i;
  }
  CHECK(same);
  const Divider<int64_t> divider(3'000'000'001);
  int64_t rest = 9'000'000'010;
  CHECK(divider.split(rest) == 7);
  CHECK(rest == 3);
}

SIMT_TEST_CASE("offsets of strided arrays are the same in 32 and 64 bits") {
  const int64_t sizes[] = {3, 5, 7, 2}, a[] = {1, 3, 0, 15}, b[] = {70, 14, 2, 1};
  const Walk w(4, sizes, a, b);
  const Strided<uint32_t> narrow(w);
  const Strided<int64_t> wide(w);
  bool same = true;
  for (int64_t i = 0; i < 210; i++) {
    const auto at = narrow.at(static_cast<uint32_t>(i));
    same &= at.a == wide.at(i).a && at.b == wide.at(i).b && at.b == i;
  }
  CHECK(same);
}
