// Small generators that are part of the program: `pretrained:NAME` wherever a trained run is wanted. Each is what
// `forger export --to forger` made of a run (README, "Without training"), and lies in gallery/pretrained/.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nn/checkpoint.h"

namespace forger::gan {

struct Pretrained {
  std::string name, about;
  uint64_t hash;                     // FNV-1a 64 of the bytes
  std::span<const std::byte> bytes;  // of a checkpoint of weights alone
};
const std::vector<Pretrained>& pretrained();

bool is_pretrained(const std::string& path);  // whether it begins as such
// UsageError with the names that there are; DataError when the bytes are not those that belong to the name.
nn::Checkpoint load_pretrained(const std::string& path);

}  // namespace forger::gan
