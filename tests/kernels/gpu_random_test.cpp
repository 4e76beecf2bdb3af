// The CUDA random kernels draw the CPU's numbers, wherever a draw begins, and move on with the device's offset.
#include "tests/kernels/seeds.h"

using namespace forger;
using namespace forger::kernels;

namespace {

// Angles up to 2 pi lie 5e-7 apart, and a CPU without fused multiply-add rounds them once more. A GPU's fast sine and
// cosine multiply them by a truncated 1 / (2 pi): some 1e-6 of a radius that reaches 6.8.
// In double there is neither.
template <class T>
constexpr double normal_tolerance = std::is_same_v<T, double> ? 1e-13
                                    : gpu == Device::simt     ? 2e-6
                                                              : 1e-5;
constexpr uint64_t seed = 0x123456789abcdef0, stream = 0xfedcba9876543210;

struct Offset {  // scope
  explicit Offset(uint64_t blocks) { runtime(gpu).set_random_offset(blocks); }
  ~Offset() { runtime(gpu).set_random_offset(0); }
};

template <class T>
std::vector<T> uniform(uint64_t block, int64_t n) {
  return under_seeds<T>(n, [&](T* y) { Gpu<T>::random_uniform(seed, stream, block, n, 0, 1, y); });
}

}  // namespace

GPU_TEST_CASE("uniform and normal numbers and dropout are the CPU's") {
  for_scalars([]<class T>(T) {
    for (uint64_t block : {uint64_t{0}, uint64_t{7}, uint64_t{0xfffffff0}, uint64_t{1} << 61}) {
      for (const int64_t n : lengths) {
        INFO("block " << block << ", n " << n);
        const auto x = values<T>(n);
        const OnDevice<T> on_x(x);
        std::vector<T> right(x.size());
        Cpu<T>::random_uniform(seed, stream, block, n, 0, 1, right.data());
        CHECK(same_bits(uniform<T>(block, n), right));
        CHECK(
            same_bits(unaligned<T>(n, [&](T* y) { Gpu<T>::random_uniform(seed, stream, block, n, 0, 1, y); }), right));
        Cpu<T>::random_uniform(seed, stream, block, n, -3, 5, right.data());
        require_close(under_seeds<T>(n, [&](T* y) { Gpu<T>::random_uniform(seed, stream, block, n, -3, 5, y); }),
                      widened(right), 1e-6);
        Cpu<T>::random_normal(seed, stream, block, n, T(0.5), T(1.5), right.data());
        require_close(
            under_seeds<T>(n, [&](T* y) { Gpu<T>::random_normal(seed, stream, block, n, T(0.5), T(1.5), y); }),
            widened(right), normal_tolerance<T>);
        Cpu<T>::dropout(seed, stream, block, n, T(0.3), x.data(), right.data());
        CHECK(same_bits(
            under_seeds<T>(n, [&](T* y) { Gpu<T>::dropout(seed, stream, block, n, T(0.3), on_x.data(), y); }), right));
        // Each array one element late.
        CHECK(same_bits(unaligned<T>(n, [&](T* y) { Gpu<T>::dropout(seed, stream, block, n, T(0.3), on_x.data(), y); }),
                        right));
        std::vector<T> shifted(x);
        shifted.insert(shifted.begin(), T(0));
        const OnDevice<T> late(shifted);
        CHECK(same_bits(
            under_seeds<T>(n, [&](T* y) { Gpu<T>::dropout(seed, stream, block, n, T(0.3), late.data() + 1, y); }),
            right));
      }
    }
  });
}

GPU_TEST_CASE("the random offset moves every draw along the stream, in recorded steps too") {
  const int64_t n = 100;
  const auto x = values<float>(n);
  const OnDevice<float> on_x(x), on_y(n);
  std::vector<float> right(n);
  {
    const Offset offset(5);
    Cpu<float>::random_uniform(seed, stream, 12, n, 0, 1, right.data());
    CHECK(same_bits(uniform<float>(7, n), right));
    Cpu<float>::dropout(seed, stream, 12, n, 0.5f, x.data(), right.data());
    CHECK(same_bits(
        under_seeds<float>(n, [&](float* y) { Gpu<float>::dropout(seed, stream, 7, n, 0.5f, on_x.data(), y); }),
        right));
    Cpu<float>::random_normal(seed, stream, 12, n, 0, 1, right.data());
    require_close(under_seeds<float>(n, [&](float* y) { Gpu<float>::random_normal(seed, stream, 7, n, 0, 1, y); }),
                  widened(right), normal_tolerance<float>);
  }
  DeviceRuntime& device = runtime(gpu);
  device.begin_recording();
  Gpu<float>::random_uniform(seed, stream, 0, n, 0, 1, on_y.data());
  const auto graph = device.end_recording();
  for (uint64_t blocks : {0, 3, 1000}) {
    const Offset offset(blocks);
    graph->replay();
    Cpu<float>::random_uniform(seed, stream, blocks, n, 0, 1, right.data());
    CHECK(same_bits(on_y.host(), right));
  }
}
