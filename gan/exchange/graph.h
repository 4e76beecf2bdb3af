// What a view computes, as a graph of ops that other programs can run.
//
// A view is run twice under a Trace (core/trace.h), with 2 rows and with 3, other numbers in each. Sizes that differ
// follow the batch; numbers that are the same both times are constants of the graph. Whatever else differs, and every op
// that has no word here, is refused by name: a graph that was made computes what the view does.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/trace.h"
#include "gan/recipe.h"

namespace forger::gan::exchange {

// Of each axis its size; -k: k times the number of rows; `varying`: one that follows that number in another way.
using Sizes = std::vector<int64_t>;
constexpr int64_t varying = std::numeric_limits<int64_t>::min();
inline bool follows_rows(int64_t size) { return size < 0; }
bool follow_rows(const Sizes& sizes);

struct Value {
  enum class Kind : uint8_t { input, parameter, buffer, constant, result };
  Kind kind = Kind::result;
  std::string name = {};  // of inputs their column's, of parameters and buffers the checkpoint's: "g.0.weight"
  Sizes sizes = {};
  DType dtype = DType::f32;
  Tensor tensor = {};  // of what is no input and no result; of a constant with a row for each of the batch one row
};

struct Node {
  std::string op;  // as core/ops.h calls it
  Trace::Attributes with;
  std::vector<size_t> inputs;
  size_t output;
};

struct Graph {
  struct Port {
    std::string name;
    size_t value;
  };
  std::vector<Value> values;
  std::vector<Node> nodes;  // each after those that it needs
  std::vector<Port> inputs, outputs;
  int64_t integer(const Node& node, const std::string& attribute, size_t i = 0) const;
};

// UsageError "[affine] scale depends on the number of rows" where the view does what a graph cannot say.
Graph graph_of(Recipe& recipe, const View& view, const Columns& columns);
// Only what the outputs need.
Graph without_unused(const Graph& graph);

// A name for programs: letters, digits and underscores, no digit first, no word of Python.
std::string identifier(const std::string& name);
// The same of every port, each its own; an output with the name of an input is made_image.
void make_identifiers(Graph& graph);

}  // namespace forger::gan::exchange
