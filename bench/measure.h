// What the benchmarks share: a clock, the machine's limits, numbers from the command line, the layers of DCGAN.
#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"

namespace forger::bench {

inline int64_t positive(std::string_view digits, const char* name) {
  constexpr int64_t most = 65536;
  int64_t value = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  check<UsageError>(status == std::errc() && end == digits.data() + digits.size() && value >= 1 && value <= most, name,
                    " takes a number from 1 to ", most, ", got '", digits, "'");
  return value;
}

// What a benchmark's main does: runs, and turns what goes wrong into a line and an exit code, 2 for bad usage.
template <class F>
int guarded(const char* program, const F& run) {
  try {
    run();
    return 0;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s\n", program, error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program, error.what());
    return 1;
  }
}

template <class F>
double seconds_of(const F& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// What a measurement lasts at least: on a CPU others take turns with us.
constexpr double cpu_seconds = 0.05, gpu_seconds = 0.01;

struct Timing {
  double best, median;  // seconds per call
};

// Of a device that works through a queue: five measurements, each of as many calls as last `least` seconds, with `wait`
// for the queue at the end.
template <class Run, class Wait>
Timing time_calls(const Run& run, const Wait& wait, double least) {
  constexpr double margin = 1.2;
  const auto calls = [&](int64_t count) {
    return seconds_of([&] {
      for (int64_t i = 0; i < count; i++) run();
      wait();
    });
  };
  calls(1);  // allocates, chooses algorithms, warms up
  int64_t count = 1;
  double seconds = calls(count);
  while (seconds < least) {
    count = std::max(2 * count, static_cast<int64_t>(margin * least / seconds * static_cast<double>(count)));
    seconds = calls(count);
  }
  std::array<double, 5> measured;
  for (double& m : measured) m = calls(count) / static_cast<double>(count);
  std::sort(measured.begin(), measured.end());
  return {measured.front(), measured[measured.size() / 2]};
}

// Memory of the CPU backend, with arbitrary values in (-1, 1).
template <class T>
struct Buffer {
  int64_t n;
  T* data;
  Buffer(int64_t count, uint64_t stream) : n(count), data(static_cast<T*>(cpu().allocate(bytes()))) {
    kernels::Cpu<T>::random_uniform(1, stream, 0, n, -1, 1, data);
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() { cpu().release(data, bytes()); }
  size_t bytes() const { return static_cast<size_t>(n) * sizeof(T); }
  static kernels::DeviceRuntime& cpu() { return kernels::runtime(Device::cpu); }
};

// What no kernel can exceed for long: the best of several rounds, on all threads.

// 1e9 operations per second of multiply-adds on registers alone, at the vector width in use; each counts as two.
inline double peak_gflops(int rounds = 5) {
  double best = 0, work = 0;
  for (int round = 0; round < rounds; round++) {
    const double seconds = seconds_of([&] { work = kernels::register_multiply_adds(1'000'000); });
    best = std::max(best, 2e-9 * work / seconds);
  }
  return best;
}

// 1e9 bytes per second of the sum of two arrays into a third, each far larger than the caches. A round is short.
inline double memory_gbytes(int rounds = 50) {
  constexpr int64_t n = (int64_t{64} << 20) / sizeof(float);
  const Buffer<float> a(n, 0), b(n, 1), c(n, 2);
  kernels::Broadcast s;
  s.rank = 1, s.sizes[0] = n, s.a_strides[0] = s.b_strides[0] = 1;
  const auto add = [&] { kernels::Cpu<float>::binary(kernels::Binary::add, s, a.data, b.data, c.data, 0); };
  double best = 0;
  for (int round = 0; round < rounds; round++)
    best = std::max(best, 1e-9 * static_cast<double>(a.bytes() + b.bytes() + c.bytes()) / seconds_of(add));
  return best;
}

// The convolutions of DCGAN for images of size x size x channels: those of the discriminator from the image to 4x4, its
// last one (4x4 to a logit), and the generator's first one (4x4 from the latent vector). The hidden layers of the
// generator mirror those of the discriminator and share their geometry: where one runs conv2d, the other runs
// conv_transpose2d.
inline std::vector<kernels::ConvShape> dcgan_layers(int64_t size, int64_t channels, int64_t width, int64_t batch) {
  constexpr int64_t latent = 100;
  std::vector<kernels::ConvShape> layers;
  const auto add = [&](int64_t side, int64_t c, int64_t map_side, int64_t oc, int64_t stride, int64_t pad) {
    kernels::ConvShape g;
    g.n = batch, g.h = g.w = side, g.c = c, g.oh = g.ow = map_side, g.oc = oc, g.kh = g.kw = 4;
    g.stride_h = g.stride_w = stride, g.pad_h = g.pad_w = pad;
    layers.push_back(g);
  };
  int64_t side = size, c = channels, oc = width;
  for (; side > 4; side /= 2, c = oc, oc *= 2) add(side, c, side / 2, oc, 2, 1);
  add(4, c, 1, 1, 1, 0);
  add(4, c, 1, latent, 1, 0);
  return layers;
}

inline std::string layer_name(const kernels::ConvShape& g) {
  return text(g.h, 'x', g.w, 'x', g.c, " - ", g.oh, 'x', g.ow, 'x', g.oc);
}

}  // namespace forger::bench
