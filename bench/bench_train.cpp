// One training step of DCGAN (D and G update) or of the WGAN-GP critic: the median over STEPS, after two warm-up steps.
//   bench_train dcgan|wgan-gp SIZE CHANNELS WIDTH BATCH STEPS [THREADS] [--device cpu|cuda|simt] [--math fp32|tf32|bf16]
//               [--conv automatic|direct|winograd] [--graph] [--count] [--profile]
// The same networks, losses and updates as the recipes, on random images; data loading, averages and previews are left
// out. --graph records the step once and replays it. On a GPU steps are queued ten at a time and their losses are not
// looked at, as in training with --read-every. --count (simt) prints what a GPU would be asked for instead of the
// time, kernel by kernel (bench/counts.h): launches, bytes, sectors, bank conflicts, barriers, and the time that an A100
// and an H100 need at least. --profile (cpu) adds where the time went, op by op, and what it would be at the speed of
// the machine.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "bench/counts.h"
#include "bench/measure.h"
#include "core/autograd.h"
#include "core/device.h"
#include "core/graph.h"
#include "core/profile.h"
#include "gan/networks/dcgan.h"
#include "gan/objectives.h"
#include "gan/penalties.h"
#include "gan/player.h"
#include "kernels/simt/runtime.h"

using namespace forger;
using namespace forger::bench;
using namespace forger::gan;

namespace {

constexpr int64_t latent = 100;
constexpr int64_t warm_up = 2;
constexpr const char* usage =
    "usage: bench_train dcgan|wgan-gp SIZE CHANNELS WIDTH BATCH STEPS [THREADS] [--device cpu|cuda|simt] "
    "[--math fp32|tf32|bf16] [--conv automatic|direct|winograd] [--graph] [--count] [--profile]";

struct Options {
  std::string mode;
  int64_t size = 0, channels = 0, width = 0, batch = 0, steps = 0, threads = 2;
  Device device = Device::cpu;
  bool graph = false, count = false, profile = false;
};

Options parse(const std::vector<std::string>& arguments) {
  Options o;
  std::vector<std::string> plain;
  for (size_t i = 0; i < arguments.size(); i++) {
    const std::string& word = arguments[i];
    const auto value = [&] {
      check<UsageError>(i + 1 < arguments.size(), word, " needs a value; ", usage);
      return arguments[++i];
    };
    if (word == "--device") {
      o.device = find_device(value());
    } else if (word == "--math") {
      kernels::set_math_mode(find_math_mode(value()));
    } else if (word == "--conv") {
      kernels::set_conv_method(find_conv_method(value()));
    } else if (word == "--graph") {
      o.graph = true;
    } else if (word == "--count") {
      o.count = true;
    } else if (word == "--profile") {
      o.profile = true;
    } else {
      check<UsageError>(!word.starts_with("--"), "'", word, "' is not known; ", usage);
      plain.push_back(word);
    }
  }
  check<UsageError>(plain.size() == 6 || plain.size() == 7, usage);
  o.mode = plain[0];
  check<UsageError>(o.mode == "dcgan" || o.mode == "wgan-gp", "the recipe must be dcgan or wgan-gp, got '", o.mode,
                    "'");
  o.size = positive(plain[1], "SIZE");
  o.channels = positive(plain[2], "CHANNELS");
  o.width = positive(plain[3], "WIDTH");
  o.batch = positive(plain[4], "BATCH");
  o.steps = positive(plain[5], "STEPS");
  if (plain.size() > 6) o.threads = positive(plain[6], "THREADS");
  check<UsageError>(!o.count || o.device == Device::simt, "--count needs --device simt");
  check<UsageError>(!o.profile || o.device == Device::cpu, "--profile needs --device cpu");
  require_images("bench_train", {o.size, o.size, o.channels});
  return o;
}

class Bench {
 public:
  Bench(const Options& o, int64_t batch)
      : device_(o.device),
        batch_(batch),
        penalty_(o.mode == "wgan-gp"),
        g_(dcgan_generator(latent, o.width, o.channels, o.size, random_)),
        d_(dcgan_discriminator(o.width, o.channels, o.size, penalty_ ? DNorm::none : DNorm::batch, random_)),
        real_(to(random_.uniform({batch, o.size, o.size, o.channels}, -1, 1), device_)),
        objective_(find_objective(penalty_ ? "wasserstein" : "non-saturating")) {
    g_->to(device_);
    d_->to(device_);
    const kernels::AdamSettings adam{.lr = 2e-4, .beta1 = penalty_ ? 0.0 : 0.5, .beta2 = penalty_ ? 0.9 : 0.999};
    optimizer_g_ = std::make_unique<nn::Adam>(g_->parameters(), adam);
    optimizer_d_ = std::make_unique<nn::Adam>(d_->parameters(), adam);
  }

  void step() { penalty_ ? critic_step() : dcgan_step(); }

 private:
  Tensor noise() { return random_.normal({batch_, latent}, 0, 1, DType::f32, device_); }

  void dcgan_step() {
    const Tensor fake = (*g_)(noise());
    minimise(*optimizer_d_, {[&] { return objective_.real.mean((*d_)(real_)); },
                             [&] { return objective_.fake.mean((*d_)(fake.detach())); }});
    minimise(*optimizer_g_, {[&] { return objective_.generator.mean((*d_)(fake)); }});
  }
  void critic_step() {
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = (*g_)(noise());
    }
    const Tensor a = random_.uniform({batch_}, 0, 1, DType::f32, device_);
    minimise(*optimizer_d_,
             {[&] { return objective_.fake.mean((*d_)(fake)); }, [&] { return objective_.real.mean((*d_)(real_)); },
              [&] { return gradient_penalty([&](const Tensor& x) { return (*d_)(x); }, real_, fake, a, 10); }});
  }

