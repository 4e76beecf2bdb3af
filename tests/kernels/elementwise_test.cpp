// Elementwise kernels: accuracy of the vector functions in ulps, special values, every op and every kind of broadcast
// against plain loops.
#include <bit>
#include <limits>

#include "tests/kernels/elementwise_reference.h"
#include "tests/kernels/values.h"
#include "tests/worst.h"

using namespace forger::kernels;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan_value = std::numeric_limits<double>::quiet_NaN();

// The op in double, as the contract states it.
double expected(Unary op, double x, double p, double q) {
  switch (op) {
    case Unary::affine:
      return p * x + q;
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::sqrt:
      return std::sqrt(x);
    case Unary::reciprocal:
      return 1 / x;
    case Unary::abs:
      return std::abs(x);
    case Unary::sign:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case Unary::pow:
      return std::pow(x, p);
    case Unary::clamp:
      return x < p ? p : x > q ? q : x;
    case Unary::tanh:
      return std::tanh(x);
    case Unary::sigmoid:
      return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    case Unary::softplus:
      return std::isnan(x) ? x : std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case Unary::relu:
      return x <= 0 ? 0 : x;
    case Unary::leaky_relu:
      return x > 0 ? x : p * x;
    case Unary::elu:
      return x > 0 ? x : p * std::expm1(x);
    case Unary::sin:
      return std::sin(x);
    case Unary::cos:
      return std::cos(x);
    case Unary::positive:
      return x > 0 ? 1 : 0;
    case Unary::inside:
      return p <= x && x <= q ? 1 : 0;
  }
  return nan_value;
}

double expected(Binary op, double a, double b, double p) {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::sub:
      return a - b;
    case Binary::mul:
      return a * b;
    case Binary::div:
      return a / b;
    case Binary::maximum:
      return std::isnan(a) || std::isnan(b) ? nan_value : std::max(a, b);
    case Binary::minimum:
      return std::isnan(a) || std::isnan(b) ? nan_value : std::min(a, b);
    case Binary::greater:
      return a > b ? 1 : 0;
    case Binary::equal:
      return a == b ? 1 : 0;
    case Binary::tanh_grad:
      return a * (1 - b * b);
    case Binary::sigmoid_grad:
      return a * b * (1 - b);
    case Binary::leaky_relu_grad:
      return b > 0 ? a : p * a;
    case Binary::elu_grad:
      return b > 0 ? a : a * p * std::exp(b);
  }
  return nan_value;
}

// Distance in units of the last place of the right answer; infinities and NaN must match exactly.
double ulps(float actual, double right) {
  if (std::isnan(right)) return std::isnan(actual) ? 0 : infinity;
  const float rounded = static_cast<float>(right);
  if (std::isinf(rounded) || std::isinf(actual)) return actual == rounded ? 0 : infinity;
  const float size = std::abs(rounded);
  const double ulp =
      static_cast<double>(std::nextafter(size, std::numeric_limits<float>::infinity())) - static_cast<double>(size);
  return std::abs(static_cast<double>(actual) - right) / ulp;
}

double worst_ulps(Unary op, const std::vector<float>& x, double p = 0) {
  std::vector<float> y = unwritten<float>(x.size());
  Cpu<float>::unary(op, static_cast<int64_t>(x.size()), x.data(), y.data(), static_cast<float>(p), 0);
  forger::test::Worst worst;
  float at = 0;
  for (size_t i = 0; i < x.size(); i++)
    if (worst.add(ulps(y[i], expected(op, x[i], p, 0)))) at = x[i];
  UNSCOPED_INFO("op " << static_cast<int>(op) << ": " << worst << " ulp at " << at);
  return worst;
}

// Every 20011th bit pattern: both signs, denormals, all exponents, infinities' neighbours and NaNs.
std::vector<float> all_scales() {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 20011)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return x;
}

}  // namespace

TEST_CASE("float exp, log, tanh, sigmoid, softplus, elu, sin and cos stay within their ulps") {
  struct Row {
    Unary op;
    double low, high, bound;
  };
  const Row rows[] = {{Unary::exp, -105, 90, 1.1},     {Unary::log, 0, 3, 1.1},          {Unary::tanh, -10, 10, 2.4},
                      {Unary::sigmoid, -105, 30, 2.1}, {Unary::softplus, -105, 30, 2.1}, {Unary::elu, -20, 1, 2.1},
                      {Unary::sin, -100, 100, 1.6},    {Unary::cos, -100, 100, 1.6}};
  for (const Row& row : rows) {
    CHECK(worst_ulps(row.op, all_scales(), 1) <= row.bound);
    CHECK(worst_ulps(row.op, values<float>(100000, row.low, row.high), 1) <= row.bound);
    CHECK(worst_ulps(row.op, values<float>(100000, -1.5, 1.5), 1) <= row.bound);
  }
  CHECK(worst_ulps(Unary::sqrt, all_scales()) <= 0.5);
}

