// Graphs as others lay their images out: (N, C, H, W), convolution weights (O, C, KH, KW).
//
//   rank   here           there           order of axes
//   4      (N, H, W, C)   (N, C, H, W)    0 3 1 2     images and weights alike, every value of four axes
//   3      (H, W, C)      (C, H, W)       2 0 1       weights that belong to a place of a map; sequences stay as they are
//   else   stays as it is
#pragma once
#include "gan/exchange/graph.h"

namespace forger::gan::exchange {

// A weight or a buffer, there and back: exact.
Tensor channels_first(const Tensor& state);
Tensor channels_last(const Tensor& state);
Shape channels_first(const Shape& state);

struct NamedGraph {
  std::string name;  // the view's
  Graph graph;
};
// The views of a run, or the one of that name, as graphs for other programs: channels first, their ports identifiers.
// What cannot be said so is a note "the view 'judge' is not exported: ..."; UsageError when it was asked for by name, and
// when nothing is left.
std::vector<NamedGraph> exported_views(Recipe& recipe, const Columns& columns, const std::string& only,
                                       std::vector<std::string>& notes);

// The same function of inputs and results in the other layout, in a smaller vocabulary: activations and biases stand
// apart or in the op as the others have it, `linear` is x W^T + b, `expand` repeats, `upsample` has a factor, softmax
// and argmax an axis. Axes are permuted where memory has to move and nowhere else. UsageError names an op that has no
// word there.
Graph channels_first(const Graph& graph);

}  // namespace forger::gan::exchange
