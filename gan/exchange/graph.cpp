#include "gan/exchange/graph.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <map>
#include <set>

#include "core/ops.h"

namespace forger::gan::exchange {
namespace {

constexpr int64_t few = 2, more = 3;  // rows of the two runs

struct Run {
  int64_t rows;
  Batch from, made;
  std::vector<Trace::Op> ops = {};
  std::vector<Trace::Named> exposed = {};
};

Tensor random_rows(const Column& column, int64_t rows, Random& random) {
  const Tensor tensor = empty_rows(column, rows);
  if (column.dtype != DType::i64) return random.uniform(tensor.shape(), -1, 1);
  for (int64_t i = 0; i < tensor.numel(); i++)
    tensor.data<int64_t>()[i] = static_cast<int64_t>(random.below(std::max<uint64_t>(1, column.words.size())));
  return tensor;
}

Run run_of(Recipe& recipe, const View& view, const Columns& columns, int64_t rows) {
  Random random(static_cast<uint64_t>(rows));
  Run run{.rows = rows, .from = view.draw ? view.draw(rows, random) : Batch(), .made = {}};
  for (const std::string& given : view.given) {
    const Column* column = find_column(columns, given);
    check<UsageError>(column != nullptr, "its data had no ", given);
    run.from.add(given, random_rows(*column, rows, random));
  }
  Trace trace;
  run.made = recipe.make(view, run.from);
  run.ops = trace.ops();
  run.exposed = trace.exposed();
  return run;
}

Sizes sizes_of(const Shape& a, const Shape& b) {
  Sizes sizes(a.begin(), a.end());
  for (int i = 0; i < a.rank(); i++) {
    if (a[i] == b[i]) continue;
    const int64_t each = a[i] / few;
    sizes[static_cast<size_t>(i)] = each > 0 && a[i] == each * few && b[i] == each * more ? -each : varying;
  }
  return sizes;
}

const std::byte* bytes_of(const Tensor& x) { return static_cast<const std::byte*>(x.storage()->data()); }
size_t byte_count(const Tensor& x) { return static_cast<size_t>(x.numel()) * size_of(x.dtype()); }

// Two runs, read side by side.
class Reader {
 public:
  Reader(Recipe& recipe, const Run& first, const Run& second) : runs_{&first, &second} {
    for (const Recipe::Network& network : recipe.networks()) {
      const auto enter = [&](const nn::NamedTensors& tensors, Value::Kind kind) {
        for (const nn::Named& one : tensors)
          state_.try_emplace(one.tensor.storage().get(),
                             Value{.kind = kind,
                                   .name = network.name + "." + one.name,
                                   .sizes = sizes_of(one.tensor.shape(), one.tensor.shape()),
                                   .dtype = one.tensor.dtype(),
                                   .tensor = one.tensor});
      };
      enter(network.module->parameters(), Value::Kind::parameter);
      enter(network.module->buffers(), Value::Kind::buffer);
    }
  }

  Graph read() {
    const auto [a, b] = std::pair(runs_[0], runs_[1]);
    for (const nn::Named& input : a->from.tensors) {
      const Tensor& other = b->from[input.name];
      const size_t value = add(input.tensor, other, {.kind = Value::Kind::input, .name = input.name});
      graph_.inputs.push_back({input.name, value});
    }
    check<UsageError>(a->ops.size() == b->ops.size(), "its ops depend on the number of rows");
    for (size_t i = 0; i < a->ops.size(); i++) read_op(a->ops[i], b->ops[i]);
    for (size_t i = 0; i < a->made.tensors.size(); i++)
      output(a->made.tensors[i].name, a->made.tensors[i].tensor, b->made.tensors[i].tensor);
    for (size_t i = 0; i < a->exposed.size(); i++)
      output(a->exposed[i].name, a->exposed[i].tensor, b->exposed[i].tensor);
    return without_unused(graph_);
  }

 private:
  using Key = std::pair<const Storage*, std::vector<int64_t>>;
  static Key key_of(const Tensor& x) { return {x.storage().get(), {x.shape().begin(), x.shape().end()}}; }

  size_t add(const Tensor& a, const Tensor& b, Value value) {
    check<UsageError>(a.rank() == b.rank(), "[", op_, "] the axes of a value depend on the number of rows");
    value.sizes = sizes_of(a.shape(), b.shape());
    value.dtype = a.dtype();
    graph_.values.push_back(std::move(value));
    known_[0][key_of(a)] = known_[1][key_of(b)] = graph_.values.size() - 1;
    return graph_.values.size() - 1;
  }

  // The value that both runs have there; none where neither has met it.
  std::optional<size_t> find(const Tensor& a, const Tensor& b) const {
    const auto in_a = known_[0].find(key_of(a)), in_b = known_[1].find(key_of(b));
    const bool there = in_a != known_[0].end();
    check<UsageError>(there == (in_b != known_[1].end()) && (!there || in_a->second == in_b->second), "[", op_,
                      "] what it is given depends on the number of rows");
    return there ? std::optional(in_a->second) : std::nullopt;
  }

