// What nvcc says of the CUDA kernels of this build: registers, shared memory and spills by ptxas, kept at build time
// beside each object. And what follows from it: how many of a multiprocessor's warps fit at once.
#pragma once
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/kernels.h"

namespace forger::bench {

struct Resources {
  int registers = 0, shared = 0, spills = 0;  // bytes but for the registers
};
using ByArchitecture = std::map<int, Resources>;  // 80, 90

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
inline std::string normalised(std::string name) {
  for (const char* noise : {"(anonymous namespace)::", "{anonymous}::", "forger::kernels::", "cuda_words::",
                            "simt_words::", "forger::", "void ", "(int)", "(bool)", " "}) {
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

inline std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? name.get() : symbol;
}

inline void read_ptxas(const std::filesystem::path& path, std::map<std::string, ByArchitecture>& kernels) {
  static const std::regex entry("Compiling entry function '(\\w+)' for 'sm_(\\d+)'");
  static const std::regex spill("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
  static const std::regex used("Used (\\d+) registers"), smem("(\\d+) bytes smem");
  std::ifstream in(path);
  Resources* current = nullptr;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_search(line, match, entry)) {
      current = &kernels[normalised(demangled(match[1]))][std::stoi(match[2])];
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
inline const std::map<int, Architecture> architectures{{75, {64 * 1024}}, {80, {164 * 1024}}, {90, {228 * 1024}}};

// Share of the SM's 64 warps that are there at once with blocks of this size.
inline double occupancy(int architecture, const Resources& r, unsigned block_threads, size_t dynamic_shared) {
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

// Of all kernels, by their normalised names; empty where there are no reports.
inline std::map<std::string, ByArchitecture> read_resources() {
  std::map<std::string, ByArchitecture> kernels;
#ifdef FORGER_PTXAS_DIR
  if (!std::filesystem::exists(FORGER_PTXAS_DIR)) return kernels;  // another machine than the one that built this
  for (const auto& file : std::filesystem::recursive_directory_iterator(FORGER_PTXAS_DIR))
    if (file.path().extension() == ".ptxas") read_ptxas(file.path(), kernels);
#endif
  return kernels;
}

}  // namespace forger::bench
