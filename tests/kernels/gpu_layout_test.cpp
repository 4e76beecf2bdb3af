// CUDA copies, rows by index, pooling and resizing against the CPU's: the same bits where only elements move.
#include <algorithm>

#include "tests/kernels/layout_reference.h"
#include "tests/kernels/pool_reference.h"
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

template <class T>
void check_copy(const StridedCopy& s) {
  INFO("rank " << s.rank << ", sizes " << s.sizes[0] << " " << s.sizes[1] << " " << s.sizes[2] << " " << s.sizes[3]);
  const bool empty = numel(s) == 0;
  const auto src = values<T>(empty ? 0 : extent(s, s.src_strides, s.src_offset));
  std::vector<T> right(static_cast<size_t>(empty ? 0 : extent(s, s.dst_strides, s.dst_offset) + 3), T(-9));
  const OnDevice<T> on_src(src), on_dst(right);
  Cpu<T>::strided_copy(s, src.data(), right.data());
  Gpu<T>::strided_copy(s, on_src.data(), on_dst.data());
  CHECK(same_bits(on_dst.host(), right));
}

const std::vector<PoolShape> pools =
    pools_and({pool(2, 9, 8, 31, 3, 3, 1), pool(4, 17, 15, 20, 2, 2, 0), pool(0, 4, 4, 3, 2, 2, 0)});
const std::vector<ResizeSizes> resizes = resizes_and(
    {{2, 8, 8, 31, 16, 16}, {1, 31, 2, 3, 2, 31}, {0, 3, 3, 3, 6, 6}, {1, 500, 3, 1, 333, 1}, {1, 100, 2, 3, 301, 7}});

}  // namespace

GPU_TEST_CASE("fill, copy and conversions at every length and alignment") {
  for_scalars([]<class T>(T) {
    for (const int64_t n : lengths) {
      INFO("n " << n);
      const auto x = values<T>(n);
      const OnDevice<T> on_x(x);
      const std::vector<T> filled(x.size(), T(-2.5));
      CHECK(same_bits(under_seeds<T>(n, [&](T* y) { Gpu<T>::fill(n, T(-2.5), y); }), filled));
      CHECK(same_bits(unaligned<T>(n, [&](T* y) { Gpu<T>::fill(n, T(-2.5), y); }), filled));
      CHECK(same_bits(under_seeds<T>(n, [&](T* y) { Gpu<T>::copy(n, on_x.data(), y); }), x));
      CHECK(same_bits(unaligned<T>(n, [&](T* y) { Gpu<T>::copy(n, on_x.data(), y); }), x));
      const auto f = values<float>(n);
      const auto d = values<double>(n);
      const OnDevice<float> on_f(f);
      const OnDevice<double> on_d(d);
      std::vector<T> right(x.size());
      Cpu<T>::from_float(n, f.data(), right.data());
      CHECK(same_bits(under_seeds<T>(n, [&](T* y) { Gpu<T>::from_float(n, on_f.data(), y); }), right));
      Cpu<T>::from_double(n, d.data(), right.data());
      CHECK(same_bits(under_seeds<T>(n, [&](T* y) { Gpu<T>::from_double(n, on_d.data(), y); }), right));
    }
  });
}

GPU_TEST_CASE("strided_copy: slices, pads, broadcasts, interleaving") {
  for_scalars([]<class T>(T) {
    check_copy<T>({0, {}, {}, 3, {}, 2});
    check_copy<T>({1, {1000}, {1}, 5, {1}, 0});
    check_copy<T>({1, {1000}, {1}, 0, {1}, 3});
    check_copy<T>({2, {33, 5}, {9, 1}, 2, {5, 1}, 0});    // columns cut out
    check_copy<T>({2, {33, 5}, {5, 1}, 0, {9, 1}, 2});    // columns put in
    check_copy<T>({1, {100}, {3}, 1, {1}, 0});            // every third
    check_copy<T>({1, {100}, {1}, 0, {2}, 1});            // interleaved
    check_copy<T>({2, {40, 31}, {1, 0}, 0, {31, 1}, 0});  // values repeated
    check_copy<T>({2, {31, 33}, {0, 0}, 4, {33, 1}, 0});
    check_copy<T>({3, {5, 7, 4}, {56, 8, 2}, 1, {28, 4, 1}, 0});
    check_copy<T>({2, {0, 5}, {5, 1}, 0, {5, 1}, 0});
    check_copy<T>({2, {5, 0}, {1, 5}, 0, {0, 1}, 0});
    check_copy<T>({2, {100, 300}, {301, 1}, 1, {300, 1}, 0});  // beyond one stride of the grid
  });
}

GPU_TEST_CASE("strided_copy: every permutation") {
  for_scalars([]<class T>(T) {
    for (const auto& sizes : {std::vector<int64_t>{2, 33, 7, 5}, {3, 1, 40, 35}, {2, 3, 4, 65}}) {
      std::vector<int> order = {0, 1, 2, 3};
      do check_copy<T>(permutation(sizes, order));
      while (std::next_permutation(order.begin(), order.end()));
    }
    for (uint64_t seed : {1, 2, 3}) {
      simt::set_seed(seed);
      check_copy<T>(permutation({70, 101}, {1, 0}));
      check_copy<T>(permutation({4, 16, 17, 9}, {0, 3, 1, 2}));  // NHWC to NCHW
      check_copy<T>(permutation({4, 9, 16, 17}, {0, 2, 3, 1}));  // and back
    }
    check_copy<T>(permutation({2, 3, 2, 3, 2, 5}, {5, 1, 3, 0, 4, 2}));
  });
}

