// What was counted on the software device, as a table, and the time that a card would need for it at least.
//
// The model, kernel by kernel: a launch in a recorded graph costs `gap`, during which the one before drains and this
// one fills the card; then it takes as long as the busiest of the L2 cache, which moves every sector asked for, of
// memory, which moves each sector of a launch once (the L2 holds a launch's operands, and nothing from one launch to
// the next), and of the arithmetic (matrix products alone are counted). With fewer blocks than multiprocessors only as
// many of these work; cuBLAS is taken to find work for all.
// Figures are those of data sheets and whitepapers (A100 SXM 40 GB, H100 SXM); the L2 of both hands out 5,120 bytes a
// clock by the A100's whitepaper, which is assumed of the H100, too. So a predicted time is what the counts allow, not
// what was seen: a card waits for memory's latency and for barriers besides.
#pragma once
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "bench/ptxas.h"
#include "kernels/kernels.h"
#include "kernels/simt/runtime.h"

namespace forger::bench {

struct Card {
  const char* name;
  int architecture, multiprocessors;
  double memory, l2;     // bytes per second
  double multiply_adds;  // operations per second, of floats
  double tf32, bf16;     // and on tensor cores
};
constexpr double gap = 1.5e-6;  // seconds
inline const Card cards[] = {{"A100", 80, 108, 1.555e12, 5120 * 1.41e9, 19.5e12, 156e12, 312e12},
                             {"H100", 90, 132, 3.35e12, 5120 * 1.755e9, 66.9e12, 494e12, 989e12}};

inline double seconds_of(const std::string& kernel, const simt::Traffic& t, const Card& card) {
  const bool library = kernel.starts_with("cublas");
  const double sector = 32, launches = static_cast<double>(t.launches);
  const double busy = library ? 1.0 : std::min(1.0, static_cast<double>(t.blocks) / launches / card.multiprocessors);
  const double rate = kernels::math_mode() == kernels::MathMode::fp32 ? card.multiply_adds
                      : kernel.find("Bf16") == std::string::npos      ? card.tf32
                                                                      : card.bf16;
  const double work = std::max({static_cast<double>(t.global.units) * sector / card.l2,
                                static_cast<double>(t.distinct_bytes) / card.memory, t.operations / rate});
  return launches * gap + work / busy;
}

// A kernel's name without what all have: "multiply<Fma,64x64,Patches by rows,Matrix by rows,Identity>".
inline std::string brief(std::string name) {
  for (const auto& [long_form, short_form] : {std::pair{"Operand<(\\w+)<\\w+>,true>", "$1 by rows"},
                                              std::pair{"Operand<(\\w+)<\\w+>,false>", "$1 by depth"},
                                              std::pair{"Tile<(\\d+),(\\d+),\\d+>", "$1x$2"},
                                              std::pair{"Product<(.*),RowsOut,(\\w+)(<\\w+>)?>", "$1,$2"},
                                              std::pair{"<float>|Activation::|Binary::|Unary::", ""},
                                              std::pair{"<float,", "<"},
                                              {",float>$", ">"}})
    name = std::regex_replace(name, std::regex(long_form), short_form);
  return name;
}

// A line a kernel; registers are those of the second card. `least_bytes`: of all operands of all ops, each once.
inline void print_counts(const std::map<std::string, simt::Traffic, std::less<>>& kernels, double least_bytes) {
  const auto resources = read_resources();
  std::printf("%-56s %6s %7s %8s %8s %8s %8s %8s %6s %6s %5s %8s %8s\n", "kernel", "launch", "blocks", "GFLOP",
              "read MB", "write MB", "once MB", "sectors", "banks", "sync", "regs", "A100 us", "H100 us");
  const auto line = [](const std::string& name, const simt::Traffic& t, const std::string& registers,
                       const double(&seconds)[2]) {
    const auto each = [](uint64_t n) { return static_cast<double>(n); };
    std::printf("%-56s %6.0f %7.0f %8.2f %8.2f %8.2f %8.2f ", name.substr(0, 56).c_str(), each(t.launches),
                each(t.blocks), t.operations * 1e-9, each(t.read_bytes) * 1e-6, each(t.written_bytes) * 1e-6,
                each(t.distinct_bytes) * 1e-6);
    t.global.units > 0 ? std::printf("%7.1f%% ", 100 * each(t.global.least) / each(t.global.units))
                       : std::printf("%8s ", "");
    t.shared.least > 0 ? std::printf("%6.2f ", each(t.shared.units) / each(t.shared.least)) : std::printf("%6s ", "");
    std::printf("%6.1f %5s %8.1f %8.1f\n", each(t.barriers) / each(std::max<uint64_t>(1, t.blocks)), registers.c_str(),
                1e6 * seconds[0], 1e6 * seconds[1]);
  };
  simt::Traffic all;
  double total[2] = {};
  for (const auto& [kernel, t] : kernels) {
    const std::string name = normalised(kernel);
    const auto found = resources.find(name);
    std::string registers;
    if (found != resources.end() && found->second.contains(cards[1].architecture))
      registers = std::to_string(found->second.at(cards[1].architecture).registers);
    const double seconds[2] = {seconds_of(name, t, cards[0]), seconds_of(name, t, cards[1])};
    line(brief(name), t, registers, seconds);
    simt::add(all, t);
    for (int i = 0; i < 2; i++) total[i] += seconds[i];
  }
  line("all", all, "", total);
  const double asked = static_cast<double>(all.read_bytes + all.written_bytes);
  std::printf(
      "Operands of all ops, each once: %.1f MB. Of memory launches want %.2f times that, each sector once; their "
      "threads "
      "ask for %.2f times that, of caches. From memory alone %.0f us (A100), %.0f us (H100).\n",
      least_bytes * 1e-6, static_cast<double>(all.distinct_bytes) / least_bytes, asked / least_bytes,
      1e6 * least_bytes / cards[0].memory, 1e6 * least_bytes / cards[1].memory);
}

}  // namespace forger::bench
