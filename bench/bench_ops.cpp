// How fast the CPU's matrix core is, as a share of what the machine can do.
//
// First the machine's own peak: multiply-adds on registers alone, on all threads, at the vector width in use. Then
// DCGAN's layers, each with all three sides of the convolution triangle, and a square matrix product. Rounds over the
// whole list are repeated and the best time of each entry counts, because other work on the machine only adds. Last the
// memory: the sum of two arrays into a third, each far larger than the caches.
//
// Operations are those of the definition, a multiply-add counted as two, padding included; the column `true` has those
// of the algorithm that ran, fewer with Winograd. Bytes are those of the three arrays, each read or written once.
//
// --errors measures exactness instead: against the direct products in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.h"
#include "bench/roofline.h"
#include "core/device.h"
#include "core/file.h"
#include "kernels/kernels.h"

namespace {

using namespace forger::bench;
using namespace forger::kernels;
using forger::check;
using forger::text;
using forger::UsageError;

constexpr const char* usage =
    "usage: bench_ops [SIZE CHANNELS WIDTH BATCH] [THREADS] [--conv METHOD] [--json] [--svg FILE]\n"
    "       bench_ops --errors [SIZE CHANNELS WIDTH BATCH] [THREADS]\n"
    "  SIZE CHANNELS  of the images (64 3); SIZE is a power of two from 8 on\n"
    "  WIDTH          channels of the discriminator's first layer (64)\n"
    "  BATCH          images per step (64)\n"
    "  THREADS        (all cores)\n"
    "  --conv METHOD  automatic, direct or winograd (automatic: the cheaper one)\n"
    "  --json         one JSON object instead of a table\n"
    "  --svg FILE     also draws the roofline\n"
    "  --errors       instead of times the errors of the direct and of the Winograd way, at a batch of 2 at most\n"
    "FORGER_SIMD=avx512|avx2|portable lowers the vector width.\n";

constexpr int rounds = 7;

struct Settings {
  int64_t size = 64, channels = 3, width = 64, batch = 64;
  ConvMethod method = ConvMethod::automatic;
  bool json = false, errors = false;
  std::string svg;  // the file; empty: none
  std::vector<ConvShape> layers() const { return dcgan_layers(size, channels, width, batch); }
};

void set_numbers(Settings& s, const std::vector<int64_t>& numbers) {
  check<UsageError>(numbers.size() % 4 <= 1 && numbers.size() <= 5,
                    "expected [SIZE CHANNELS WIDTH BATCH] [THREADS], got ", numbers.size(), " numbers");
  if (numbers.size() >= 4) s.size = numbers[0], s.channels = numbers[1], s.width = numbers[2], s.batch = numbers[3];
  check<UsageError>(s.size >= 8 && !(s.size & (s.size - 1)), "SIZE must be a power of two from 8 on, got ", s.size);
  if (numbers.size() % 4 == 1) set_threads(static_cast<int>(numbers.back()));
}

Settings parse(const std::vector<std::string_view>& words) {
  Settings s;
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string_view word = words[i];
    const auto value = [&] {
      check<UsageError>(i + 1 < words.size() && !words[i + 1].empty() && !words[i + 1].starts_with("-"), word,
                        " needs a value (see --help)");
      return std::string(words[++i]);
    };
    if (word == "--json") {
      s.json = true;
    } else if (word == "--errors") {
      s.errors = true;
    } else if (word == "--conv") {
      s.method = forger::find_conv_method(value());
    } else if (word == "--svg") {
      s.svg = value();
    } else if (word.starts_with("-")) {
      throw UsageError(text("unknown option ", word, " (see --help)"));
    } else {
      numbers.push_back(positive(word, "each of SIZE CHANNELS WIDTH BATCH THREADS"));
    }
  }
  check<UsageError>(!s.errors || (!s.json && s.svg.empty() && s.method == ConvMethod::automatic),
                    "--errors goes with none of --conv, --json and --svg");
  set_numbers(s, numbers);
  return s;
}

// ---- operands ----

enum class Side : uint8_t { conv2d, conv_transpose2d, conv_weight_grad };
constexpr std::array sides{Side::conv2d, Side::conv_transpose2d, Side::conv_weight_grad};