GPU_TEST_CASE("gather and scatter_add, in the order of the index") {
  for_scalars([]<class T>(T) {
    for (int64_t width : {1, 3, 32, 33, 70}) {
      for (auto [n, entries] :
           std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {1, 1}, {33, 10}, {257, 40}, {500, 1}, {1500, 5000}}) {
        if (n * width > 20000) continue;
        INFO("width " << width << ", n " << n << ", entries " << entries);
        const auto table = values<T>(entries * width), rows = values<T>(n * width, -1, 1, 2);
        std::vector<int64_t> index;
        for (double v : values<double>(n, 0, 1, 3))
          index.push_back(std::min(entries - 1, static_cast<int64_t>(v * static_cast<double>(entries))));
        std::vector<T> gathered(rows.size()), summed(table.size());
        Cpu<T>::gather(n, width, table.data(), index.data(), gathered.data());
        Cpu<T>::scatter_add(n, width, entries, rows.data(), index.data(), summed.data());
        const OnDevice<T> on_table(table), on_rows(rows);
        const OnDevice<int64_t> on_index(index);
        CHECK(same_bits(
            under_seeds<T>(n * width, [&](T* y) { Gpu<T>::gather(n, width, on_table.data(), on_index.data(), y); }),
            gathered));
        CHECK(same_bits(
            under_seeds<T>(entries * width,
                           [&](T* y) { Gpu<T>::scatter_add(n, width, entries, on_rows.data(), on_index.data(), y); }),
            summed));
      }
    }
  });
}

GPU_TEST_CASE("mean and maximum pooling") {
  for_scalars([]<class T>(T) {
    for (const PoolShape& s : pools) {
      INFO("h " << s.h << ", w " << s.w << ", c " << s.c << ", kernel " << s.kh << ", stride " << s.stride_h);
      const int64_t in = s.n * s.h * s.w * s.c, out = s.n * s.oh * s.ow * s.c;
      auto x = values<T>(in);
      const auto gy = values<T>(out, -1, 1, 2);
      const OnDevice<T> on_x(x), on_gy(gy);
      std::vector<T> y(gy.size()), gx(x.size());
      Cpu<T>::avg_pool2d(s, x.data(), y.data());
      Cpu<T>::avg_pool2d_grad(s, gy.data(), gx.data());
      require_close(under_seeds<T>(out, [&](T* to) { Gpu<T>::avg_pool2d(s, on_x.data(), to); }), widened(y),
                    8 * epsilon<T>);
      require_close(under_seeds<T>(in, [&](T* to) { Gpu<T>::avg_pool2d_grad(s, on_gy.data(), to); }), widened(gx),
                    8 * epsilon<T>);
      for (T& v : x) v = std::round(v * 2);  // ties
      if (in > 0) x[x.size() / 2] = std::numeric_limits<T>::quiet_NaN();
      std::vector<int64_t> index(y.size());
      Cpu<T>::max_pool2d_index(s, x.data(), index.data());
      const OnDevice<T> on_ties(x);
      CHECK(under_seeds<int64_t>(out, [&](int64_t* to) { Gpu<T>::max_pool2d_index(s, on_ties.data(), to); }) == index);
    }
  });
}

GPU_TEST_CASE("resizing and its gradient") {
  for_scalars([]<class T>(T) {
    for (const ResizeSizes& s : resizes) {
      for (Resize mode : {Resize::nearest, Resize::bilinear}) {
        INFO("from " << s.h << "x" << s.w << " to " << s.oh << "x" << s.ow << ", mode " << static_cast<int>(mode));
        const auto x = values<T>(s.n * s.h * s.w * s.c), gy = values<T>(s.n * s.oh * s.ow * s.c, -1, 1, 2);
        const int64_t in = static_cast<int64_t>(x.size()), out = static_cast<int64_t>(gy.size());
        std::vector<T> y(gy.size()), gx(x.size());
        Cpu<T>::resize(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, x.data(), y.data());
        Cpu<T>::resize_grad(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, gy.data(), gx.data());
        const OnDevice<T> on_x(x), on_gy(gy);
        const auto forward = [&](T* to) { Gpu<T>::resize(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, on_x.data(), to); };
        const auto backward = [&](T* to) {
          Gpu<T>::resize_grad(mode, s.n, s.h, s.w, s.c, s.oh, s.ow, on_gy.data(), to);
        };
        const double tolerance = std::max(8 * epsilon<T>, 1e-12);  // the CPU places pixels in double, rounded
        require_close(under_seeds<T>(out, forward), widened(y), tolerance);
        require_close(under_seeds<T>(in, backward), widened(gx), tolerance, 4);
      }
    }
  });
}