TEST_CASE("sin and cos keep their digits next to multiples of pi/2") {
  std::vector<float> x;
  for (int64_t k = -5000; k <= 5000; k++)
    x.push_back(static_cast<float>(static_cast<double>(k) * 1.57079632679489661923));
  for (int64_t k = 1; k < 200; k++) x.push_back(static_cast<float>(k * 5237 + 1000000 - 200 * 2600));
  CHECK(worst_ulps(Unary::sin, x) <= 1.6);
  CHECK(worst_ulps(Unary::cos, x) <= 1.6);
}

TEST_CASE("unary ops at special values") {
  for_types([]<class T>(T) {
    const double tiny = std::numeric_limits<T>::denorm_min();
    const std::vector<T> x = special_values<T>();
    for (int i = 0; i < unary_count; i++) {
      const Unary op = static_cast<Unary>(i);
      const double p = op == Unary::pow ? 2 : op == Unary::affine ? 1 : -0.75;
      std::vector<T> y = unwritten<T>(x.size());
      Cpu<T>::unary(op, static_cast<int64_t>(x.size()), x.data(), y.data(), static_cast<T>(p), T(0.75));
      for (size_t k = 0; k < x.size(); k++) {
        const T right = static_cast<T>(expected(op, static_cast<double>(x[k]), p, 0.75));
        INFO("op " << i << " of " << x[k] << " is " << y[k] << ", expected " << right);
        const double error = std::abs(static_cast<double>(y[k]) - static_cast<double>(right));
        const bool same = y[k] == right || (std::isnan(y[k]) && std::isnan(right));
        CHECK((same || error <= 4 * epsilon<T> * std::abs(static_cast<double>(right)) + 2 * tiny));
      }
    }
  });
}

TEST_CASE("unary ops agree with plain loops at every length, also in place") {
  for_types([]<class T>(T) {
    for (int64_t n : {0, 1, 3, 31, 33, 257, 1000, 20000, 70001}) {
      for (int i = 0; i < unary_count; i++) {
        const Unary op = static_cast<Unary>(i);
        if (n > 1000 && op != Unary::affine && op != Unary::tanh) continue;  // threads: a light and a heavy op
        INFO("op " << i << ", n " << n);
        std::vector<T> x = domain_of<T>(op, n);
        const T p = T(-0.7), q = T(1.3);
        std::vector<double> right;
        for (T v : x) right.push_back(expected(op, v, p, q));
        std::vector<T> y = unwritten<T>(x.size());
        Cpu<T>::unary(op, n, x.data(), y.data(), p, q);
        require_close(y, right, 4 * epsilon<T>);
        Cpu<T>::unary(op, n, x.data(), x.data(), p, q);
        CHECK(same_bits(x, y));
      }
    }
  });
}

TEST_CASE("pow takes its shortcuts and the general way") {
  for_types([]<class T>(T) {
    const auto x = values<T>(101, 0.2, 3);
    for (double p : {2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.7, 0.0, -3.25}) {
      std::vector<T> y = unwritten<T>(x.size());
      Cpu<T>::unary(Unary::pow, 101, x.data(), y.data(), static_cast<T>(p), 0);
      std::vector<double> right;
      for (T v : x) right.push_back(std::pow(static_cast<double>(v), static_cast<double>(static_cast<T>(p))));
      require_close(y, right, 4 * epsilon<T>);
    }
  });
}

TEST_CASE("an element's result does not depend on where it lies or on the thread count") {
  const auto x = values<float>(100003, -5, 5);
  const auto all = [&](int count, int64_t from) {
    set_threads(count);
    std::vector<float> y = unwritten<float>(x.size() - static_cast<size_t>(from));
    Cpu<float>::unary(Unary::tanh, static_cast<int64_t>(y.size()), x.data() + from, y.data(), 0, 0);
    return y;
  };
  const int before = threads();
  const auto one = all(1, 0), two = all(2, 0), shifted = all(2, 5);
  set_threads(before);
  CHECK(same_bits(one, two));
  CHECK(same_bits(std::vector<float>(one.begin() + 5, one.end()), shifted));
}

// ---- binary ---------------------------------------------------------------------------------------------------------

