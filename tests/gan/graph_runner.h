// Runs a channels-first graph (gan/exchange/layout.h) with Forger's own ops: what other programs make of it, without them.
#pragma once
#include <map>

#include "core/ops.h"
#include "gan/exchange/layout.h"
#include "nn/functions.h"

namespace forger::test {

class GraphRunner {
 public:
  using Graph = gan::exchange::Graph;
  using Node = gan::exchange::Node;
  explicit GraphRunner(const Graph& graph) : graph_(graph), values_(graph.values.size()) {}

  // inputs by name, images (N, C, H, W); the outputs in order.
  std::vector<Tensor> operator()(const std::map<std::string, Tensor>& inputs) {
    for (size_t i = 0; i < values_.size(); i++) values_[i] = graph_.values[i].tensor;
    for (const Graph::Port& port : graph_.inputs) values_[port.value] = inputs.at(port.name);
    const Tensor& first = inputs.at(graph_.inputs.front().name);
    rows_ = first.rank() == 0 ? 1 : first.size(0);
    for (const Node& node : graph_.nodes) values_[node.output] = made(node);
    std::vector<Tensor> outputs;
    for (const Graph::Port& port : graph_.outputs) outputs.push_back(values_[port.value]);
    return outputs;
  }

 private:
  static Tensor last(const Tensor& x) { return x.rank() == 4 ? permute(x, {0, 2, 3, 1}) : x; }
  static Tensor second(const Tensor& x) { return x.rank() == 4 ? permute(x, {0, 3, 1, 2}) : x; }

