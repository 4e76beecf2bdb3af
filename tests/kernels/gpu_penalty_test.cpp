// Power iteration and the norm penalty on the software device against the CPU, which penalty_test.cpp checks.
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

using Sizes = std::vector<std::pair<int64_t, int64_t>>;

// x on the device, `shift` elements behind an aligned address.
template <class T>
std::vector<T> shifted(std::vector<T> x, size_t shift) {
  x.insert(x.begin(), shift, T{});
  return x;
}

// {u, v} after some rounds.
template <class T>
std::vector<std::vector<T>> iterated(int64_t rows, int64_t cols, bool trans, int iterations, size_t shift) {
  const auto w = values<T>(rows * cols), start = values<T>(trans ? cols : rows, -1, 1, 2);
  const OnDevice<T> matrix(shifted(w, shift)), u(shifted(start, shift));
  const OnDevice<T> v(static_cast<size_t>(trans ? rows : cols));
  Gpu<T>::power_iteration(rows, cols, trans, matrix.data() + shift, T(1e-3), iterations, u.data() + shift, v.data());
  auto result = u.host();
  result.erase(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(shift));
  return {result, v.host()};
}

template <class T>
void check_iteration(int64_t rows, int64_t cols, bool trans, size_t shift) {
  INFO(rows << " x " << cols << (trans ? ", transposed" : "") << ", shift " << shift);
  const auto w = values<T>(rows * cols);
  auto u = values<T>(trans ? cols : rows, -1, 1, 2);
  std::vector<T> v(static_cast<size_t>(trans ? rows : cols));
  Cpu<T>::power_iteration(rows, cols, trans, w.data(), T(1e-3), 2, u.data(), v.data());
  const auto actual = iterated<T>(rows, cols, trans, 2, shift);
  require_close(actual[0], widened(u), 64 * epsilon<T>);
  require_close(actual[1], widened(v), 64 * epsilon<T>);
}

// {norms, penalty, gradient}
template <class T, class Array, class Backend>
std::vector<std::vector<T>> penalty_on(Backend, int64_t rows, int64_t cols, size_t shift) {
  const Array g(shifted(values<T>(rows * cols), shift)), gy(std::vector<T>{T(-0.7)});
  const Array norms(static_cast<size_t>(rows)), penalty(1), gg(static_cast<size_t>(rows * cols));
  const T target = T(1.5);
  Backend::norm_penalty(rows, cols, g.data() + shift, target, T(1e-3), norms.data(), penalty.data());
  Backend::norm_penalty_grad(rows, cols, g.data() + shift, norms.data(), target, gy.data(), gg.data());
  return {norms.host(), penalty.host(), gg.host()};
}

template <class T>
struct OnHost {
  mutable std::vector<T> values;
  explicit OnHost(std::vector<T> x) : values(std::move(x)) {}
  explicit OnHost(size_t n) : values(n) {}
  T* data() const { return values.data(); }
  const std::vector<T>& host() const { return values; }
};

template <class T>
void check_penalty(int64_t rows, int64_t cols, size_t shift) {
  INFO(rows << " x " << cols << ", shift " << shift);
  const auto expected = penalty_on<T, OnHost<T>>(Cpu<T>{}, rows, cols, shift);
  const auto actual = penalty_on<T, OnDevice<T>>(Gpu<T>{}, rows, cols, shift);
  for (size_t i = 0; i < 3; i++) require_close(actual[i], widened(expected[i]), 64 * epsilon<T>);
}

}  // namespace

GPU_TEST_CASE("power iteration agrees with the CPU") {
  for (auto [rows, cols] : Sizes{{1, 1}, {3, 7}, {64, 48}, {33, 500}, {257, 31}, {700, 4}, {2, 4200}, {96, 256}}) {
    for (bool trans : {false, true}) {
      check_iteration<float>(rows, cols, trans, 0);
      check_iteration<double>(rows, cols, trans, 0);
      check_iteration<float>(rows, cols, trans, 1);
    }
  }
}

GPU_TEST_CASE("a zero matrix and an empty one give zero vectors") {
  for (auto [rows, cols] : Sizes{{3, 4}, {3, 0}, {0, 4}}) {
    const OnDevice<float> w(std::vector<float>(static_cast<size_t>(rows * cols))),
        u(std::vector<float>(static_cast<size_t>(rows), 1)), v(std::vector<float>(static_cast<size_t>(cols), 1));
    Gpu<float>::power_iteration(rows, cols, false, w.data(), 1e-12f, 1, u.data(), v.data());
    CHECK(u.host() == std::vector<float>(static_cast<size_t>(rows)));
    CHECK(v.host() == std::vector<float>(static_cast<size_t>(cols)));
  }
}

SIMT_TEST_CASE("a round of power iteration is two launches that read the matrix twice") {
  for (bool trans : {false, true}) {
    simt::reset_traffic();
    iterated<float>(96, 1024, trans, 3, 0);
    const simt::Traffic all = simt::all_traffic();
    CHECK(all.launches == 6);
    CHECK(all.read_bytes < 3 * 2 * 96 * 1024 * sizeof(float) * 5 / 2);  // each weight with its share of u or v
  }
}

GPU_TEST_CASE("the norm penalty and its gradient agree with the CPU") {
  for (auto [rows, cols] :
       Sizes{{1, 1}, {3, 7}, {64, 48}, {33, 500}, {300, 3}, {2, 9000}, {2, 4097}, {64, 0}, {0, 5}}) {
    check_penalty<float>(rows, cols, 0);
    check_penalty<double>(rows, cols, 0);
    check_penalty<float>(rows, cols, 1);
  }
}

GPU_TEST_CASE("power iteration and penalty give the same bits for every order of threads") {
  for (bool trans : {false, true}) check_order([=] { return iterated<float>(300, 200, trans, 2, 0); });
  check_order([] { return penalty_on<float, OnDevice<float>>(Gpu<float>{}, 40, 500, 0); });
}
