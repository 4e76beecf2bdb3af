#include "gan/exchange/layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "core/autograd.h"
#include "core/ops.h"

namespace forger::gan::exchange {
namespace {

using Order = std::vector<int>;

// Which axis here stands in each place there.
Order order_of(size_t rank) { return rank == 4 ? Order{0, 3, 1, 2} : rank == 3 ? Order{2, 0, 1} : Order{}; }
Order inverse_of(const Order& order) {
  Order inverse(order.size());
  for (size_t i = 0; i < order.size(); i++) inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return inverse;
}
template <class Numbers>
Numbers permuted(const Numbers& from, const Order& order) {
  Numbers to = from;
  for (size_t i = 0; i < order.size(); i++) to[i] = from[static_cast<size_t>(order[i])];
  return to;
}
Order identity(size_t rank) {
  Order order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

bool is_one(int64_t size) { return size == 1; }
bool single(const Sizes& sizes) { return std::all_of(sizes.begin(), sizes.end(), is_one); }
// Whether (..., H, W, C) lie in memory as (..., C, H, W) do.
bool lies_alike(const Sizes& here) {
  const size_t rank = here.size();
  return here[rank - 1] == 1 || (here[rank - 2] == 1 && here[rank - 3] == 1);
}

// Biases that follow a product or a convolution become its third input.
Graph with_biases(Graph graph) {
  std::vector<int> uses(graph.values.size(), 0);
  std::vector<Node*> maker(graph.values.size(), nullptr);
  for (const Graph::Port& output : graph.outputs) uses[output.value]++;
  for (Node& node : graph.nodes) {
    maker[node.output] = &node;
    for (const size_t input : node.inputs) uses[input]++;
    const auto rank = [&](size_t i) { return graph.values[node.inputs[i]].sizes.size(); };
    if (node.op == "matmul" && graph.integer(node, "trans_a") == 0 && graph.integer(node, "trans_b") == 1 &&
        rank(0) == 2 && rank(1) == 2)
      node.op = "linear";
  }
  for (Node& node : graph.nodes) {
    if (node.op != "add") continue;
    Node* const before = maker[node.inputs[0]];
    const Value& bias = graph.values[node.inputs[1]];
    const bool takes = before != nullptr && before->inputs.size() == 2 && uses[node.inputs[0]] == 1 &&
                       (before->op == "linear" || before->op == "conv_transpose2d");
    if (!takes || bias.kind != Value::Kind::parameter || bias.sizes.size() != 1) continue;
    before->inputs.push_back(node.inputs[1]);
    node = {.op = "alias", .with = {}, .inputs = {node.inputs[0]}, .output = node.output};
  }
  return graph;
}

const std::set<std::string> same_op{"neg",        "exp", "log", "sqrt",  "reciprocal", "square",   "abs",
                                    "sign",       "sin", "cos", "tanh",  "sigmoid",    "softplus", "relu",
                                    "leaky_relu", "elu", "pow", "clamp", "affine"};
const std::set<std::string> binary_op{"add", "sub", "mul", "div", "maximum", "minimum", "greater", "equal"};

class Turner {
 public:
  explicit Turner(const Graph& from) : from_(from), at_(from.values.size()) {}

  Graph turn() {
    for (size_t i = 0; i < from_.values.size(); i++)
      if (from_.values[i].kind != Value::Kind::result) at_[i] = leaf(from_.values[i]);
    for (const Graph::Port& input : from_.inputs) to_.inputs.push_back({input.name, at_[input.value]});
    for (const Node& node : from_.nodes) read(node);
    for (const Graph::Port& output : from_.outputs) {
      const size_t value = whole(at_[output.value]);
      to_.outputs.push_back({output.name, rank(value) == 4 ? value : here(value)});
    }
    return without_unused(to_);
  }

 private:
  size_t rank(size_t value) const { return to_.values[value].sizes.size(); }
  const Sizes& sizes(size_t value) const { return to_.values[value].sizes; }
  // Sizes as they are here, whichever way the value lies.
  Sizes sizes_here(size_t value) const {
    return there_[value] ? permuted(sizes(value), inverse_of(order_of(rank(value)))) : sizes(value);
  }

  size_t add(Value value, bool there) {
    to_.values.push_back(std::move(value));
    there_.push_back(there);
    return to_.values.size() - 1;
  }
  size_t emit(const std::string& op, const Trace::Attributes& with, const std::vector<size_t>& inputs,
              const Sizes& made, bool there, DType dtype) {
    const size_t output = add({.sizes = made, .dtype = dtype}, there);
    to_.nodes.push_back({op, with, inputs, output});
    return output;
  }
  size_t emit(const std::string& op, const Trace::Attributes& with, const std::vector<size_t>& inputs,
              const Sizes& made, bool there) {
    return emit(op, with, inputs, made, there, to_.values[inputs[0]].dtype);
  }

  size_t leaf(Value value) {
    const bool state = value.kind == Value::Kind::parameter || value.kind == Value::Kind::buffer;
    const bool there = value.sizes.size() == 4 || (value.sizes.size() == 3 && state);
    if (value.kind == Value::Kind::constant && !value.sizes.empty() && follows_rows(value.sizes[0])) {
      rows_[to_.values.size()] = there ? permuted(value.sizes, order_of(4)) : value.sizes;
      value.sizes[0] = 1;
    }
    if (there) value.sizes = permuted(value.sizes, order_of(value.sizes.size()));
    if (there && value.tensor.defined()) value.tensor = channels_first(value.tensor);
    return add(std::move(value), there);
  }

  // Repeated along axes of size 1 and new ones. Only the first one can grow to the number of rows.
  size_t expand(size_t value, const Sizes& made, bool there) {
    const size_t added = made.size() - rank(value);
    for (size_t i = 0; i < made.size(); i++) {
      const bool kept = i >= added && sizes(value)[i - added] == made[i];
      check<UsageError>(kept || !follows_rows(made[i]) || (made[i] == -1 && i == 0),
                        "[broadcast_to] sizes that follow the number of rows otherwise than by one each");
    }
    return emit("expand", {}, {value}, made, there);
  }
  // A constant of one row with as many as the batch has.
  size_t whole(size_t value) {
    const auto row = rows_.find(value);
    return row == rows_.end() ? value : expand(value, row->second, there_[value]);
  }

  // ---- from one layout to the other ----

  size_t permute(size_t value, Order order, bool there) {
    // Two in a row are one, or none.
    if (const auto before = order_made_.find(value); before != order_made_.end()) {
      order = permuted(before->second.second, order);
      value = before->second.first;
    }
    if (order == identity(order.size()) && there_[value] == there) return value;
    const size_t made =
        emit("permute", {{"order", {order.begin(), order.end()}}}, {value}, permuted(sizes(value), order), there);
    order_made_[made] = {value, order};
    return made;
  }
  size_t here(size_t value) { return there_[value] ? permute(value, inverse_of(order_of(rank(value))), false) : value; }
  size_t there(size_t value) {
    return there_[value] || rank(value) < 3 ? value : permute(value, order_of(rank(value)), true);
  }

  size_t reshape(size_t value, const Sizes& made, bool there) {
    check<UsageError>(std::count_if(made.begin(), made.end(), follows_rows) <= 1,
                      "[reshape] two axes follow the number of rows");
    return sizes(value) == made && there_[value] == there ? value : emit("reshape", {}, {value}, made, there);
  }
  // To sizes as they are here.
  size_t reshaped(size_t value, const Sizes& made) {
    if (there_[value] && !lies_alike(sizes_here(value))) value = here(value);
    if (made.size() != 4) return reshape(value, made, false);
    if (lies_alike(made)) return reshape(value, permuted(made, order_of(4)), true);
    return there(reshape(value, made, false));
  }

  // As an operand beside one of `ranks` axes.
  size_t operand(size_t value, size_t ranks, bool beside_there) {
    if (single(sizes(value)) && !rows_.contains(value)) return value;
    if (!beside_there) return here(value);
    const size_t own = rank(value);
    if (own >= 3) return there(value);
    if (own == 2) value = permute(value, {1, 0}, false);  // (W, C)
    Sizes column{sizes(value)[0], 1, own == 2 ? sizes(value)[1] : 1};
    if (ranks < 3) column.resize(ranks);
    return reshape(value, column, true);
  }

  // ---- ops ----

  void read(const Node& node) {
    const Sizes& made = from_.values[node.output].sizes;
    std::vector<size_t> in;
    for (const size_t input : node.inputs) in.push_back(at_[input]);
    size_t result = binary_op.contains(node.op) ? binary(node, in, made) : 0;
    if (!binary_op.contains(node.op)) {
      for (size_t& value : in) value = whole(value);
      result = other(node, in, made);
    }
    to_.values[result].dtype = from_.values[node.output].dtype;
    at_[node.output] = made.size() == 4 ? there(result) : result;
  }

  size_t binary(const Node& node, std::vector<size_t> in, const Sizes& made) {
    bool beside_there = made.size() == 4;
    for (const size_t value : in) beside_there = beside_there || (there_[value] && rank(value) == made.size());
    for (size_t i = 0; i < 2; i++) {
      const size_t beside = in[1 - i];
      // One row is enough beside a value that has them all.
      const bool repeats = !rows_.contains(beside) && rank(beside) == made.size() && rank(in[i]) == made.size() &&
                           !made.empty() && follows_rows(sizes(beside)[0]);
      if (!repeats) in[i] = whole(in[i]);
    }
    for (size_t& value : in) value = operand(value, made.size(), beside_there);
    return emit(node.op, node.with, in, beside_there ? permuted(made, order_of(made.size())) : made, beside_there);
  }

  size_t axis_there(size_t value, int64_t axis) const {
    if (!there_[value]) return static_cast<size_t>(axis);
    return static_cast<size_t>(inverse_of(order_of(rank(value)))[static_cast<size_t>(axis)]);
  }

  // Reduced over some axes, of which those that are left may stand in another order then.
  size_t reduced(const std::string& op, size_t x, const std::vector<double>& axes, const Sizes& made) {
    if (axes.empty()) return x;  // a scalar
    std::vector<double> over;
    for (const double axis : axes) over.push_back(static_cast<double>(axis_there(x, static_cast<int64_t>(axis))));
    std::sort(over.begin(), over.end());
    const bool kept = made.size() == rank(x);
    Order left;  // axes here, in the order that they have there
    for (size_t i = 0; i < rank(x); i++)
      if (std::find(over.begin(), over.end(), static_cast<double>(i)) == over.end())
        left.push_back(there_[x] ? order_of(rank(x))[i] : static_cast<int>(i));
    const Trace::Attributes with{{"axes", over}, {"keepdim", Trace::numbers(kept)}};
    if (kept) return emit(op, with, {x}, there_[x] ? permuted(made, order_of(made.size())) : made, there_[x]);
    Order ranks(left.size()), places(left.size());  // of each axis that is left: where it belongs
    for (size_t i = 0; i < left.size(); i++)
      places[i] = static_cast<int>(std::count_if(left.begin(), left.end(), [&](int other) { return other < left[i]; }));
    ranks = inverse_of(places);
    return permute(emit(op, with, {x}, permuted(made, places), false), ranks, false);
  }

  size_t activated(size_t x, const Node& node) {
    const auto activation = static_cast<kernels::Activation>(from_.integer(node, "activation"));
    if (activation == kernels::Activation::none) return x;
    const bool leaky = activation == kernels::Activation::leaky_relu;
    const Trace::Attributes slope{{"slope", {node.with.at("activation")[1]}}};
    return emit(leaky ? "leaky_relu" : "relu", leaky ? slope : Trace::Attributes{}, {x}, sizes(x), there_[x]);
  }

  size_t convolution(const Node& node, std::vector<size_t> in, const Sizes& made) {
    Trace::Attributes with = node.with;
    with.erase("activation");
    if (node.op == "conv_transpose2d") {
      std::vector<double> left;  // rows and columns under no window
      for (size_t i = 0; i < 2; i++) {
        const int64_t reached = (sizes(in[0])[2 + i] - 1) * from_.integer(node, "stride") -
                                2 * from_.integer(node, "padding", i) + sizes(in[1])[2 + i];
        left.push_back(static_cast<double>(made[1 + i] - reached));
      }
      with["output_padding"] = left;
    }
    return activated(emit(node.op, with, in, permuted(made, order_of(4)), true), node);
  }

  size_t normed(const Node& node, const std::string& op, std::vector<size_t> in, const Sizes& made) {
    const bool channels_second = made.size() == 4 || (made.size() == 2 && op == "batch_norm") || op == "layer_norm";
    check<UsageError>(channels_second, "[", op, "] of ", made.size(), " axes");
    if (op == "layer_norm" && made.size() != 4)
      for (size_t& value : in) value = here(value);
    if (op == "layer_norm" && made.size() == 4)
      for (size_t& value : in) value = there(value);
    return activated(emit(op, {{"eps", node.with.at("eps")}}, in, sizes(in[0]), there_[in[0]]), node);
  }

  size_t other(const Node& node, std::vector<size_t> in, const Sizes& made) {
    const std::string& op = node.op;
    const size_t x = in[0];
    const auto along = [&](size_t value) { return Trace::numbers(axis_there(value, from_.integer(node, "axis"))); };
    const auto like = [&](size_t value) { return there_[value] ? permuted(made, order_of(made.size())) : made; };
    if (same_op.contains(op)) return emit(op, node.with, {x}, sizes(x), there_[x]);
    if (op == "spectral_norm") return emit(op, node.with, in, sizes(x), there_[x]);
    if (op == "alias" || op == "clone") return x;
    if (op == "cast") return emit(op, {}, {x}, sizes(x), there_[x], from_.values[node.output].dtype);
    if (op == "conv2d" || op == "conv_transpose2d") return convolution(node, in, made);
    if (op == "batch_norm_inference") return normed(node, "batch_norm", in, made);
    if (op == "instance_norm" || op == "layer_norm") return normed(node, op, in, made);
    if (op == "avg_pool2d" || op == "max_pool2d") return emit(op, node.with, {x}, like(x), true);
    if (op == "reflect") return emit(op, node.with, {x}, like(x), true);
    if (op == "upsample") {
      const int64_t rows = made[1] / sizes(x)[2], columns = made[2] / sizes(x)[3];
      check<UsageError>(made[1] == rows * sizes(x)[2] && made[2] == columns * sizes(x)[3],
                        "[upsample] by a factor that is no integer");
      return emit(op, {{"factor", Trace::numbers(rows, columns)}, {"bilinear", node.with.at("bilinear")}}, {x}, like(x),
                  true);
    }
    if (op == "reshape") return reshaped(x, made);
    if (op == "permute") {
      const std::vector<double>& axes = node.with.at("order");
      Order order(axes.begin(), axes.end());
      for (int& axis : order) axis += axis < 0 ? static_cast<int>(order.size()) : 0;
      return permute(here(x), order, false);
    }
    if (op == "linear") return emit(op, {}, in, made, false);
    if (op == "matmul") return emit(op, node.with, {here(x), here(in[1])}, made, false);
    if (op == "softmax" || op == "log_softmax")
      return emit(op, {{"axis", Trace::numbers(axis_there(x, static_cast<int64_t>(rank(x)) - 1))}}, {x}, sizes(x),
                  there_[x]);
    if (op == "argmax") return reduced(op, x, Trace::numbers(rank(x) - 1), made);
    if (op == "sum" || op == "max" || op == "min") return reduced(op, x, node.with.at("axes"), made);
    if (op == "slice") return emit(op, {{"axis", along(x)}, {"range", node.with.at("range")}}, {x}, like(x), there_[x]);
    if (op == "pad") return emit(op, {{"axis", along(x)}, {"by", node.with.at("by")}}, {x}, like(x), there_[x]);
    if (op == "concat") {
      if (made.size() != 4)
        for (size_t& value : in) value = here(value);
      return emit(op, {{"axis", along(in[0])}}, in, like(in[0]), there_[in[0]]);
    }
    if (op == "gather") {  // rows of a table, whose first axis is the same in both layouts, but of rank 3
      const size_t table = rank(x) == 4 ? x : here(x);
      return emit(op, {}, {table, in[1]}, like(table), there_[table]);
    }
    if (op == "broadcast_to") {
      const bool goes_there = made.size() == 4;
      return expand(operand(x, made.size(), goes_there), goes_there ? permuted(made, order_of(4)) : made, goes_there);
    }
    throw UsageError(text("[", op, "] has no word in other programs' graphs"));
  }

  const Graph& from_;
  Graph to_;
  std::vector<size_t> at_;        // of each value here the one there
  std::vector<bool> there_;       // of each value there: does it lie so?
  std::map<size_t, Sizes> rows_;  // of constants that every row of the batch has: their whole sizes
  std::map<size_t, std::pair<size_t, Order>> order_made_;  // of what `permute` made: of what, and how
};

Tensor turned(const Tensor& x, const Order& order) {
  if (order.empty()) return x;
  return permute(x, Axes(order.begin(), order.end()));
}

}  // namespace

Tensor channels_first(const Tensor& state) { return turned(state, order_of(static_cast<size_t>(state.rank()))); }
Tensor channels_last(const Tensor& state) {
  return turned(state, inverse_of(order_of(static_cast<size_t>(state.rank()))));
}
Shape channels_first(const Shape& state) {
  const Order order = order_of(static_cast<size_t>(state.rank()));
  return Shape(std::span<const int64_t>(permuted(Sizes(state.begin(), state.end()), order)));
}

Graph channels_first(const Graph& graph) {
  const Graph biased = with_biases(graph);
  return Turner(biased).turn();
}

std::vector<NamedGraph> exported_views(Recipe& recipe, const Columns& columns, const std::string& only,
                                       std::vector<std::string>& notes) {
  const NoGrad no_grad;
  std::vector<NamedGraph> all;
  for (const View& view : only.empty() ? recipe.views() : std::vector<View>{view_of(recipe, only)}) {
    try {
      all.push_back({view.name, channels_first(graph_of(recipe, view, columns))});
      make_identifiers(all.back().graph);
    } catch (const UsageError& error) {
      notes.push_back(text("the view '", view.name, "' is not exported: ", error.what()));
    }
  }
  check<UsageError>(!all.empty(), notes.empty() ? "this system has no views" : notes.front());
  return all;
}

}  // namespace forger::gan::exchange
