// How fast the CPU's matrix core is, as a share of what the machine can do.
//
// First the machine's own peak: multiply-adds on registers alone, on all threads, at the vector width in use. Then
// DCGAN's layers, each with all three sides of the convolution triangle, and a square matrix product. The hidden layers
// of the generator mirror those of the discriminator and share their geometry: where one runs conv2d, the other runs
// conv_transpose2d. Rounds over the whole list are repeated and the best time of each entry counts, because other work
// on the machine only adds. A multiply-add counts as two operations, padding included.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"

namespace {

using namespace forger::kernels;

constexpr const char* usage =
    "usage: bench_ops [SIZE CHANNELS WIDTH BATCH] [THREADS] [--json]\n"
    "  SIZE CHANNELS  of the images (64 3); SIZE is a power of two from 8 on\n"
    "  WIDTH          channels of the discriminator's first layer (64)\n"
    "  BATCH          images per step (64)\n"
    "  THREADS        (all cores)\n"
    "  --json         one JSON object instead of a table\n"
    "FORGER_SIMD=avx512|avx2|portable lowers the vector width.\n";

constexpr int rounds = 7;
constexpr int64_t latent = 100;

struct Settings {
  int64_t size = 64, channels = 3, width = 64, batch = 64;
  bool json = false;
};

int64_t positive(std::string_view text) {
  int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || value < 1 || value > 65536) {
    throw std::invalid_argument("expected a number from 1 to 65536, got '" + std::string(text) + "'");
  }
  return value;
}

Settings parse(const std::vector<std::string_view>& words) {
  Settings s;
  std::vector<int64_t> numbers;
  for (const std::string_view word : words) {
    if (word == "--json") {
      s.json = true;
    } else if (word.starts_with("-")) {
      throw std::invalid_argument("unknown option " + std::string(word) + " (see --help)");
    } else {
      numbers.push_back(positive(word));
    }
  }
  if (numbers.size() % 4 > 1 || numbers.size() > 5) {
    throw std::invalid_argument("expected [SIZE CHANNELS WIDTH BATCH] [THREADS], got " +
                                std::to_string(numbers.size()) + " numbers");
  }
  if (numbers.size() >= 4) s.size = numbers[0], s.channels = numbers[1], s.width = numbers[2], s.batch = numbers[3];
  if (s.size < 8 || (s.size & (s.size - 1))) {
    throw std::invalid_argument("SIZE must be a power of two from 8 on, got " + std::to_string(s.size));
  }
  if (numbers.size() % 4 == 1) set_threads(static_cast<int>(numbers.back()));
  return s;
}

