// Inception-v3 stage by stage: where the time of an FID goes.
//
// Random weights and images. The stages run one after the other on what the stage before left, as in a real pass;
// passes are repeated and the median of each stage counts. Operations are those of the convolutions' definition, a
// multiply-add counted as two, so Winograd layers may exceed the peak, which is measured on registers alone before and
// after.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.h"
#include "core/autograd.h"
#include "core/device.h"
#include "core/profile.h"
#include "core/random.h"
#include "kernels/cpu/simd.h"
#include "metrics/inception.h"
#include "metrics/preprocess.h"

namespace {

using namespace forger;
using namespace forger::bench;
using metrics::Inception;

constexpr const char* usage =
    "usage: bench_inception [BATCH] [THREADS] [--passes N] [--conv METHOD] [--layers] [--as-peer]\n"
    "  BATCH          images at a time (16)\n"
    "  THREADS        (all cores)\n"
    "  --passes N     (5), after one to warm up\n"
    "  --conv METHOD  automatic, direct or winograd (automatic: the cheaper one)\n"
    "  --layers       a line per op and shape instead, the slowest first\n"
    "  --as-peer      for compare_inception.py: answers each line with a number N by the seconds of N passes\n";

struct Settings {
  int64_t batch = 16, passes = 5;
  bool layers = false, as_peer = false;
};

Settings parse(const std::vector<std::string_view>& words) {
  Settings s;
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < words.size(); i++) {
    const std::string_view word = words[i];
    const auto value = [&] {
      check<UsageError>(i + 1 < words.size(), word, " needs a value (see --help)");
      return words[++i];
    };
    if (word == "--passes") {
      s.passes = positive(value(), "--passes");
    } else if (word == "--conv") {
      kernels::set_conv_method(find_conv_method(std::string(value())));
    } else if (word == "--layers") {
      s.layers = true;
    } else if (word == "--as-peer") {
      s.as_peer = true;
    } else {
      check<UsageError>(!word.starts_with("-"), "unknown option ", word, " (see --help)");
      numbers.push_back(positive(word, "each of BATCH THREADS"));
    }
  }
  check<UsageError>(numbers.size() <= 2, "expected [BATCH] [THREADS], got ", numbers.size(), " numbers");
  if (!numbers.empty()) s.batch = numbers[0];
  if (numbers.size() > 1) kernels::set_threads(static_cast<int>(numbers[1]));
  return s;
}

// Convolutions of He's scale, batch norms of the identity.
Inception random_network(Random& random) {
  nn::NamedTensors weights;
  for (const auto& [name, shape] : Inception::tensors()) {
    const double bound = std::sqrt(6 / (static_cast<double>(shape.numel()) / static_cast<double>(shape[0])));
    const bool ones = name.ends_with("bn.weight") || name.ends_with("running_var");
    weights.push_back({name, shape.rank() > 1 ? random.uniform(shape, -bound, bound) : full(shape, ones ? 1 : 0)});
  }
  return {weights, "random"};
}

long peak_mib() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss / 1024;
}

struct Line {
  std::string name;
  double seconds = std::numeric_limits<double>::infinity();
  double flops = 0;
};

void print(const std::vector<Line>& lines, const Settings& s, const double peak, int64_t name_width) {
  double seconds = 0, flops = 0;
  const auto print_line = [&](const char* name, double time, double work) {
    std::printf("%-*s %9.2f %9.2f %9.1f %7.0f%%\n", static_cast<int>(name_width), name, 1e3 * time, 1e-9 * work,
                1e-9 * work / time, 1e-7 * work / time / peak);
  };
  std::printf("batch %ld, %d thread(s), %s, multiply-add peak %.0f GFLOP/s\n\n", s.batch, kernels::threads(),
              kernels::simd_level(), peak);
  std::printf("%-*s %9s %9s %9s %8s\n", static_cast<int>(name_width), "", "ms", "GFLOP", "GFLOP/s", "of peak");
  for (const Line& line : lines) {
    print_line(line.name.c_str(), line.seconds, line.flops);
    seconds += line.seconds, flops += line.flops;
  }
  print_line("total", seconds, flops);
  std::printf("\n%.1f images/s, peak memory %ld MiB\n", static_cast<double>(s.batch) / seconds, peak_mib());
}

std::vector<Line> by_stage(const Inception& network, const Tensor& images, const Settings& s) {
  std::vector<Line> lines;
  for (const std::string& name : network.stages()) lines.push_back({.name = name});
  for (int64_t pass = -1; pass < s.passes; pass++) {
    Tensor x = images;
    for (size_t i = 0; i < lines.size(); i++) {
      const Profile profile;
      const double seconds = seconds_of([&] { x = network.run(i, x); });
      if (pass < 0) continue;
      lines[i].seconds = std::min(lines[i].seconds, seconds);
      lines[i].flops = 0;
      for (const auto& [op, entry] : profile.entries()) lines[i].flops += entry.flops;
    }
  }
  return lines;
}

std::vector<Line> by_layer(const Inception& network, const Tensor& images, const Settings& s) {
  std::map<std::string, Line> by_name;
  network.forward(images);
  for (int64_t pass = 0; pass < s.passes; pass++) {
    const Profile profile;
    network.forward(images);
    for (const auto& [op, entry] : profile.entries()) {
      Line& line = by_name[op];
      line.name = text(entry.calls, " ", op);
      line.seconds = std::min(line.seconds, entry.seconds);
      line.flops = entry.flops;
    }
  }
  std::vector<Line> lines;
  for (const auto& [name, line] : by_name) lines.push_back(line);
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.seconds > b.seconds; });
  return lines;
}

void answer(const Inception& network, const Tensor& images) {
  network.forward(images);
  std::puts("ready forger");
  std::fflush(stdout);
  char line[32];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    std::string seconds;
    for (int64_t n = std::atoll(line); n > 0; n--) seconds += text(' ', seconds_of([&] { network.forward(images); }));
    std::printf("%ld%s\n", peak_mib(), seconds.c_str());
    std::fflush(stdout);
  }
}

void run(const Settings& s) {
  constexpr int64_t side = metrics::inception_side;
  Random random(1);
  const Inception network = random_network(random);
  const Tensor images = random.uniform({s.batch, side, side, 3}, -1, 1);
  if (s.as_peer) return answer(network, images);
  const double before = peak_gflops();
  const std::vector<Line> lines = s.layers ? by_layer(network, images, s) : by_stage(network, images, s);
  print(lines, s, std::max(before, peak_gflops()), s.layers ? 52 : 10);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (std::find(words.begin(), words.end(), "--help") != words.end()) return std::fputs(usage, stdout) < 0;
  return guarded("bench_inception", [&] { run(parse(words)); });
}