  Random random_{0};
  Device device_;
  int64_t batch_;
  bool penalty_;
  std::shared_ptr<nn::Sequential> g_, d_;
  Tensor real_;
  std::unique_ptr<nn::Adam> optimizer_g_, optimizer_d_;
  const Objective& objective_;
};

// The longest first. `roof` is what an op would take at the speed of the machine: the larger of its true operations
// over the multiply-add peak and its bytes over the memory's bandwidth. Ops whose tensors lie in a cache can be faster.
void print(const Profile& profile, int64_t steps) {
  std::vector<std::pair<std::string, Profile::Entry>> entries(profile.entries().begin(), profile.entries().end());
  std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.second.seconds > b.second.seconds; });
  const double peak = peak_gflops(), bandwidth = memory_gbytes(), per_step = 1e3 / static_cast<double>(steps);
  const auto roof = [&](const Profile::Entry& e) { return 1e-9 * std::max(e.true_flops / peak, e.bytes / bandwidth); };
  double total = 0, least = 0;
  for (const auto& [op, e] : entries) total += e.seconds, least += roof(e);
  std::printf("multiply-add peak %.1f GFLOP/s, memory %.1f GB/s\n", peak, bandwidth);
  std::printf("%-40s %8s %9s %6s %9s %9s %7s %8s\n", "op", "calls", "ms/step", "share", "GFLOP/s", "true", "GB/s",
              "roof ms");
  for (const auto& [op, e] : entries) {
    std::printf("%-40s %8.1f %9.3f %5.1f%% ", op.c_str(), static_cast<double>(e.calls) * per_step * 1e-3,
                e.seconds * per_step, 100 * e.seconds / total);
    for (const double flops : {e.flops, e.true_flops})
      flops > 0 ? std::printf("%9.1f ", flops / e.seconds * 1e-9) : std::printf("%9s ", "");
    std::printf("%7.1f %8.3f\n", e.bytes / e.seconds * 1e-9, roof(e) * per_step);
  }
  std::printf("%-40s %8s %9.3f %6s %9s %9s %7s %8.3f\n", "all", "", total * per_step, "", "", "", "", least * per_step);
}

void time_steps(const Options& o) {
  Bench bench(o, o.batch);
  kernels::DeviceRuntime& device = kernels::runtime(o.device);
  const int64_t queued = o.device == Device::cuda ? 10 : 1;
  std::optional<UncheckedUpdates> unchecked;
  if (o.device != Device::cpu || o.graph) unchecked.emplace();
  std::unique_ptr<RecordedOps> graph;
  std::vector<double> seconds;
  std::optional<Profile> profile;
  const auto run = [&](int64_t steps) {
    for (int64_t i = 0; i < steps; i++) graph ? graph->replay() : bench.step();
    device.synchronize();
  };
  run(1);
  if (o.graph) graph = std::make_unique<RecordedOps>(o.device, [&] { bench.step(); });
  run(std::max(warm_up - 1, queued));
  if (o.profile) profile.emplace();
  for (int64_t done = 0; done < o.steps; done += queued) {
    const int64_t steps = std::min(queued, o.steps - done);
    seconds.push_back(seconds_of([&] { run(steps); }) / static_cast<double>(steps));
  }
  std::sort(seconds.begin(), seconds.end());
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::string where = "threads=" + std::to_string(o.threads);
  if (o.device != Device::cpu) where = text("device=", name_of(o.device), o.graph ? " graph" : "");
  std::printf("forger %s %s size=%ld channels=%ld width=%ld batch=%ld %s: median %.*f ms/step\n", FORGER_VERSION,
              o.mode.c_str(), o.size, o.channels, o.width, o.batch, where.c_str(), o.device == Device::cuda ? 3 : 1,
              1e3 * seconds[seconds.size() / 2]);
  const size_t tensors = memory_stats(o.device).peak_bytes >> 20;
  if (o.device == Device::cuda) {
    std::fprintf(stderr, "peak memory %zu MiB on the GPU, of it tensors %zu MiB\n",
                 tensors + (device.own_bytes() >> 20), tensors);
  } else {
    std::fprintf(stderr, "peak memory %ld MiB, of it tensors %zu MiB\n", used.ru_maxrss / 1024, tensors);
  }
  if (profile) print(*profile, o.steps);
}

// What one step asks of a GPU, of as many multiprocessors as an H100 has. Enough blocks of each launch to be
// representative: kernels are the same all over their grid, but for its edges.
void count(const Options& o) {
  constexpr uint64_t accesses = 1 << 20;  // of a launch
  simt::set_multiprocessors(cards[1].multiprocessors);
  Bench bench(o, o.batch);
  const UncheckedUpdates unchecked;
  {
    const simt::Profiling quick(1);
    bench.step();  // makes what is made once
  }
  const simt::Profiling profiling(accesses);
  const Profile profile;
  bench.step();
  double bytes = 0;
  for (const auto& [op, entry] : profile.entries()) bytes += entry.bytes;
  std::printf("forger %s %s size=%ld channels=%ld width=%ld batch=%ld math=%s: what a step asks of a GPU\n",
              FORGER_VERSION, o.mode.c_str(), o.size, o.channels, o.width, o.batch,
              kernels::name_of(kernels::math_mode()));
  print_counts(simt::traffic(), bytes);
}

}  // namespace

int main(int argc, char** argv) {
  return guarded("bench_train", [&] {
    const Options options = parse({argv + 1, argv + argc});
    kernels::set_threads(static_cast<int>(options.threads));
    options.count ? count(options) : time_steps(options);
  });
}
