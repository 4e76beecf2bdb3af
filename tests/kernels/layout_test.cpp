// Copies, conversions and rows by index against plain loops.
#include <algorithm>
#include <limits>

#include "tests/kernels/layout_reference.h"
#include "tests/kernels/values.h"

using namespace forger::kernels;

namespace {

template <class T>
void check_copy(const StridedCopy& s) {
  INFO("rank " << s.rank << ", sizes " << s.sizes[0] << " " << s.sizes[1] << " " << s.sizes[2] << " " << s.sizes[3]);
  const bool empty = numel(s) == 0;
  const auto src = values<T>(empty ? 0 : extent(s, s.src_strides, s.src_offset));
  std::vector<T> dst(static_cast<size_t>(empty ? 0 : extent(s, s.dst_strides, s.dst_offset) + 3), T(-9));
  std::vector<T> right = dst;
  for (int64_t flat = 0; flat < numel(s); flat++) {
    int64_t rest = flat, from = s.src_offset, to = s.dst_offset;
    for (int k = s.rank - 1; k >= 0; k--) {
      from += rest % s.sizes[k] * s.src_strides[k];
      to += rest % s.sizes[k] * s.dst_strides[k];
      rest /= s.sizes[k];
    }
    right[to] = src[from];
  }
  Cpu<T>::strided_copy(s, src.data(), dst.data());
  CHECK(same_bits(dst, right));
}

}  // namespace

TEST_CASE("strided_copy: slices, pads, broadcasts, interleaving") {
  for_types([]<class T>(T) {
    check_copy<T>({0, {}, {}, 3, {}, 2});
    check_copy<T>({1, {1000}, {1}, 5, {1}, 0});
    check_copy<T>({2, {33, 5}, {9, 1}, 2, {5, 1}, 0});        // columns cut out
    check_copy<T>({2, {33, 100}, {100, 1}, 0, {131, 1}, 7});  // columns put in
    check_copy<T>({2, {33, 100}, {100, 1}, 0, {2, 66}, 1});
    check_copy<T>({2, {31, 33}, {0, 1}, 0, {33, 1}, 0});  // rows repeated
    check_copy<T>({2, {31, 33}, {1, 0}, 0, {33, 1}, 0});  // values repeated
    check_copy<T>({2, {31, 33}, {0, 0}, 4, {33, 1}, 0});
    check_copy<T>({3, {5, 7, 4}, {56, 8, 2}, 1, {28, 4, 1}, 0});
    check_copy<T>({2, {0, 5}, {5, 1}, 0, {5, 1}, 0});
    check_copy<T>({2, {5, 0}, {1, 5}, 0, {0, 1}, 0});
    check_copy<T>({2, {300, 1000}, {1001, 1}, 1, {1000, 1}, 0});  // over threads
  });
}

TEST_CASE("strided_copy: every permutation") {
  for_types([]<class T>(T) {
    for (const auto& sizes : {std::vector<int64_t>{2, 33, 7, 5}, {3, 1, 40, 35}, {2, 3, 4, 65}}) {
      std::vector<int> order = {0, 1, 2, 3};
      do check_copy<T>(permutation(sizes, order));
      while (std::next_permutation(order.begin(), order.end()));
    }
    check_copy<T>(permutation({700, 301}, {1, 0}));
    check_copy<T>(permutation({64, 32, 33, 3}, {0, 3, 1, 2}));  // NHWC to NCHW
    check_copy<T>(permutation({64, 3, 32, 33}, {0, 2, 3, 1}));  // and back
    check_copy<T>(permutation({2, 3, 2, 3, 2, 5}, {5, 1, 3, 0, 4, 2}));
  });
}

TEST_CASE("fill, copy and conversions") {
  for_types([]<class T>(T) {
    for (int64_t n : {0, 1, 31, 33, 257, 1000, 200001}) {
      std::vector<T> y(static_cast<size_t>(n) + 1, T(1)), filled(static_cast<size_t>(n) + 1, T(-2.5));
      filled.back() = 1;
      Cpu<T>::fill(n, T(-2.5), y.data());
      CHECK(same_bits(y, filled));
      const auto x = values<T>(n);
      auto copied = x;
      Cpu<T>::fill(n, T(0), copied.data());
      Cpu<T>::copy(n, x.data(), copied.data());
      CHECK(same_bits(copied, x));
      const auto f = values<float>(n);
      const auto d = values<double>(n);
      Cpu<T>::from_float(n, f.data(), copied.data());
      CHECK(copied == std::vector<T>(f.begin(), f.end()));
      Cpu<T>::from_double(n, d.data(), copied.data());
      bool same = true;
      for (int64_t i = 0; i < n; i++) same &= copied[i] == static_cast<T>(d[i]);
      CHECK(same);
    }
  });
}

TEST_CASE("gather and scatter_add") {
  for_types([]<class T>(T) {
    for (int64_t width : {1, 3, 33, 300}) {
      for (auto [n, entries] : std::vector<std::pair<int64_t, int64_t>>{
               {0, 3}, {1, 1}, {33, 10}, {257, 40}, {3000, 1000}, {200000, 5000}}) {
        if (n * width > 1000000) continue;
        INFO("width " << width << ", n " << n << ", entries " << entries);
        const auto table = values<T>(entries * width), rows = values<T>(n * width, -1, 1, 2);
        std::vector<int64_t> index;
        for (T v : values<T>(n, 0, 1, 3))
          index.push_back(std::min(entries - 1, static_cast<int64_t>(v * static_cast<T>(entries))));
        std::vector<T> gathered = unwritten<T>(rows.size()), summed(table.size(), T(7)), right(table.size(), T(0));
        Cpu<T>::gather(n, width, table.data(), index.data(), gathered.data());
        Cpu<T>::scatter_add(n, width, entries, rows.data(), index.data(), summed.data());
        bool same = true;
        for (int64_t i = 0; i < n; i++) {
          for (int64_t c = 0; c < width; c++) {
            same &= gathered[i * width + c] == table[index[i] * width + c];
            right[index[i] * width + c] += rows[i * width + c];  // the same order: the same bits
          }
        }
        CHECK(same);
        CHECK(same_bits(summed, right));
      }
    }
  });
}
