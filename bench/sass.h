// The instructions of this build's CUDA kernels, as the assembler left them, where NVIDIA's cuobjdump is: in the PATH,
// or $CUOBJDUMP.
#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bench/ptxas.h"

namespace forger::bench {

using Instructions = std::map<std::string, int, std::less<>>;  // "LDG.E.128" -> how many of them

inline std::string cuobjdump() {
  const char* chosen = std::getenv("CUOBJDUMP");
  return chosen ? chosen : "cuobjdump";
}
inline bool has_cuobjdump() { return std::system((cuobjdump() + " --version >/dev/null 2>&1").c_str()) == 0; }

// "  /*0040*/  @!P0 LDG.E.128 R4, [R2.64] ;  ..." -> "LDG.E.128"; empty for any other line.
inline std::string_view opcode(std::string_view line) {
  const auto skip = [&](const char* what) {
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(what)));
    return line;
  };
  if (!skip(" \t").starts_with("/*")) return {};
  const size_t end = line.find("*/");
  if (end == std::string_view::npos || line.substr(2, end - 2).starts_with("0x")) return {};
  line.remove_prefix(end + 2);
  if (skip(" \t").starts_with("@")) {
    line.remove_prefix(std::min(line.size(), line.find(' ')));
    skip(" ");
  }
  return line.substr(0, line.find_first_of(" ;"));
}

// Of the kernels in one object, for one architecture, by their normalised names.
inline void read_sass(const std::filesystem::path& object, int architecture,
                      std::map<std::string, Instructions>& kernels) {
  const std::string command =
      cuobjdump() + " -sass -arch sm_" + std::to_string(architecture) + " '" + object.string() + "'";
  FILE* const out = popen(command.c_str(), "r");
  if (out == nullptr) throw std::runtime_error("cannot run " + command);
  Instructions* current = nullptr;
  char* text = nullptr;
  size_t room = 0;
  for (ssize_t length; (length = getline(&text, &room, out)) > 0;) {
    const std::string_view line(text, static_cast<size_t>(length));
    constexpr std::string_view function = "Function : ";
    if (const size_t at = line.find(function); at != std::string_view::npos) {
      const std::string_view symbol = line.substr(at + function.size());
      current = &kernels[normalised(demangled(std::string(symbol.substr(0, symbol.find_first_of(" \n")))))];
    } else if (const std::string_view found = opcode(line); current && !found.empty()) {
      const auto entry = current->find(found);
      entry != current->end() ? void(entry->second++) : void(current->emplace(found, 1));
    }
  }
  std::free(text);
  if (pclose(out) != 0) throw std::runtime_error(command + " failed");
}

// Of all kernels of the backend.
inline std::map<std::string, Instructions> read_sass(int architecture) {
  std::map<std::string, Instructions> kernels;
  for (const auto& file : std::filesystem::recursive_directory_iterator(FORGER_PTXAS_DIR))
    if (file.path().string().ends_with(".cu.o")) read_sass(file.path(), architecture, kernels);
  return kernels;
}

}  // namespace forger::bench
