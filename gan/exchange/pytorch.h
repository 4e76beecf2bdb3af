// Graphs as a page of Python: a torch.nn.Module with the run's weights under their names and a method for each view.
#pragma once
#include <string>
#include <vector>

#include "gan/exchange/layout.h"
#include "nn/checkpoint.h"

namespace forger::gan::exchange {

// A page of Python and the file that it loads. Layouts and names of the tensors are PyTorch's: (O, C, KH, KW); constants
// of the graphs stand under "constants.".
struct PytorchModel {
  std::string source;      // model.py
  nn::Checkpoint weights;  // model.safetensors
};
// views: of the same recipe.
PytorchModel pytorch_model(const Recipe& recipe, const std::vector<NamedGraph>& views, const std::string& about);

constexpr const char* constants_prefix = "constants.";

}  // namespace forger::gan::exchange