  Tensor made(const Node& node) const {
    const auto in = [&](size_t i) { return values_[node.inputs[i]]; };
    const auto number = [&](const char* name, size_t i = 0) { return node.with.at(name).at(i); };
    const auto integer = [&](const char* name, size_t i = 0) { return graph_.integer(node, name, i); };
    const auto axis = [&] { return static_cast<int>(integer("axis")); };
    const auto axes = [&](const char* name) { return Axes(node.with.at(name).begin(), node.with.at(name).end()); };
    const Tensor x = in(0);
    const gan::exchange::Sizes& sizes = graph_.values[node.output].sizes;
    using Unary = Tensor (*)(const Tensor&);
    static const std::map<std::string, Unary> unary{
        {"neg", neg},       {"exp", exp},         {"log", log},           {"sqrt", sqrt}, {"reciprocal", reciprocal},
        {"square", square}, {"abs", abs},         {"sign", sign},         {"sin", sin},   {"cos", cos},
        {"tanh", tanh},     {"sigmoid", sigmoid}, {"softplus", softplus}, {"relu", relu}};
    using Binary = Tensor (*)(const Tensor&, const Tensor&);
    static const std::map<std::string, Binary> binary{{"add", add},         {"sub", sub},         {"mul", mul},
                                                      {"div", div},         {"maximum", maximum}, {"minimum", minimum},
                                                      {"greater", greater}, {"equal", equal},     {"gather", gather}};
    const std::string& op = node.op;
    if (unary.contains(op)) return unary.at(op)(x);
    if (binary.contains(op)) return binary.at(op)(x, in(1));
    if (op == "affine") return affine(x, number("scale"), number("shift"));
    if (op == "pow") return pow(x, number("exponent"));
    if (op == "clamp") return clamp(x, number("low"), number("high"));
    if (op == "leaky_relu") return leaky_relu(x, number("slope"));
    if (op == "elu") return elu(x, number("alpha"));
    if (op == "cast") return cast(x, graph_.values[node.output].dtype);
    if (op == "linear")
      return node.inputs.size() == 3 ? matmul(x, in(1), false, true) + in(2) : matmul(x, in(1), false, true);
    if (op == "matmul") return matmul(x, in(1), integer("trans_a") != 0, integer("trans_b") != 0);
    if (op == "conv2d" || op == "conv_transpose2d") {
      Conv2dOptions options{
          .stride = integer("stride"), .padding = integer("padding", 0), .padding_w = integer("padding", 1)};
      if (op == "conv2d")
        return second(conv2d(last(x), last(in(1)), node.inputs.size() == 3 ? in(2) : Tensor(), options));
      REQUIRE(number("output_padding", 0) == number("output_padding", 1));
      options.output_padding = integer("output_padding");
      const Tensor map = conv_transpose2d(last(x), last(in(1)), options);
      return second(node.inputs.size() == 3 ? map + in(2) : map);
    }
    if (op == "batch_norm")
      return second(batch_norm_inference(last(x), in(1), in(2), in(3), in(4), {.eps = number("eps")}));
    if (op == "instance_norm") return second(instance_norm(last(x), in(1), in(2), {.eps = number("eps")}));
    if (op == "spectral_norm") {
      const bool out_last = integer("out_last") != 0;
      const Tensor u = in(1), v = in(2), rows = out_last ? v : u, columns = out_last ? u : v;
      return x / sum(reshape(last(x), {rows.numel(), columns.numel()}) * reshape(rows, {-1, 1}) * columns);
    }
    if (op == "layer_norm") return layer_norm(x, in(1), in(2), number("eps"));
    if (op == "avg_pool2d" || op == "max_pool2d") {
      const Pool2dOptions options{integer("kernel"), integer("stride"), integer("padding")};
      return second(op == "avg_pool2d" ? avg_pool2d(last(x), options) : max_pool2d(last(x), options));
    }
    if (op == "reflect") return second((*nn::reflect(integer("by")))(last(x)));
    if (op == "upsample") {
      if (integer("bilinear") == 0 && integer("factor", 0) == integer("factor", 1))
        return second(upsample_nearest(last(x), integer("factor")));
      REQUIRE(integer("bilinear") == 1);
      return second(upsample_bilinear(last(x), x.size(2) * integer("factor", 0), x.size(3) * integer("factor", 1)));
    }
    if (op == "softmax" || op == "log_softmax") {
      const auto f = op == "softmax" ? softmax : log_softmax;
      return axis() == x.rank() - 1 ? f(x) : second(f(last(x)));
    }
    if (op == "sum") return sum(x, axes("axes"), number("keepdim") != 0);
    if (op == "max") return max(x, axes("axes"), number("keepdim") != 0);
    if (op == "min") return min(x, axes("axes"), number("keepdim") != 0);
    if (op == "argmax") return argmax(integer("axes") == x.rank() - 1 ? x : last(x));
    if (op == "permute") return permute(x, axes("order"));
    if (op == "slice") {
      const double size = static_cast<double>(x.size(axis()));
      const auto place = [&](double at) { return static_cast<int64_t>(std::min(at < 0 ? at + size : at, size)); };
      return slice(x, axis(), place(number("range", 0)), place(number("range", 1)));
    }
    if (op == "pad") return pad(x, axis(), integer("by", 0), integer("by", 1));
    if (op == "concat") {
      std::vector<Tensor> parts;
      for (size_t i = 0; i < node.inputs.size(); i++) parts.push_back(in(i));
      return concat(parts, axis());
    }
    if (op == "reshape") {
      std::vector<int64_t> whole(sizes);
      int64_t known = 1;
      for (const int64_t size : sizes) known *= gan::exchange::follows_rows(size) ? 1 : size;
      for (int64_t& size : whole) size = gan::exchange::follows_rows(size) ? x.numel() / known : size;
      return reshape(x, Shape(std::span<const int64_t>(whole)));
    }
    REQUIRE(op == "expand");
    std::vector<int64_t> whole(sizes);
    for (size_t i = 0; i < whole.size(); i++) {
      if (!gan::exchange::follows_rows(whole[i])) continue;
      const int kept = static_cast<int>(i) - static_cast<int>(whole.size()) + x.rank();
      whole[i] = kept >= 0 && x.size(kept) != 1 ? x.size(kept) : rows_;
    }
    return broadcast_to(x, Shape(std::span<const int64_t>(whole)));
  }

  const Graph& graph_;
  std::vector<Tensor> values_;
  int64_t rows_ = 0;
};

}  // namespace forger::test
