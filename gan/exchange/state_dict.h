// PyTorch's state_dict as a file, read without running anything of it, and put in the place of a run's weights.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "nn/checkpoint.h"

namespace forger::gan::exchange {

// A .safetensors file, or what torch.save(model.state_dict(), path) writes. DataError says what is wrong, and where.
nn::NamedTensors read_state_dict(const std::string& path);
// The second kind, from memory (pt_file.cpp).
nn::NamedTensors parse_pt(std::span<const std::byte> bytes, const std::string& origin);

// A run's checkpoint with these weights in the place of its own and of their averages, from PyTorch's layouts; what
// optimisers knew is forgotten. Networks of which the file has nothing keep theirs, and `notes` says so. DataError names
// what has no place in the run, is missing in a network, or has another shape.
nn::Checkpoint with_state_dict(nn::Checkpoint run, const nn::NamedTensors& weights, const std::string& origin,
                               std::vector<std::string>& notes);

}  // namespace forger::gan::exchange