const char* name_of(Side side) {
  constexpr std::array names{"conv2d", "conv_transpose2d", "conv_weight_grad"};
  return names[static_cast<size_t>(side)];
}

// A layer with its arrays. Results go elsewhere: fed back as operands they would grow until they overflow.
template <class T>
struct Triangle {
  ConvShape g;
  Buffer<T> image, map, weight, out;

  explicit Triangle(const ConvShape& s)
      : g(s),
        image(g.n * g.h * g.w * g.c, 0),
        map(g.n * g.oh * g.ow * g.oc, 1),
        weight(g.oc * g.kh * g.kw * g.c, 2),
        out(std::max({image.n, map.n, weight.n}), 3) {}
  double bytes() const { return static_cast<double>(image.bytes() + map.bytes() + weight.bytes()); }
  int64_t results(Side side) const {
    return side == Side::conv2d ? map.n : side == Side::conv_transpose2d ? image.n : weight.n;
  }
  void run(Side side) const {
    switch (side) {
      case Side::conv2d:
        return Cpu<T>::conv2d(g, image.data, weight.data, out.data);
      case Side::conv_transpose2d:
        return Cpu<T>::conv_transpose2d(g, map.data, weight.data, out.data);
      case Side::conv_weight_grad:
        return Cpu<T>::conv_weight_grad(g, image.data, map.data, out.data);
    }
  }
};

// ---- times ----

struct Entry {
  std::string layer, op;
  double flops, true_flops, bytes;
  std::function<void()> run;
  double seconds = 1e30;
  double gflops() const { return flops / seconds * 1e-9; }
  double true_gflops() const { return true_flops / seconds * 1e-9; }
  double gbytes() const { return bytes / seconds * 1e-9; }
};

struct Machine {
  double gflops = 0, gbytes = 0;
};

void add_triangle(std::vector<Entry>& entries, const ConvShape& g) {
  const auto t = std::make_shared<Triangle<float>>(g);
  for (const Side side : sides) {
    entries.push_back({layer_name(g), name_of(side), g.flops(),
                       2 * Cpu<float>::conv_multiply_adds(g, side == Side::conv_transpose2d), t->bytes(),
                       [=] { t->run(side); }});
  }
}

void add_matmul(std::vector<Entry>& entries, int64_t n) {
  const auto a = std::make_shared<Buffer<float>>(n * n, 0), b = std::make_shared<Buffer<float>>(n * n, 1),
             c = std::make_shared<Buffer<float>>(n * n, 2);
  MatmulShape s;
  s.m = s.n = s.k = n;
  const double d = static_cast<double>(n), flops = 2 * d * d * d;
  entries.push_back({std::to_string(n) + " square", "matmul", flops, flops, static_cast<double>(3 * a->bytes()),
                     [=] { Cpu<float>::matmul(s, a->data, b->data, c->data); }});
}

Machine measure(std::vector<Entry>& entries) {
  Machine machine;
  for (int round = 0; round < rounds; round++) {
    machine.gflops = std::max(machine.gflops, peak_gflops(1));
    for (Entry& e : entries) e.seconds = std::min(e.seconds, seconds_of(e.run));
  }
  machine.gbytes = memory_gbytes();  // last: it empties the caches
  return machine;
}

std::string title(const Settings& s) {
  return text("DCGAN, images ", s.size, 'x', s.size, 'x', s.channels, ", width ", s.width, ", batch ", s.batch, "; ",
              threads(), " thread(s), ", simd_level());
}

void print_json(const Settings& s, const Machine& machine, const std::vector<Entry>& entries) {
  std::printf(
      "{\"size\": %ld, \"channels\": %ld, \"width\": %ld, \"batch\": %ld, \"threads\": %d, \"simd\": \"%s\", "
      "\"peak_gflops\": %.1f, \"memory_gbytes\": %.1f, \"ops\": [",
      s.size, s.channels, s.width, s.batch, threads(), simd_level(), machine.gflops, machine.gbytes);
  for (const Entry& e : entries) {
    std::printf(
        "%s\n  {\"layer\": \"%s\", \"op\": \"%s\", \"ms\": %.4f, \"gflops\": %.1f, \"true_gflops\": %.1f, "
        "\"gbytes\": %.2f, \"share_of_peak\": %.3f}",
        &e == entries.data() ? "" : ",", e.layer.c_str(), e.op.c_str(), e.seconds * 1e3, e.gflops(), e.true_gflops(),
        e.gbytes(), e.gflops() / machine.gflops);
  }
  std::printf("\n]}\n");
}

