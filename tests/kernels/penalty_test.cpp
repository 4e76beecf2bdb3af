// Power iteration against the largest singular value and plain loops in double; the norm penalty against its formula
// and its gradient against differences.
#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

// One round of algorithm 1 for M (m, n) = at(i, j), in double.
template <class At>
void naive_round(int64_t m, int64_t n, const At& at, double eps, std::vector<double>& u, std::vector<double>& v) {
  const auto product = [eps](int64_t out, int64_t in, const auto& weight, const std::vector<double>& x) {
    std::vector<double> y(static_cast<size_t>(out));
    double sum = eps * eps;
    for (int64_t i = 0; i < out; i++) {
      for (int64_t j = 0; j < in; j++) y[i] += weight(i, j) * x[j];
      sum += y[i] * y[i];
    }
    for (double& value : y) value /= std::sqrt(sum);
    return y;
  };
  v = product(
      n, m, [&](int64_t j, int64_t i) { return at(i, j); }, u);
  u = product(m, n, at, v);
}

template <class T>
double penalty_of(int64_t rows, int64_t cols, const std::vector<T>& g, double target, double eps) {
  double penalty = 0;
  for (int64_t i = 0; i < rows; i++) {
    double sum = eps;
    for (int64_t j = 0; j < cols; j++) sum += std::pow(static_cast<double>(g[i * cols + j]), 2);
    penalty += std::pow(std::sqrt(sum) - target, 2) / static_cast<double>(rows);
  }
  return penalty;
}

}  // namespace

TEST_CASE("power iteration takes the steps of algorithm 1") {
  for_types([]<class T>(T) {
    for (auto [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {64, 48}, {33, 500}, {257, 31}})
      for (bool trans : {false, true}) {
        INFO(rows << " x " << cols << (trans ? ", transposed" : ""));
        const int64_t m = trans ? cols : rows, n = trans ? rows : cols;
        const auto w = values<T>(rows * cols), start = values<T>(m, -1, 1, 2);
        const T eps = T(1e-3);
        auto u = start;
        std::vector<T> v(static_cast<size_t>(n));
        Cpu<T>::power_iteration(rows, cols, trans, w.data(), eps, 3, u.data(), v.data());
        const auto at = [&](int64_t i, int64_t j) {
          return static_cast<double>(trans ? w[j * cols + i] : w[i * cols + j]);
        };
        auto right_u = widened(start);
        std::vector<double> right_v;
        for (int i = 0; i < 3; i++) naive_round(m, n, at, static_cast<double>(eps), right_u, right_v);
        require_close(u, right_u, 64 * epsilon<T>);
        require_close(v, right_v, 64 * epsilon<T>);
      }
  });
}

TEST_CASE("power iteration finds the largest singular value and its vectors") {
  const std::vector<double> w = {0, 0, 3, 0, -5, 0, 0, 0};  // (2, 4): singular values 5 and 3
  std::vector<double> u = {0.6, 0.8}, v(4);
  Cpu<double>::power_iteration(2, 4, false, w.data(), 0, 60, u.data(), v.data());
  CHECK(std::abs(u[1]) == Approx(1));
  CHECK(u[1] * w[4] * v[0] == Approx(5));
  const auto before = u;
  Cpu<double>::power_iteration(2, 4, false, w.data(), 0, 0, u.data(), v.data());
  CHECK(u == before);
}

TEST_CASE("a zero matrix gives zero vectors, not NaN") {
  const std::vector<float> w(12);
  std::vector<float> u(3, 1), v(4, 1);
  Cpu<float>::power_iteration(3, 4, false, w.data(), 1e-12f, 1, u.data(), v.data());
  CHECK(u == std::vector<float>(3));
  CHECK(v == std::vector<float>(4));
}

TEST_CASE("norm penalty is the mean squared distance of row norms from the target") {
  for_types([]<class T>(T) {
    for (auto [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {64, 48}, {33, 500}, {2, 40000}, {500, 3}}) {
      const auto g = values<T>(rows * cols);
      const T target = T(1.5), eps = T(1e-3);
      std::vector<T> norms = unwritten<T>(static_cast<size_t>(rows)), penalty = unwritten<T>(1);
      Cpu<T>::norm_penalty(rows, cols, g.data(), target, eps, norms.data(), penalty.data());
      require_close(penalty, {penalty_of(rows, cols, g, target, eps)}, 16 * epsilon<T>);
      std::vector<double> right(static_cast<size_t>(rows), eps);
      for (int64_t i = 0; i < rows * cols; i++)
        right[i / cols] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
      for (double& sum : right) sum = std::sqrt(sum);
      require_close(norms, right, 2 * epsilon<T>);
    }
  });
}

TEST_CASE("the gradient of the norm penalty is that of differences, times the incoming one") {
  const int64_t rows = 3, cols = 5;
  auto g = values<double>(rows * cols);
  g[0] = g[1] = g[2] = g[3] = g[4] = 0;  // a row of norm sqrt(eps): finite, thanks to eps
  const double target = 1, eps = 1e-4, gy = -0.7;
  std::vector<double> norms(3), gg(15);
  double penalty = 0;
  Cpu<double>::norm_penalty(rows, cols, g.data(), target, eps, norms.data(), &penalty);
  Cpu<double>::norm_penalty_grad(rows, cols, g.data(), norms.data(), target, &gy, gg.data());
  for (size_t i = 0; i < 15; i++) {
    const double at = g[i], h = 1e-6;
    g[i] = at + h;
    const double up = penalty_of(rows, cols, g, target, eps);
    g[i] = at - h;
    const double down = penalty_of(rows, cols, g, target, eps);
    g[i] = at;
    CHECK(gg[i] == Approx(gy * (up - down) / (2 * h)).margin(1e-7));
  }
}
