// What nvcc says of every CUDA kernel of this build, beside what a training step asks of it.
//   kernel_report [--check | --instructions]
// Registers, shared memory and spills come from ptxas, kept at build time beside each object. Block sizes, launches and
// bytes come from one step each of dcgan, wgan-gp (one critic update) and sngan on the software device (32 pixels,
// width 16, batch 2). Occupancy is the share of an SM's warps that fit at once; the last columns are the least time
// that the step's bytes take on an A100 and an H100 at the memory bandwidth of their data sheets. --check: only what
// spills. Exits with 1 when a float kernel spills registers.
// --instructions holds the machine code (bench/sass.h) to what the sources mean by it, kernel by kernel: accesses of 16
// bytes, asynchronous copies, tensor cores, nothing in local memory. Exits with 1 where it is not so.
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include "bench/ptxas.h"
#include "bench/sass.h"
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

// Kernels of floats whose normalised name begins with `kernel` have an instruction that begins with `opcode`, in which
// "*" stands for anything. What the sources ask for by name (tensor cores, copies) and what they only make possible
// (packs of kernels/cuda/device.h).
struct Meant {
  const char* kernel;
  const char* opcode;
};
constexpr const char *load16 = "LDG*.128", *store16 = "STG*.128", *copy16 = "LDGSTS*.128";
constexpr const char *load8 = "LDG*.64", *store8 = "STG*.64";  // four bfloat16
const Meant all_meant[] = {
    {"multiply<Tf32,", "HMMA*TF32"},
    {"multiply<Tf32,", copy16},
    {"multiply<Bf16,", "HMMA*BF16"},
    {"multiply<Bf16,", "LDSM"},
    {"multiply<Bf16,", copy16},
    {"multiply<Fma,", copy16},
    {"multiply<Fma,", "LDS.128"},
    {"multiply<", store16},
    {"unary_kernel<", load16},
    {"unary_kernel<", store16},
    {"binary_kernel<", load16},
    {"binary_kernel<", store16},
    {"copy_kernel<", load16},
    {"copy_kernel<", store16},
    {"fill_kernel<", store16},
    {"draw_kernel<", store16},
    {"dropout_kernel<", load16},
    {"dropout_kernel<", store16},
    {"update_kernel<", load16},
    {"update_kernel<", store16},
    {"norm_kernel<", load16},
    {"apply_kernel<float,4,", load16},
    {"apply_kernel<float,4,", store16},
    {"input_grad_kernel<float,4,", load16},
    {"input_grad_kernel<float,4,", store16},
    {"sums_kernel<float,4,", load16},
    {"stats_kernel<float,4", load16},
    {"backward_grad_kernel<float,4,", load16},
    {"backward_grad_kernel<float,4,", store16},
    {"cross_kernel<float,4,", load16},
    {"apply_kernel<bfloat16,4,", load8},
    {"apply_kernel<bfloat16,4,", store8},
    {"input_grad_kernel<bfloat16,4,", load8},
    {"input_grad_kernel<bfloat16,4,", store8},
    {"sums_kernel<bfloat16,4,", load8},
    {"stats_kernel<bfloat16,4", load8},
    {"backward_grad_kernel<bfloat16,4,", load8},
    {"backward_grad_kernel<bfloat16,4,", store8},
    {"cross_kernel<bfloat16,4,", load8},
    {"convert_kernel<float,bfloat16>", store8},
    {"convert_kernel<bfloat16,float>", load8},
    {"layer_norm_kernel<float,4,", load16},
    {"layer_norm_kernel<float,4,", store16},
    {"parameter_grad_kernel<float,4", load16},
    {"penalty_kernel<float,4", load16},
    {"penalty_grad_kernel<float,4", store16},
    {"along_rows_kernel<float,4,", load16},
    {"down_columns_kernel<float,4", load16},
};

bool matches(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text.starts_with(pattern);
  return text.starts_with(pattern.substr(0, star)) &&
         text.find(pattern.substr(star + 1), star) != std::string_view::npos;
}

bool has(const Instructions& instructions, std::string_view pattern) {
  return std::any_of(instructions.begin(), instructions.end(),
                     [&](const auto& one) { return matches(one.first, pattern); });
}

// Sines and cosines of floats beyond 1e5 are reduced by a table that the compiler's library keeps in local memory.
bool may_be_local(const std::string& kernel) {
  return kernel.find("Unary::sin") != std::string::npos || kernel.find("Unary::cos") != std::string::npos;
}

int compare_instructions() {
  if (!has_cuobjdump()) {
    std::printf("skipped: no cuobjdump, which comes with the CUDA toolkit; set CUOBJDUMP, or put it into the PATH\n");
    return 0;
  }
  size_t kernel_count = 0, wrong = 0;
  for (const int architecture : {80, 90}) {
    const std::map<std::string, Instructions> kernels = read_sass(architecture);
    kernel_count += kernels.size();
    const auto fail = [&](const std::string& kernel, const std::string& what) {
      std::printf("sm_%d: %s %s\n", architecture, kernel.c_str(), what.c_str());
      wrong++;
    };
    for (const auto& [kernel, instructions] : kernels) {
      if (kernel.find("double") != std::string::npos || may_be_local(kernel)) continue;
      if (has(instructions, "LDL") || has(instructions, "STL")) fail(kernel, "keeps something in local memory");
    }
    for (const Meant& meant : all_meant) {
      size_t found = 0;
      for (const auto& [kernel, instructions] : kernels) {
        if (!kernel.starts_with(meant.kernel) || kernel.find("double") != std::string::npos) continue;
        found++;
        if (!has(instructions, meant.opcode)) fail(kernel, std::string("has no ") + meant.opcode);
      }
      if (found == 0) fail(meant.kernel, "is no kernel of this build");
    }
  }
  std::printf("%zu kernels, %zu differ from what is meant\n", kernel_count, wrong);
  return wrong > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string word = argc > 1 ? argv[1] : "";
    if (argc > 2 || (argc == 2 && word != "--check" && word != "--instructions")) {
      std::fprintf(stderr, "usage: kernel_report [--check | --instructions]\n");
      return 2;
    }
    return word == "--instructions" ? compare_instructions() : report(word == "--check");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_report: %s\n", error.what());
    return 1;
  }
}
