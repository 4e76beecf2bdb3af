#include "gan/pretrained.h"

#include <algorithm>

#include "core/error.h"

// The file's bytes between two labels, by the assembler.
#define FORGER_EMBED(label, file)                                                                                \
  asm(".section .rodata\n.balign 16\n" #label "_begin:\n.incbin \"" FORGER_PRETRAINED_DIR "/" file "\"\n" #label \
      "_end:\n.byte 0\n.previous\n");                                                                            \
  extern "C" __attribute__((visibility("hidden"))) const std::byte label##_begin[], label##_end[]

FORGER_EMBED(forger_garments, "garments.safetensors");
FORGER_EMBED(forger_garments_by_class, "garments-by-class.safetensors");

namespace forger::gan {
namespace {

const std::string prefix = "pretrained:";

uint64_t fnv1a(std::span<const std::byte> bytes) {
  uint64_t hash = 14695981039346656037u;
  for (const std::byte byte : bytes) hash = (hash ^ static_cast<uint64_t>(byte)) * 1099511628211u;
  return hash;
}

}  // namespace

const std::vector<Pretrained>& pretrained() {
  static const std::vector<Pretrained> all{
      {"garments",
       "dcgan --preset best on Fashion-MNIST: 32x32, from noise",
       0xb0576a537874532d,
       {forger_garments_begin, forger_garments_end}},
      {"garments-by-class",
       "cgan --steps 4000 --schedule cosine on Fashion-MNIST: 32x32, of the class that is asked for",
       0xf45ac22321dadf4d,
       {forger_garments_by_class_begin, forger_garments_by_class_end}},
  };
  return all;
}

bool is_pretrained(const std::string& path) { return path.starts_with(prefix); }

nn::Checkpoint load_pretrained(const std::string& path) {
  const std::string name = path.substr(prefix.size());
  const auto found = std::ranges::find(pretrained(), name, &Pretrained::name);
  std::string names;
  for (const Pretrained& one : pretrained()) names += (names.empty() ? "" : ", ") + one.name;
  check<UsageError>(found != pretrained().end(), "'", path, "' is not known; pretrained: takes one of ", names);
  check<DataError>(fnv1a(found->bytes) == found->hash, "the weights of '", path,
                   "' in this program are not those that belong there: build or install it again");
  return nn::parse_checkpoint(found->bytes, path);
}

}  // namespace forger::gan
