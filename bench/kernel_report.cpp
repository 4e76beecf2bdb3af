// What nvcc says of every CUDA kernel of this build, beside what a training step asks of it.
//   kernel_report [--check]
// Registers, shared memory and spills come from ptxas, kept at build time beside each object. Block sizes, launches and
// bytes come from one step each of dcgan, wgan-gp (one critic update) and sngan on the software device (32 pixels,
// width 16, batch 2). Occupancy is the share of an SM's warps that fit at once; the last columns are the least time
// that the step's bytes take on an A100 and an H100 at the memory bandwidth of their data sheets. Exits with 1 when a
// float kernel spills registers.
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gan/data.h"
#include "gan/player.h"
#include "gan/recipe.h"
#include "kernels/simt/runtime.h"

namespace {

using namespace forger;

struct Resources {
  int registers = 0, shared = 0, spills = 0;  // bytes but for the registers
};
struct Kernel {
  std::map<int, Resources> by_architecture;  // 80, 90
};

// "(Unary)12" as ptxas has it -> "Unary::leaky_relu" as the host compiler has it, by asking that one for every value.
template <auto Value>
std::string_view pretty() {
  return __PRETTY_FUNCTION__;
}
template <class E, size_t... I>
std::vector<std::string> enumerators(std::index_sequence<I...>) {
  std::vector<std::string> names;
  for (std::string_view name : {pretty<static_cast<E>(I)>()...}) {
    name.remove_prefix(name.find("Value = ") + 8);
    names.emplace_back(name.substr(0, name.find_first_of(";]")));
  }
  return names;
}
template <class E>
void spell_out(std::string& name, const std::string& type) {
  static const std::vector<std::string> names = enumerators<E>(std::make_index_sequence<32>());
  const std::string mark = "(" + type + ")";
  for (size_t at; (at = name.find(mark)) != std::string::npos;) {
    size_t end = at + mark.size();
    const size_t value = std::stoul(name.substr(end));
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end]))) end++;
    std::string spelt = value < names.size() ? names[value] : "?";
    spelt.erase(0, std::string("forger::kernels::").size());
    name.replace(at, end - at, spelt);
  }
}

// One spelling for what ptxas (mangled) and the host compiler (pretty) call a kernel: name<arguments>.
std::string normalised(std::string name) {
  for (const char* noise : {"(anonymous namespace)::", "{anonymous}::", "forger::kernels::", "cuda_words::",
                            "simt_words::", "void ", "(int)", "(bool)", " "}) {
    for (size_t at; (at = name.find(noise)) != std::string::npos;) name.erase(at, std::string(noise).size());
  }
  spell_out<kernels::Unary>(name, "Unary");
  spell_out<kernels::Binary>(name, "Binary");
  spell_out<kernels::Activation>(name, "Activation");
  spell_out<kernels::Reduce>(name, "Reduce");
  spell_out<kernels::Resize>(name, "Resize");
  int depth = 0;
  for (size_t i = 0; i < name.size(); i++) {
    depth += name[i] == '<';
    depth -= name[i] == '>';
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? name.get() : symbol;
}

void read_ptxas(const std::filesystem::path& path, std::map<std::string, Kernel>& kernels) {
  static const std::regex entry("Compiling entry function '(\\w+)' for 'sm_(\\d+)'");
  static const std::regex spill("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
  static const std::regex used("Used (\\d+) registers"), smem("(\\d+) bytes smem");
  std::ifstream in(path);
  Resources* current = nullptr;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, entry)) {
      current = &kernels[normalised(demangled(match[1]))].by_architecture[std::stoi(match[2])];
    } else if (current && std::regex_search(line, match, spill)) {
      current->spills = std::stoi(match[1]) + std::stoi(match[2]);
    } else if (current && std::regex_search(line, match, used)) {
      current->registers = std::stoi(match[1]);
      if (std::regex_search(line, match, smem)) current->shared = std::stoi(match[1]);
    }
  }
}

// CUDA programming guide, table of compute capabilities.
struct Architecture {
  int shared_per_sm;
};
const std::map<int, Architecture> architectures{{75, {64 * 1024}}, {80, {164 * 1024}}, {90, {228 * 1024}}};

// Share of the SM's 64 warps that are there at once with blocks of this size.
double occupancy(int architecture, const Resources& r, unsigned block_threads, size_t dynamic_shared) {
  const auto found = architectures.find(architecture);
  if (found == architectures.end() || block_threads == 0) return 0;
  constexpr int warps_per_sm = 64, registers_per_sm = 65536, most_blocks = 32, reserved_shared = 1024;
  const int warps = static_cast<int>((block_threads + 31) / 32);
  const int registers_per_warp = (r.registers + 7) / 8 * 8 * 32;
  const int shared = r.shared + static_cast<int>(dynamic_shared) + reserved_shared;
  const int blocks = std::min({warps_per_sm / warps, registers_per_sm / registers_per_warp / warps,
                               found->second.shared_per_sm / shared, most_blocks});
  return static_cast<double>(blocks * warps) / warps_per_sm;
}

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
  std::map<std::string, Kernel> kernels;
  for (const auto& file : std::filesystem::recursive_directory_iterator(FORGER_PTXAS_DIR)) {
    if (file.path().extension() == ".ptxas") read_ptxas(file.path(), kernels);
  }
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
    for (const auto& [architecture, r] : kernel.by_architecture) {
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
