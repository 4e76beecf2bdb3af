// What nvcc says of every CUDA kernel of this build, beside what a training step asks of it.
//   kernel_report [--check]
// Registers, shared memory and spills come from ptxas, kept at build time beside each object. Block sizes, launches and
// bytes come from one step each of dcgan, wgan-gp (one critic update) and sngan on the software device (32 pixels,
// width 16, batch 2). Occupancy is the share of an SM's warps that fit at once; the last columns are the least time
// that the step's bytes take on an A100 and an H100 at the memory bandwidth of their data sheets. Exits with 1 when a
// float kernel spills registers.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include "bench/ptxas.h"
#include "gan/data.h"
#include "gan/player.h"
#include "gan/recipe.h"
#include "kernels/simt/runtime.h"

namespace {

using namespace forger;
using namespace forger::bench;

// One step of a recipe on the software device.
void run_step(const char* name) {
  gan::Settings settings = gan::settings_for(gan::find_recipe(name));
  for (const auto& [key, value] : {std::pair{"device", "simt"}, {"width", "16"}, {"batch", "2"}, {"n_critic", "1"}}) {
    settings.set(key, value);
  }
  const auto recipe = gan::find_recipe(name).make(settings, {{.name = "image", .sample = {32, 32, 1}}});
  Random random(0);
  const gan::UncheckedUpdates unchecked;
  recipe->step([&] { return gan::Batch().add("image", to(random.uniform({2, 32, 32, 1}, -1, 1), Device::simt)); });
}

int report(bool check_only) {
  const std::map<std::string, ByArchitecture> kernels = read_resources();
  if (kernels.empty()) throw std::runtime_error("no ptxas reports under " FORGER_PTXAS_DIR "; build again with nvcc");

  for (const char* recipe : {"dcgan", "wgan-gp", "sngan"}) run_step(recipe);
  std::map<std::string, simt::Traffic> traffic;
  for (const auto& [name, t] : simt::traffic()) traffic[normalised(name)] = t;

  constexpr double a100_bytes = 1.555e12, h100_bytes = 3.35e12;  // per second: A100 40 GB, H100 SXM
  std::printf("%-64s %4s %4s %6s %6s %5s %7s %10s %9s %9s\n", "kernel", "sm", "regs", "shared", "spills", "occ.",
              "launch", "bytes", "A100 us", "H100 us");
  int spilling = 0;
  for (const auto& [name, kernel] : kernels) {
    const auto found = traffic.find(name);
    for (const auto& [architecture, r] : kernel) {
      const bool production = name.find("double") == std::string::npos;
      if (r.spills > 0 && production) spilling++;
      if (check_only && r.spills == 0) continue;
      std::printf("%-64s %4d %4d %6d %6d", name.substr(0, 64).c_str(), architecture, r.registers, r.shared, r.spills);
      if (found != traffic.end()) {
        const simt::Traffic& t = found->second;
        const auto bytes = static_cast<double>(t.read_bytes + t.written_bytes);
        std::printf(
            " %4.0f%% %7llu %10.0f %9.2f %9.2f", 100 * occupancy(architecture, r, t.block_threads, t.dynamic_shared),
            static_cast<unsigned long long>(t.launches), bytes, 1e6 * bytes / a100_bytes, 1e6 * bytes / h100_bytes);
      }
      std::printf("\n");
    }
  }
  std::printf("%zu kernels, %d float kernels spill registers\n", kernels.size(), spilling);
  return spilling > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string word = argc > 1 ? argv[1] : "";
    if (argc > 2 || (argc == 2 && word != "--check")) {
      std::fprintf(stderr, "usage: kernel_report [--check]\n");
      return 2;
    }
    return report(word == "--check");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_report: %s\n", error.what());
    return 1;
  }
}