// A device buffer with arbitrary values in (-1, 1).
struct Buffer {
  float* data;
  size_t bytes;
  explicit Buffer(int64_t n)
      : data(static_cast<float*>(
            forger::kernels::runtime(forger::Device::cpu).allocate(static_cast<size_t>(n) * sizeof(float)))),
        bytes(static_cast<size_t>(n) * sizeof(float)) {
    Cpu<float>::random_uniform(1, 0, 0, n, -1, 1, data);
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() { forger::kernels::runtime(forger::Device::cpu).release(data, bytes); }
};

struct Entry {
  std::string layer, op;
  double flops;
  std::function<void()> run;
  double seconds = 1e30;
};

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

ConvShape layer(const Settings& s, int64_t size, int64_t c, int64_t map_size, int64_t oc, int64_t stride, int64_t pad) {
  ConvShape g;
  g.n = s.batch, g.h = g.w = size, g.c = c, g.oh = g.ow = map_size, g.oc = oc, g.kh = g.kw = 4;
  g.stride_h = g.stride_w = stride, g.pad_h = g.pad_w = pad;
  return g;
}

std::vector<ConvShape> dcgan(const Settings& s) {
  std::vector<ConvShape> layers;
  int64_t size = s.size, c = s.channels, oc = s.width;
  for (; size > 4; size /= 2, c = oc, oc *= 2) layers.push_back(layer(s, size, c, size / 2, oc, 2, 1));
  layers.push_back(layer(s, 4, c, 1, 1, 1, 0));
  layers.push_back(layer(s, 4, c, 1, latent, 1, 0));
  return layers;
}

void add_triangle(std::vector<Entry>& entries, const ConvShape& g) {
  const auto image = std::make_shared<Buffer>(g.n * g.h * g.w * g.c),
             map = std::make_shared<Buffer>(g.n * g.oh * g.ow * g.oc),
             weight = std::make_shared<Buffer>(g.oc * g.kh * g.kw * g.c);
  char name[96];
  std::snprintf(name, sizeof name, "%ldx%ldx%ld - %ldx%ldx%ld", g.h, g.w, g.c, g.oh, g.ow, g.oc);
  entries.push_back({name, "conv2d", g.flops(), [=] { Cpu<float>::conv2d(g, image->data, weight->data, map->data); }});
  entries.push_back({name, "conv_transpose2d", g.flops(),
                     [=] { Cpu<float>::conv_transpose2d(g, map->data, weight->data, image->data); }});
  entries.push_back({name, "conv_weight_grad", g.flops(),
                     [=] { Cpu<float>::conv_weight_grad(g, image->data, map->data, weight->data); }});
}

void add_matmul(std::vector<Entry>& entries, int64_t n) {
  const auto a = std::make_shared<Buffer>(n * n), b = std::make_shared<Buffer>(n * n),
             c = std::make_shared<Buffer>(n * n);
  MatmulShape s;
  s.m = s.n = s.k = n;
  const double d = static_cast<double>(n);
  entries.push_back({std::to_string(n) + " square", "matmul", 2 * d * d * d,
                     [=] { Cpu<float>::matmul(s, a->data, b->data, c->data); }});
}

void print(const Settings& s, double peak, const std::vector<Entry>& entries) {
  const auto gflops = [](const Entry& e) { return e.flops / e.seconds * 1e-9; };
  if (s.json) {
    std::printf(
        "{\"size\": %ld, \"channels\": %ld, \"width\": %ld, \"batch\": %ld, \"threads\": %d, \"simd\": \"%s\", "
        "\"peak_gflops\": %.1f, \"ops\": [",
        s.size, s.channels, s.width, s.batch, threads(), simd_level(), peak);
    for (const Entry& e : entries) {
      std::printf("%s\n  {\"layer\": \"%s\", \"op\": \"%s\", \"ms\": %.4f, \"gflops\": %.1f, \"share_of_peak\": %.3f}",
                  &e == entries.data() ? "" : ",", e.layer.c_str(), e.op.c_str(), e.seconds * 1e3, gflops(e),
                  gflops(e) / peak);
    }
    std::printf("\n]}\n");
    return;
  }
  std::printf("DCGAN, images %ldx%ldx%ld, width %ld, batch %ld; %d thread(s), %s\n", s.size, s.size, s.channels,
              s.width, s.batch, threads(), simd_level());
  std::printf("multiply-add peak: %.1f GFLOP/s\n\n%-24s %-18s %10s %10s %8s\n", peak, "image - map", "op", "ms",
              "GFLOP/s", "of peak");
  for (const Entry& e : entries) {
    std::printf("%-24s %-18s %10.3f %10.1f %7.0f%%\n", e.layer.c_str(), e.op.c_str(), e.seconds * 1e3, gflops(e),
                100 * gflops(e) / peak);
  }
}

void bench(const Settings& s) {
  std::vector<Entry> entries;
  for (const ConvShape& g : dcgan(s)) add_triangle(entries, g);
  add_matmul(entries, 1024);
  double peak = 0;
  for (int round = 0; round < rounds; round++) {
    double work = 0;
    const double seconds = seconds_of([&] { work = register_multiply_adds(1'000'000); });
    peak = std::max(peak, 2e-9 * work / seconds);
    for (Entry& e : entries) e.seconds = std::min(e.seconds, seconds_of(e.run));
  }
  print(s, peak, entries);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (std::find(words.begin(), words.end(), "--help") != words.end()) return std::fputs(usage, stdout) < 0;
  try {
    bench(parse(words));
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "bench_ops: %s\n", e.what());
    return 2;
  }
}