namespace {

// Offset of flat element i.
int64_t offset(const Broadcast& s, const int64_t* strides, int64_t i) {
  int64_t at = 0;
  for (int k = s.rank - 1; k >= 0; k--) {
    at += i % s.sizes[k] * strides[k];
    i /= s.sizes[k];
  }
  return at;
}

template <class T>
void check_binary(Binary op, const Broadcast& s) {
  INFO("op " << static_cast<int>(op) << ", rank " << s.rank << ", sizes " << s.sizes[0] << " " << s.sizes[1] << " "
             << s.sizes[2]);
  const int64_t n = numel(s);
  const auto a = values<T>(extent(s, s.a_strides), -2, 2, 1);
  auto b = values<T>(extent(s, s.b_strides), -2, 2, 2);
  if (!b.empty() && !a.empty()) b[0] = a[0];
  const T p = T(0.3);
  std::vector<double> right;
  for (int64_t i = 0; i < n; i++)
    right.push_back(expected(op, a[offset(s, s.a_strides, i)], b[offset(s, s.b_strides, i)], p));
  std::vector<T> y = unwritten<T>(static_cast<size_t>(n));
  Cpu<T>::binary(op, s, a.data(), b.data(), y.data(), p);
  require_close(y, right, 4 * epsilon<T>);
}

const std::vector<Broadcast> patterns = patterns_and({
    {2, {500, 3}, {3, 1}, {0, 1}},  // per channel
    {2, {3, 1500}, {1500, 1}, {0, 1}},
    {2, {3, 9000}, {9000, 1}, {0, 1}},
    {2, {33, 257}, {1, 0}, {257, 1}},
});

}  // namespace

TEST_CASE("binary ops under every kind of broadcast") {
  for_types([]<class T>(T) {
    for (const Broadcast& s : patterns)
      for (int i = 0; i < binary_count; i++) check_binary<T>(static_cast<Binary>(i), s);
  });
}

TEST_CASE("large binary ops are split over threads") {
  for_types([]<class T>(T) {
    check_binary<T>(Binary::sub, {1, {200001}, {1}, {1}});
    check_binary<T>(Binary::sub, {2, {70001, 3}, {3, 1}, {0, 1}});
    check_binary<T>(Binary::sub, {2, {3, 70001}, {70001, 1}, {1, 0}});
    check_binary<T>(Binary::sub, {3, {2, 701, 99}, {69399, 99, 1}, {99, 0, 1}});
    check_binary<T>(Binary::sub, {2, {401, 401}, {1, 401}, {401, 1}});
  });
}

TEST_CASE("binary ops work in place of either operand") {
  for_types([]<class T>(T) {
    const Broadcast s = {2, {50, 7}, {7, 1}, {0, 1}}, swapped = {2, {50, 7}, {0, 1}, {7, 1}};
    const auto big = values<T>(350), small = values<T>(7, 1, 2, 3);
    std::vector<T> right(big.size()), in_place = big;
    Cpu<T>::binary(Binary::div, s, big.data(), small.data(), right.data(), 0);
    Cpu<T>::binary(Binary::div, s, in_place.data(), small.data(), in_place.data(), 0);
    CHECK(same_bits(in_place, right));
    in_place = big;
    Cpu<T>::binary(Binary::div, swapped, small.data(), big.data(), right.data(), 0);
    Cpu<T>::binary(Binary::div, swapped, small.data(), in_place.data(), in_place.data(), 0);
    CHECK(same_bits(in_place, right));
  });
}

TEST_CASE("a NaN operand wins maximum and minimum, and is neither greater nor equal") {
  for_types([]<class T>(T) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> a = {nan, 1, nan, 2}, b = {1, nan, nan, 3};
    const Broadcast s = {1, {4}, {1}, {1}};
    std::vector<T> y = unwritten<T>(4);
    for (Binary op : {Binary::maximum, Binary::minimum}) {
      Cpu<T>::binary(op, s, a.data(), b.data(), y.data(), 0);
      CHECK((std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2])));
      CHECK(y[3] == (op == Binary::maximum ? 3 : 2));
    }
    for (Binary op : {Binary::greater, Binary::equal}) {
      Cpu<T>::binary(op, s, a.data(), b.data(), y.data(), 0);
      CHECK(y == std::vector<T>(4, 0));
    }
  });
}

TEST_CASE("all_finite finds a bad value wherever it is") {
  for_types([]<class T>(T) {
    CHECK(Cpu<T>::all_finite(0, nullptr));
    const std::vector<T> extreme(40, std::numeric_limits<T>::max());
    CHECK(Cpu<T>::all_finite(40, extreme.data()));
    for (int64_t n : {1, 31, 1025, 100000}) {
      auto x = values<T>(n);
      CHECK(Cpu<T>::all_finite(n, x.data()));
      for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
        for (double bad : {nan_value, infinity, -infinity}) {
          const T good = x[at];
          x[at] = static_cast<T>(bad);
          CHECK_FALSE(Cpu<T>::all_finite(n, x.data()));
          x[at] = good;
        }
      }
    }
  });
}
