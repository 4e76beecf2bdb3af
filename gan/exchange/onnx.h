// Graphs as ONNX models (onnx.ai), of the operator set below, through the messages that Debian's libonnx-dev has.
#pragma once
#include "gan/exchange/graph.h"

namespace forger::gan::exchange {

constexpr int64_t onnx_opset = 17, onnx_ir_version = 8;

// The bytes of a .onnx file. graph: channels first, its ports identifiers. Initialisers have the checkpoint's names; the
// number of rows is the free dimension "batch".
std::string onnx_model(const Graph& graph, const std::string& name, const std::string& about);

}  // namespace forger::gan::exchange
