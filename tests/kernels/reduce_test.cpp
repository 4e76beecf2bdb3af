// Reductions over every pattern of axes against plain loops in long double; their rounding error, NaN and
// repeatability.
#include <limits>

#include "tests/kernels/reduce_reference.h"
#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

template <class T>
std::vector<double> naive(Reduce op, const Case& c, const std::vector<T>& x) {
  constexpr long double infinity = std::numeric_limits<long double>::infinity();
  std::vector<long double> y(static_cast<size_t>(count(c, false)), op == Reduce::sum   ? 0
                                                                   : op == Reduce::max ? -infinity
                                                                                       : infinity);
  for (size_t flat = 0; flat < x.size(); flat++) {
    int64_t rest = static_cast<int64_t>(flat), at = 0, stride = 1;
    for (int i = static_cast<int>(c.sizes.size()) - 1; i >= 0; i--) {
      if (!c.reduced[i]) {
        at += rest % c.sizes[i] * stride;
        stride *= c.sizes[i];
      }
      rest /= c.sizes[i];
    }
    const long double v = x[flat];
    y[at] = op == Reduce::sum ? y[at] + v : op == Reduce::max ? std::max(y[at], v) : std::min(y[at], v);
  }
  return std::vector<double>(y.begin(), y.end());
}

template <class T>
std::vector<T> reduced(Reduce op, const Case& c, const std::vector<T>& x) {
  std::vector<T> y = unwritten<T>(static_cast<size_t>(count(c, false)));
  Cpu<T>::reduce(op, shape_of(c), x.data(), y.data());
  return y;
}

const std::vector<Case> cases = cases_and({
    {{257}, {fold}},
    {{100003}, {fold}},
    {{3, 50001}, {keep, fold}},
    {{257, 3}, {fold, keep}},
    {{4097, 3}, {fold, keep}},
    {{5, 5001}, {fold, keep}},
    {{300, 2500}, {fold, keep}},
    {{9, 49, 65}, {keep, fold, keep}},
});

}  // namespace

TEST_CASE("sum, max and min over every pattern of axes") {
  for_types([]<class T>(T) {
    for (const Case& c : cases) {
      INFO("rank " << c.sizes.size() << ", first size " << (c.sizes.empty() ? 0 : c.sizes[0]));
      const auto x = values<T>(count(c, true));
      const double terms =
          static_cast<double>(count(c, true)) / static_cast<double>(std::max<int64_t>(count(c, false), 1));
      require_close(reduced(Reduce::sum, c, x), naive(Reduce::sum, c, x), epsilon<T>, 8 * std::sqrt(terms + 1));
      require_close(reduced(Reduce::max, c, x), naive(Reduce::max, c, x), 0);
      require_close(reduced(Reduce::min, c, x), naive(Reduce::min, c, x), 0);
    }
  });
}

TEST_CASE("the error of a sum does not grow with its length") {
  with_threads([] {
    const int64_t n = 1 << 22;
    const std::vector<float> tenths(static_cast<size_t>(n), 0.1f);
    const double right = static_cast<double>(0.1f) * static_cast<double>(n);
    const float all = reduced(Reduce::sum, {{n}, {fold}}, tenths)[0];
    CHECK(std::abs(static_cast<double>(all) - right) <= 1e-5 * right);
    const auto columns = reduced(Reduce::sum, {{n / 4, 4}, {fold, keep}}, tenths);
    const auto wide = reduced(Reduce::sum, {{n / 128, 128}, {fold, keep}}, tenths);
    for (float v : columns) CHECK(std::abs(static_cast<double>(v) - right / 4) <= 1e-5 * right / 4);
    for (float v : wide) CHECK(std::abs(static_cast<double>(v) - right / 128) <= 1e-5 * right / 128);
  });
}

TEST_CASE("a NaN anywhere comes out of every reduction") {
  for_types([]<class T>(T) {
    for (const Case& c : {Case{{257}, {fold}}, Case{{31, 5}, {fold, keep}}, Case{{5, 31}, {keep, fold}}}) {
      for (int64_t at : {int64_t{0}, int64_t{77}, count(c, true) - 1}) {
        auto x = values<T>(count(c, true));
        x[at] = std::numeric_limits<T>::quiet_NaN();
        for (Reduce op : {Reduce::sum, Reduce::max, Reduce::min}) {
          int found = 0;
          for (T v : reduced(op, c, x)) found += std::isnan(v);
          CHECK(found == 1);
        }
      }
    }
  });
}

TEST_CASE("sums are the same bits for every thread count and every repetition") {
  const int before = threads();
  for (const Case& c : cases) {
    const auto x = values<float>(count(c, true));
    set_threads(1);
    const auto one = reduced(Reduce::sum, c, x);
    set_threads(2);
    CHECK(same_bits(reduced(Reduce::sum, c, x), one));
    CHECK(same_bits(reduced(Reduce::sum, c, x), one));
  }
  set_threads(before);
}

TEST_CASE("argmax gives the first maximum, or the first NaN") {
  for_types([]<class T>(T) {
    for (int64_t cols : {1, 10, 33, 1000}) {
      auto x = values<T>(57 * cols);
      if (cols > 9) {
        for (int64_t row = 0; row < 57; row += 3) x[row * cols + 2] = x[row * cols + 8] = 5;
        x[cols + 4] = x[cols + 7] = std::numeric_limits<T>::quiet_NaN();
      }
      std::vector<int64_t> index(57);
      Cpu<T>::argmax(57, cols, x.data(), index.data());
      for (int64_t row = 0; row < 57; row++) {
        int64_t best = 0;
        for (int64_t c = 1; c < cols; c++) {
          const T v = x[row * cols + c], b = x[row * cols + best];
          if (!std::isnan(b) && (v > b || std::isnan(v))) best = c;
        }
        CHECK(index[row] == best);
      }
    }
  });
}