void print_table(const Settings& s, const Machine& machine, const std::vector<Entry>& entries) {
  std::printf("%s\nmultiply-add peak: %.1f GFLOP/s, memory: %.1f GB/s\n\n", title(s).c_str(), machine.gflops,
              machine.gbytes);
  std::printf("%-24s %-18s %10s %10s %10s %8s %8s\n", "image - map", "op", "ms", "GFLOP/s", "true", "GB/s", "of peak");
  for (const Entry& e : entries) {
    std::printf("%-24s %-18s %10.3f %10.1f %10.1f %8.1f %7.0f%%\n", e.layer.c_str(), e.op.c_str(), e.seconds * 1e3,
                e.gflops(), e.true_gflops(), e.gbytes(), 100 * e.gflops() / machine.gflops);
  }
}

std::string picture(const Settings& s, const Machine& machine, const std::vector<Entry>& entries) {
  Roofline r{title(s),
             "Above the roof: Winograd multiplies less than the definition counts, or the arrays lie in a cache.",
             machine.gflops,
             machine.gbytes,
             {}};
  for (const Entry& e : entries) r.points.push_back({e.flops / e.bytes, e.gflops(), e.op, e.layer});
  return roofline_svg(r);
}

void bench(const Settings& s) {
  set_conv_method(s.method);
  std::vector<Entry> entries;
  for (const ConvShape& g : s.layers()) add_triangle(entries, g);
  add_matmul(entries, 1024);
  const Machine machine = measure(entries);
  s.json ? print_json(s, machine, entries) : print_table(s, machine, entries);
  if (!s.svg.empty()) forger::write_file(s.svg, picture(s, machine, entries));
}

// ---- errors ----

// The largest distance from the exact result, as a share of that one's root mean square.
double error(int64_t n, const float* result, const double* exact) {
  double largest = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    largest = std::max(largest, std::abs(result[i] - exact[i]));
    squares += exact[i] * exact[i];
  }
  return largest / std::sqrt(squares / static_cast<double>(n));
}

// The same numbers in both.
void widen(const Triangle<float>& from, Triangle<double>& to) {
  Cpu<double>::from_float(to.image.n, from.image.data, to.image.data);
  Cpu<double>::from_float(to.map.n, from.map.data, to.map.data);
  Cpu<double>::from_float(to.weight.n, from.weight.data, to.weight.data);
}

bool winograd_applies(const ConvShape& g) {
  set_conv_method(ConvMethod::winograd);
  return Cpu<float>::conv_multiply_adds(g, /*transposed=*/false) != g.flops() / 2;
}

void print_layer_errors(const ConvShape& g) {
  const Triangle<float> t(g);
  Triangle<double> exact(g);
  widen(t, exact);
  for (const Side side : sides) {
    const auto error_of = [&](ConvMethod method) {
      set_conv_method(method);
      t.run(side);
      return error(t.results(side), t.out.data, exact.out.data);
    };
    set_conv_method(ConvMethod::direct);
    exact.run(side);
    std::printf("%-24s %-18s %10.1e ", layer_name(g).c_str(), name_of(side), error_of(ConvMethod::direct));
    winograd_applies(g) ? std::printf("%10.1e\n", error_of(ConvMethod::winograd)) : std::printf("%10s\n", "-");
  }
}

void print_errors(Settings s) {
  s.batch = std::min<int64_t>(s.batch, 2);
  std::printf("%s\nlargest error of a float over the root mean square of the exact result\n\n", title(s).c_str());
  std::printf("%-24s %-18s %10s %10s\n", "image - map", "op", "direct", "winograd");
  for (const ConvShape& g : s.layers()) print_layer_errors(g);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (std::find(words.begin(), words.end(), "--help") != words.end()) return std::fputs(usage, stdout) < 0;
  return guarded("bench_ops", [&] {
    const Settings s = parse(words);
    s.errors ? print_errors(s) : bench(s);
  });
}
