// One training step of DCGAN (D and G update) or of the WGAN-GP critic: the median over STEPS, after two warm-up steps.
//   bench_train dcgan|wgan-gp SIZE CHANNELS WIDTH BATCH STEPS [THREADS]
// The same networks, losses and updates as the recipes, on random images; data loading, averages and previews are left
// out.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/autograd.h"
#include "gan/networks.h"
#include "gan/objectives.h"
#include "gan/penalties.h"
#include "gan/update.h"

using namespace forger;
using namespace forger::gan;

namespace {

constexpr int64_t latent = 100;
constexpr int warm_up = 2;

int64_t positive(const char* argument, const char* name) {
  char* end = nullptr;
  const long long value = std::strtoll(argument, &end, 10);
  check<UsageError>(*argument && !*end && value > 0 && value < 1'000'000, name, " must be a positive number, got '",
                    argument, "'");
  return value;
}

void bench(int argc, char** argv) {
  check<UsageError>(argc == 7 || argc == 8,
                    "usage: bench_train dcgan|wgan-gp SIZE CHANNELS WIDTH BATCH STEPS [THREADS]");
  const std::string mode = argv[1];
  check<UsageError>(mode == "dcgan" || mode == "wgan-gp", "the recipe must be dcgan or wgan-gp, got '", mode, "'");
  const int64_t size = positive(argv[2], "SIZE"), channels = positive(argv[3], "CHANNELS"),
                width = positive(argv[4], "WIDTH"), batch = positive(argv[5], "BATCH"),
                steps = positive(argv[6], "STEPS"), threads = argc > 7 ? positive(argv[7], "THREADS") : 2;
  require_dcgan_images("bench_train", {size, size, channels});
  kernels::set_threads(static_cast<int>(threads));

  const bool penalty = mode == "wgan-gp";
  Random random(0);
  const auto g = dcgan_generator(latent, width, channels, size, random);
  const auto d = dcgan_discriminator(width, channels, size, !penalty, random);
  const kernels::AdamSettings adam{.lr = 2e-4, .beta1 = penalty ? 0.0 : 0.5, .beta2 = penalty ? 0.9 : 0.999};
  nn::Adam optimizer_g(g->parameters(), adam), optimizer_d(d->parameters(), adam);
  const Tensor real = random.uniform({batch, size, size, channels}, -1, 1);
  const Objective& objective = find_objective(penalty ? "wasserstein" : "non-saturating");

  auto dcgan_step = [&] {
    const Tensor fake = (*g)(random.normal({batch, latent}));
    minimise(optimizer_d,
             {[&] { return objective.d_real((*d)(real)); }, [&] { return objective.d_fake((*d)(fake.detach())); }});
    minimise(optimizer_g, {[&] { return objective.generator((*d)(fake)); }});
  };
  auto critic_step = [&] {
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = (*g)(random.normal({batch, latent}));
    }
    const Tensor a = random.uniform({batch});
    minimise(optimizer_d, {[&] { return objective.d_fake((*d)(fake)); }, [&] { return objective.d_real((*d)(real)); },
                           [&] { return gradient_penalty(*d, real, fake, a, 10); }});
  };

  std::vector<double> seconds;
  for (int64_t i = 0; i < steps + warm_up; i++) {
    const auto start = std::chrono::steady_clock::now();
    if (penalty) {
      critic_step();
    } else {
      dcgan_step();
    }
    const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (i >= warm_up) seconds.push_back(s);
  }
  std::sort(seconds.begin(), seconds.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("forger %s %s size=%ld channels=%ld width=%ld batch=%ld threads=%ld: median %.1f ms/step\n",
              FORGER_VERSION, mode.c_str(), size, channels, width, batch, threads, 1e3 * seconds[seconds.size() / 2]);
  std::fprintf(stderr, "peak memory %ld MiB, of it tensors %zu MiB\n", usage.ru_maxrss / 1024,
               memory_stats().peak_bytes >> 20);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bench(argc, argv);
    return 0;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "bench_train: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_train: %s\n", error.what());
    return 1;
  }
}
