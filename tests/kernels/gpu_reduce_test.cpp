// CUDA reductions over every pattern of axes, argmax and softmax, against the CPU's and against double.
#include "tests/kernels/reduce_reference.h"
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

template <class T>
std::vector<double> on_cpu(Reduce op, const Case& c, const std::vector<T>& x) {  // in double
  const auto wide = widened(x);
  std::vector<double> y(static_cast<size_t>(count(c, false)));
  Cpu<double>::reduce(op, shape_of(c), wide.data(), y.data());
  return y;
}

template <class T>
std::vector<T> on_gpu(Reduce op, const Case& c, const std::vector<T>& x) {
  const OnDevice<T> on_x(x), y(static_cast<size_t>(count(c, false)));
  Gpu<T>::reduce(op, shape_of(c), on_x.data(), y.data());
  return y.host();
}

const std::vector<Case> cases = cases_and({
    {{1025}, {fold}},
    {{70003}, {fold}},
    {{3, 20001}, {keep, fold}},
    {{65, 17}, {keep, fold}},
    {{257, 2}, {fold, keep}},
    {{6001, 3}, {fold, keep}},
    {{65, 256}, {fold, keep}},
    {{70, 1001}, {fold, keep}},
    {{3, 200, 129}, {keep, fold, keep}},
    {{40, 30, 50}, {fold, keep, fold}},
    {{0, 5, 0}, {fold, keep, fold}},
    {{5, 0}, {fold, keep}},
});

}  // namespace

GPU_TEST_CASE("sum, max and min over every pattern of axes") {
  for_scalars([]<class T>(T) {
    for (const Case& c : cases) {
      INFO("rank " << c.sizes.size() << ", first size " << (c.sizes.empty() ? 0 : c.sizes[0]));
      const auto x = values<T>(count(c, true));
      const double terms =
          static_cast<double>(count(c, true)) / static_cast<double>(std::max<int64_t>(count(c, false), 1));
      const OnDevice<T> on_x(x);
      const int64_t results = count(c, false);
      const auto sums =
          under_seeds<T>(results, [&](T* y) { Gpu<T>::reduce(Reduce::sum, shape_of(c), on_x.data(), y); });
      require_close(sums, on_cpu(Reduce::sum, c, x), epsilon<T>, 8 * std::sqrt(terms + 1));
      require_close(on_gpu(Reduce::max, c, x), on_cpu(Reduce::max, c, x), 0);
      require_close(on_gpu(Reduce::min, c, x), on_cpu(Reduce::min, c, x), 0);
      auto shifted = x;
      shifted.insert(shifted.begin(), T(100));
      const OnDevice<T> behind(shifted);
      const auto sum = [&](T* y) { Gpu<T>::reduce(Reduce::sum, shape_of(c), behind.data() + 1, y); };
      CHECK(same_bits(unaligned<T>(results, sum), sums));
    }
  });
}

GPU_TEST_CASE("the error of a sum does not grow with its length") {
  const int64_t n = 1 << 20;
  const std::vector<float> tenths(static_cast<size_t>(n), 0.1f);
  const double right = static_cast<double>(0.1f) * static_cast<double>(n);
  for (int64_t columns : {1, 4, 128}) {
    const Case c = {{n / columns, columns}, {fold, keep}};
    const auto sums = on_gpu(Reduce::sum, columns == 1 ? Case{{n}, {fold}} : c, tenths);
    for (float v : sums) CHECK(std::abs(static_cast<double>(v) * static_cast<double>(columns) - right) <= 1e-6 * right);
  }
}

GPU_TEST_CASE("a NaN anywhere comes out of every reduction") {
  for_scalars([]<class T>(T) {
    for (const Case& c : {Case{{257}, {fold}}, Case{{31, 5}, {fold, keep}}, Case{{5, 31}, {keep, fold}}}) {
      for (int64_t at : {int64_t{0}, int64_t{77}, count(c, true) - 1}) {
        auto x = values<T>(count(c, true));
        x[static_cast<size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
        for (Reduce op : {Reduce::sum, Reduce::max, Reduce::min}) {
          int found = 0;
          for (T v : on_gpu(op, c, x)) found += std::isnan(v);
          CHECK(found == 1);
        }
      }
    }
  });
}

GPU_TEST_CASE("argmax gives the first maximum, or the first NaN") {
  for_scalars([]<class T>(T) {
    for (int64_t cols : {1, 10, 16, 33, 1000, 1500}) {
      auto x = values<T>(57 * cols);
      if (cols > 9) {
        for (int64_t row = 0; row < 57; row += 3) x[row * cols + 2] = x[row * cols + 8] = 5;
        x[cols + 4] = x[cols + 7] = std::numeric_limits<T>::quiet_NaN();
        for (int64_t c = 0; c < cols; c++) x[2 * cols + c] = -std::numeric_limits<T>::infinity();
      }
      std::vector<int64_t> right(57);
      Cpu<T>::argmax(57, cols, x.data(), right.data());
      const OnDevice<T> on_x(x);
      CHECK(under_seeds<int64_t>(57, [&](int64_t* index) { Gpu<T>::argmax(57, cols, on_x.data(), index); }) == right);
    }
    Gpu<T>::argmax(0, 10, nullptr, nullptr);
  });
}

GPU_TEST_CASE("softmax and log_softmax") {
  for_scalars([]<class T>(T) {
    const double infinity = std::numeric_limits<double>::infinity();
    for (auto [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 5}, {3, 1}, {65, 3}, {70, 10}, {9, 31}, {33, 33}, {5, 1024}, {3, 1025}, {2, 5001}}) {
      INFO("rows " << rows << ", cols " << cols);
      auto x = values<T>(rows * cols, -20, 20);
      if (rows >= 5) {
        x[0] = std::numeric_limits<T>::quiet_NaN();
        x[cols + 1] = static_cast<T>(infinity);
        std::fill_n(x.begin() + 2 * cols, cols, static_cast<T>(-infinity));
        x[3 * cols + 2] = static_cast<T>(-infinity);
        x[4 * cols] = T(1000);
      }
      std::vector<T> y(x.size()), logs(x.size());
      Cpu<T>::softmax(rows, cols, x.data(), y.data());
      Cpu<T>::log_softmax(rows, cols, x.data(), logs.data());
      const OnDevice<T> on_x(x);
      const int64_t n = rows * cols;
      require_close(under_seeds<T>(n, [&](T* to) { Gpu<T>::softmax(rows, cols, on_x.data(), to); }), widened(y),
                    16 * epsilon<T>);
      require_close(under_seeds<T>(n, [&](T* to) { Gpu<T>::log_softmax(rows, cols, on_x.data(), to); }), widened(logs),
                    16 * epsilon<T>);
    }
  });
}