  // What no op made: weights, and numbers that were there before.
  size_t leaf(const Tensor& a, const Tensor& b) {
    const auto state = state_.find(a.storage().get());
    if (state != state_.end() && a.storage() == b.storage() && a.shape() == state->second.tensor.shape())
      return add(a, b, state->second);
    const Sizes sizes = a.rank() == b.rank() ? sizes_of(a.shape(), b.shape()) : Sizes{varying};
    const bool repeated = !sizes.empty() && sizes[0] == -1;
    const bool fixed = std::none_of(sizes.begin() + (repeated ? 1 : 0), sizes.end(), follows_rows);
    const size_t unit = byte_count(a) / static_cast<size_t>(repeated ? few : 1);
    bool same = fixed && a.dtype() == b.dtype();
    for (const Tensor& x : {a, b})
      for (size_t at = 0; same && at < byte_count(x); at += unit)
        same = std::memcmp(bytes_of(x) + at, bytes_of(a), unit) == 0;
    check<UsageError>(same, "[", op_, "] it is given numbers that are neither weights nor constants (", a.shape(), ")");
    Shape shape = a.shape();
    if (repeated) shape.set(0, 1);
    const Tensor held(shape, a.dtype());
    std::memcpy(held.storage()->data(), bytes_of(a), unit);
    return add(a, b, {.kind = Value::Kind::constant, .tensor = held});
  }

  Trace::Attributes attributes(const Trace::Op& a, const Trace::Op& b) const {
    Trace::Attributes with = a.with;
    for (auto& [name, numbers] : with) {
      const std::vector<double>& others = b.with.at(name);
      check<UsageError>(numbers.size() == others.size(), "[", op_, "] ", name, " depends on the number of rows");
      for (size_t i = 0; i < numbers.size(); i++) {
        if (numbers[i] == others[i]) continue;
        // Of a slice: counted from the end, perhaps.
        const auto axis = a.with.find("axis");
        const int at = name == "range" ? static_cast<int>(axis->second[0]) : 0;
        const double end_a = name == "range" ? static_cast<double>(a.inputs[0].size(at)) : 0;
        const double end_b = name == "range" ? static_cast<double>(b.inputs[0].size(at)) : 0;
        check<UsageError>(name == "range" && numbers[i] - end_a == others[i] - end_b, "[", op_, "] ", name,
                          " depends on the number of rows");
        numbers[i] -= end_a;
      }
    }
    return with;
  }

  void read_op(const Trace::Op& a, const Trace::Op& b) {
    op_ = a.name;
    check<UsageError>(a.name == b.name && a.inputs.size() == b.inputs.size() && a.with.size() == b.with.size(),
                      "its ops depend on the number of rows");
    if (find(a.output, b.output)) return;  // made of other ops, which are there
    Node node{.op = a.name, .with = attributes(a, b), .inputs = {}, .output = 0};
    for (size_t i = 0; i < a.inputs.size(); i++) {
      const auto found = find(a.inputs[i], b.inputs[i]);
      node.inputs.push_back(found ? *found : leaf(a.inputs[i], b.inputs[i]));
    }
    node.output = add(a.output, b.output, {});
    graph_.nodes.push_back(std::move(node));
  }

  void output(const std::string& name, const Tensor& a, const Tensor& b) {
    op_ = name;
    const auto value = find(a, b);
    check<UsageError>(value.has_value(), "no op makes its result '", name, "'");
    graph_.outputs.push_back({name, *value});
  }

  const Run* runs_[2];
  std::string op_;  // that is being read
  std::map<const Storage*, Value> state_;
  std::map<Key, size_t> known_[2];
  Graph graph_;
};

}  // namespace

bool follow_rows(const Sizes& sizes) { return std::any_of(sizes.begin(), sizes.end(), follows_rows); }

int64_t Graph::integer(const Node& node, const std::string& attribute, size_t i) const {
  return static_cast<int64_t>(node.with.at(attribute).at(i));
}

Graph graph_of(Recipe& recipe, const View& view, const Columns& columns) {
  const Run first = run_of(recipe, view, columns, few), second = run_of(recipe, view, columns, more);
  return Reader(recipe, first, second).read();
}

Graph without_unused(const Graph& graph) {
  std::vector<bool> used(graph.values.size(), false);
  for (const Graph::Port& output : graph.outputs) used[output.value] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
    if (used[node->output])
      for (const size_t input : node->inputs) used[input] = true;
  Graph kept;
  std::vector<size_t> now(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); i++) {
    now[i] = kept.values.size();
    if (used[i]) kept.values.push_back(graph.values[i]);
  }
  for (Node node : graph.nodes) {
    if (!used[node.output]) continue;
    for (size_t& input : node.inputs) input = now[input];
    node.output = now[node.output];
    kept.nodes.push_back(std::move(node));
  }
  for (const Graph::Port& input : graph.inputs)
    if (used[input.value]) kept.inputs.push_back({input.name, now[input.value]});
  for (const Graph::Port& output : graph.outputs) kept.outputs.push_back({output.name, now[output.value]});
  return kept;
}

std::string identifier(const std::string& name) {
  static const std::set<std::string> words{
      "and",     "as",   "assert", "class",  "continue", "def",    "del",   "elif", "else",   "except",
      "finally", "for",  "from",   "global", "if",       "import", "in",    "is",   "lambda", "not",
      "or",      "pass", "raise",  "return", "self",     "try",    "while", "with", "yield"};
  std::string result = name;
  for (char& c : result)
    if (!std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) > 127) c = '_';
  if (words.contains(result)) return result + "_";
  return result.empty() || std::isdigit(static_cast<unsigned char>(result[0])) ? "_" + result : result;
}

void make_identifiers(Graph& graph) {
  std::set<std::string> taken;
  const auto name = [&](Graph::Port& port, const std::string& wanted) {
    port.name = wanted;
    for (int i = 2; !taken.insert(port.name).second; i++) port.name = text(wanted, '_', i);
  };
  for (Graph::Port& input : graph.inputs) name(input, identifier(input.name));
  for (Graph::Port& output : graph.outputs) {
    const std::string own = identifier(output.name);
    name(output, taken.contains(own) ? "made_" + own : own);
  }
}

}  // namespace forger::gan::exchange
