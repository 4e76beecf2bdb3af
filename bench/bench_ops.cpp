// How fast the CPU's matrix core is, as a share of what the machine can do.
//
// First the machine's own peak: multiply-adds on registers alone, on all threads, at the vector width in use. Then
// DCGAN's layers, each with all three sides of the convolution triangle, and a square matrix product. Rounds over the
// whole list are repeated and the best time of each entry counts, because other work on the machine only adds. A
// multiply-add counts as two operations, padding included.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.h"
#include "kernels/cpu/simd.h"
#include "kernels/kernels.h"

namespace {

using namespace forger::bench;
using namespace forger::kernels;
using forger::check;
using forger::UsageError;

constexpr const char* usage =
    "usage: bench_ops [SIZE CHANNELS WIDTH BATCH] [THREADS] [--json]\n"
    "  SIZE CHANNELS  of the images (64 3); SIZE is a power of two from 8 on\n"
    "  WIDTH          channels of the discriminator's first layer (64)\n"
    "  BATCH          images per step (64)\n"
    "  THREADS        (all cores)\n"
    "  --json         one JSON object instead of a table\n"
    "FORGER_SIMD=avx512|avx2|portable lowers the vector width.\n";

constexpr int rounds = 7;

struct Settings {
  int64_t size = 64, channels = 3, width = 64, batch = 64;
  bool json = false;
};

Settings parse(const std::vector<std::string_view>& words) {
  Settings s;
  std::vector<int64_t> numbers;
  for (const std::string_view word : words) {
    if (word == "--json") {
      s.json = true;
    } else if (word.starts_with("-")) {
      throw UsageError(forger::text("unknown option ", word, " (see --help)"));
    } else {
      numbers.push_back(positive(word, "each of SIZE CHANNELS WIDTH BATCH THREADS"));
    }
  }
  check<UsageError>(numbers.size() % 4 <= 1 && numbers.size() <= 5,
                    "expected [SIZE CHANNELS WIDTH BATCH] [THREADS], got ", numbers.size(), " numbers");
  if (numbers.size() >= 4) s.size = numbers[0], s.channels = numbers[1], s.width = numbers[2], s.batch = numbers[3];
  check<UsageError>(s.size >= 8 && !(s.size & (s.size - 1)), "SIZE must be a power of two from 8 on, got ", s.size);
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

void add_triangle(std::vector<Entry>& entries, const ConvShape& g) {
  const auto image = std::make_shared<Buffer>(g.n * g.h * g.w * g.c),
             map = std::make_shared<Buffer>(g.n * g.oh * g.ow * g.oc),
             weight = std::make_shared<Buffer>(g.oc * g.kh * g.kw * g.c);
  const std::string name = layer_name(g);
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
  for (const ConvShape& g : dcgan_layers(s.size, s.channels, s.width, s.batch)) add_triangle(entries, g);
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
  } catch (const UsageError& e) {
    std::fprintf(stderr, "bench_ops: %s\n", e.what());
    return 2;
  }
}
