// Softmax and log-softmax against plain loops in double.
#include <limits>

#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

std::vector<double> naive(int64_t rows, int64_t cols, const std::vector<double>& x, bool logarithm) {
  std::vector<double> y(x.size());
  for (int64_t r = 0; r < rows; r++) {
    const double* row = &x[r * cols];
    const double maximum = *std::max_element(row, row + cols);
    double sum = 0;
    for (int64_t c = 0; c < cols; c++) sum += std::exp(row[c] - maximum);
    for (int64_t c = 0; c < cols; c++)
      y[r * cols + c] = logarithm ? row[c] - maximum - std::log(sum) : std::exp(row[c] - maximum) / sum;
  }
  return y;
}

}  // namespace

TEST_CASE("softmax and log_softmax agree with plain loops") {
  for_types([]<class T>(T) {
    for (int64_t rows : {0, 1, 33, 257}) {
      for (int64_t cols : {1, 2, 10, 31, 33, 1000}) {
        const auto x = values<T>(rows * cols, -20, 20);
        std::vector<T> y = unwritten<T>(x.size());
        Cpu<T>::softmax(rows, cols, x.data(), y.data());
        require_close(y, naive(rows, cols, widened(x), false), 16 * epsilon<T>, 1e-3);
        Cpu<T>::log_softmax(rows, cols, x.data(), y.data());
        require_close(y, naive(rows, cols, widened(x), true), 8 * epsilon<T>);
      }
    }
  });
}

TEST_CASE("log_softmax of large numbers in long rows") {
  for_types([]<class T>(T) {
    for (const double centre : {1000.0, -1000.0}) {
      const auto x = values<T>(3 * 5000, centre - 3, centre + 3);
      std::vector<T> y = unwritten<T>(x.size());
      Cpu<T>::log_softmax(3, 5000, x.data(), y.data());
      require_close(y, naive(3, 5000, widened(x), true), 16 * epsilon<T>);
    }
  });
}

TEST_CASE("softmax neither overflows nor hides a NaN") {
  for_types([]<class T>(T) {
    const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> x = {10000, 10000, -10000, 0, -infinity, 0, 1, nan, 2};
    std::vector<T> y = unwritten<T>(9);
    Cpu<T>::softmax(3, 3, x.data(), y.data());
    CHECK(std::vector<T>(y.begin(), y.begin() + 6) == std::vector<T>{0.5, 0.5, 0, 0.5, 0, 0.5});
    for (int i = 6; i < 9; i++) CHECK(std::isnan(y[i]));
    Cpu<T>::log_softmax(3, 3, x.data(), y.data());
    CHECK(y[2] == Approx(-20000 - std::log(2.0)));
    CHECK(y[4] == -infinity);
    for (int i = 6; i < 9; i++) CHECK(std::isnan(y[i]));
  });
}
