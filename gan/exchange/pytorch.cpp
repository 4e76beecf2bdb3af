#include "gan/exchange/pytorch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/autograd.h"
#include "core/ops.h"

namespace forger::gan::exchange {
namespace {

// As short as Python reads it back.
std::string number(double value) {
  if (std::isinf(value)) return value < 0 ? "-float(\"inf\")" : "float(\"inf\")";
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<int64_t>(value));
  return nlohmann::json(value).dump();
}
std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}
std::string tuple(const std::vector<std::string>& parts) {
  return "(" + joined(parts) + (parts.size() == 1 ? ",)" : ")");
}
std::vector<std::string> numbers(const std::vector<double>& values) {
  std::vector<std::string> all;
  for (const double value : values) all.push_back(number(value));
  return all;
}
// "2", or "(2, 1)" where they differ.
std::string pair_of(const std::vector<double>& values) {
  return values[0] == values[1] ? number(values[0]) : tuple(numbers(values));
}

// A statement in lines that are not too long: broken between arguments.
std::string wrapped(const std::string& statement) {
  constexpr size_t longest = 110;
  const size_t open = statement.find('(');
  if (statement.size() <= longest || open == statement.npos || !statement.ends_with(")")) return statement + "\n";
  std::string lines = statement.substr(0, open + 1) + "\n", line = "            ";
  for (size_t at = open + 1; at < statement.size() - 1;) {
    const size_t comma = statement.find(", ", at);
    const size_t end = comma == statement.npos ? statement.size() - 1 : comma + 2;
    if (line.size() + end - at > longest + 1) {
      lines += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line = "            ";
    }
    line += statement.substr(at, end - at);
    at = end;
  }
  return lines + line + "\n        )\n";
}

std::string described(const Sizes& sizes) {
  std::vector<std::string> parts;
  for (const int64_t size : sizes)
    parts.push_back(size == -1 ? "N" : size == varying ? "?" : size < 0 ? text(-size, "N") : std::to_string(size));
  return tuple(parts);
}

// Ops that are one expression of their inputs.
const std::map<std::string, std::string> expressions{
    {"neg", "-{0}"},
    {"exp", "torch.exp({0})"},
    {"log", "torch.log({0})"},
    {"sqrt", "torch.sqrt({0})"},
    {"reciprocal", "torch.reciprocal({0})"},
    {"square", "torch.square({0})"},
    {"abs", "torch.abs({0})"},
    {"sign", "torch.sign({0})"},
    {"sin", "torch.sin({0})"},
    {"cos", "torch.cos({0})"},
    {"tanh", "torch.tanh({0})"},
    {"sigmoid", "torch.sigmoid({0})"},
    {"softplus", "F.softplus({0})"},
    {"relu", "F.relu({0})"},
    {"leaky_relu", "F.leaky_relu({0}, {slope})"},
    {"elu", "F.elu({0}, {alpha})"},
    {"pow", "{0} ** {exponent}"},
    {"clamp", "torch.clamp({0}, {low}, {high})"},
    {"add", "{0} + {1}"},
    {"sub", "{0} - {1}"},
    {"mul", "{0} * {1}"},
    {"div", "{0} / {1}"},
    {"maximum", "torch.maximum({0}, {1})"},
    {"minimum", "torch.minimum({0}, {1})"},
    {"greater", "({0} > {1}).to({dtype})"},
    {"equal", "({0} == {1}).to({dtype})"},
    {"cast", "{0}.to({dtype})"},
    {"linear", "F.linear({all})"},
    {"softmax", "F.softmax({0}, dim={axis})"},
    {"log_softmax", "F.log_softmax({0}, dim={axis})"},
    {"concat", "torch.cat([{all}], dim={axis})"},
    {"gather", "{0}[{1}]"},
    {"permute", "{0}.permute({order})"},
    {"sum", "{0}.sum(dim=({axes},){keepdim})"},
    {"max", "{0}.amax(dim=({axes},){keepdim})"},
    {"min", "{0}.amin(dim=({axes},){keepdim})"},
    {"argmax", "{0}.argmax(dim={axes}{keepdim})"},
    {"conv2d", "F.conv2d({all}, stride={stride}, padding={padding})"},
    {"conv_transpose2d", "F.conv_transpose2d({all}, stride={stride}, padding={padding}{output_padding})"},
    {"avg_pool2d", "F.avg_pool2d({0}, {kernel}, stride={stride}, padding={padding}, count_include_pad=False)"},
    {"max_pool2d", "F.max_pool2d({0}, {kernel}, stride={stride}, padding={padding})"},
    {"reflect", "F.pad({0}, ({by}, {by}, {by}, {by}), mode=\"reflect\")"},
    {"upsample", "F.interpolate({0}, scale_factor={factor}{mode})"},
    {"batch_norm", "F.batch_norm({0}, {3}, {4}, {1}, {2}, {training}, eps={eps})"},
    {"spectral_norm", "spectral_norm({0}, {1}, {2}, self.training{out_last})"},
    {"instance_norm", "F.instance_norm({0}, weight={1}, bias={2}, eps={eps})"},
    {"layer_norm", "F.layer_norm({0}, {0}.shape[1:], {1}, {2}, eps={eps})"},
};

const std::set<std::string> takes_numbers{"add", "sub", "mul", "div", "greater", "equal"};

bool all_equal(const Tensor& x) {
  const std::vector<double> values = x.to_vector();
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
}

// Tensors that several views share are one.
class Constants {
 public:
  std::string name_of(const Tensor& tensor) {
    const auto same = [&](const nn::Named& one) {
      return one.tensor.shape() == tensor.shape() && one.tensor.dtype() == tensor.dtype() &&
             one.tensor.to_vector() == tensor.to_vector();
    };
    const auto found = std::find_if(all.begin(), all.end(), same);
    if (found != all.end()) return found->name;
    all.push_back({constants_prefix + std::to_string(all.size()), tensor});
    return all.back().name;
  }
  nn::NamedTensors all;
};

// A view as a method.
class Method {
 public:
  Method(const Graph& graph, Constants& constants)
      : graph_(graph), constants_(constants), variables_(graph.values.size()) {
    last_use_.assign(graph.values.size(), 0);
    for (size_t i = 0; i < graph.nodes.size(); i++)
      for (const size_t input : graph.nodes[i].inputs) last_use_[input] = i;
    for (const Graph::Port& output : graph.outputs) last_use_[output.value] = graph.nodes.size();
    for (const Graph::Port& input : graph.inputs) {
      variables_[input.value] = input.name;
      taken_.insert(input.name);
    }
  }

  std::string source(const std::string& name) {
    std::vector<std::string> arguments{"self"}, given, made, results;
    for (const Graph::Port& input : graph_.inputs) {
      arguments.push_back(input.name);
      given.push_back(input.name + " " + described(graph_.values[input.value].sizes));
    }
    for (const Graph::Port& output : graph_.outputs)
      made.push_back(output.name + " " + described(graph_.values[output.value].sizes));
    std::string lines;
    for (size_t i = 0; i < graph_.nodes.size(); i++) {
      const std::string expression = expression_of(graph_.nodes[i]);
      lines += wrapped("        " + variable_for(i) + " = " + expression);
    }
    for (const Graph::Port& output : graph_.outputs) results.push_back(variables_[output.value]);
    return "    def " + name + "(" + joined(arguments) + "):\n        \"\"\"" + joined(given) + " -> " + joined(made) +
           "\"\"\"\n" + lines + "        return " + joined(results) + "\n";
  }

 private:
  // The first operand's where nobody reads that any more, so that a chain of layers is one of x.
  std::string variable_for(size_t i) {
    const Node& node = graph_.nodes[i];
    std::string kept;
    for (const size_t input : node.inputs) {
      const bool done = graph_.values[input].kind == Value::Kind::result && last_use_[input] == i;
      if (!done || !taken_.erase(variables_[input])) continue;
      if (kept.empty()) kept = variables_[input];
    }
    for (int round = 0; kept.empty(); round++)
      for (const char* letter : {"x", "y", "u", "v", "s", "t", "a", "b"}) {
        const std::string name = round == 0 ? letter : text(letter, round);
        if (kept.empty() && !taken_.contains(name)) kept = name;
      }
    taken_.insert(kept);
    return variables_[node.output] = kept;
  }

  std::string operand(const Node& node, size_t i) {
    const Value& value = graph_.values[node.inputs[i]];
    if (!value.tensor.defined()) return variables_[node.inputs[i]];
    if (value.kind != Value::Kind::constant) return "self[\"" + value.name + "\"]";
    const bool plain = takes_numbers.contains(node.op) && value.dtype != DType::i64 &&
                       graph_.values[node.inputs[1 - i]].sizes == graph_.values[node.output].sizes &&
                       !graph_.values[node.inputs[1 - i]].tensor.defined() && all_equal(value.tensor);
    if (plain) return number(value.tensor.to_vector()[0]);
    return "self[\"" + constants_.name_of(value.tensor) + "\"]";
  }

  // Statistics of the batch while it trains; not where something else reads what was kept, which would disagree then.
  std::string training(const Node& node) const {
    for (const Node& other : graph_.nodes)
      if (other.op != "batch_norm" && std::ranges::find(other.inputs, node.inputs[4]) != other.inputs.end())
        return "False";
    return "self.training";
  }

  std::string attribute(const Node& node, const std::string& name) const {
    const auto values = node.with.find(name);
    if (name == "dtype") return text("torch.", ::forger::name_of(graph_.values[node.output].dtype));
    if (name == "training") return training(node);
    if (name == "keepdim") return values->second[0] != 0 ? ", keepdim=True" : "";
    if (name == "out_last") return values->second[0] != 0 ? ", transposed=True" : "";
    if (name == "mode") return node.with.at("bilinear")[0] != 0 ? ", mode=\"bilinear\"" : "";
    if (name == "order" || name == "axes") return joined(numbers(values->second));
    if (name == "output_padding")
      return values->second == std::vector<double>{0, 0} ? "" : ", output_padding=" + pair_of(values->second);
    return values->second.size() == 2 ? pair_of(values->second) : number(values->second[0]);
  }

  std::string filled(const Node& node, const std::string& pattern) {
    std::vector<std::string> operands;
    for (size_t i = 0; i < node.inputs.size(); i++) operands.push_back(operand(node, i));
    std::string result;
    for (size_t at = 0; at < pattern.size(); at++) {
      if (pattern[at] != '{') {
        result += pattern[at];
        continue;
      }
      const size_t end = pattern.find('}', at);
      const std::string key = pattern.substr(at + 1, end - at - 1);
      const bool place = key.size() == 1 && std::isdigit(static_cast<unsigned char>(key[0]));
      result += key == "all" ? joined(operands)
                : place      ? operands[static_cast<size_t>(key[0] - '0')]
                             : attribute(node, key);
      at = end;
    }
    return result;
  }

  std::string expression_of(const Node& node) {
    if (const auto found = expressions.find(node.op); found != expressions.end()) return filled(node, found->second);
    const std::string x = operand(node, 0);
    const Sizes &from = graph_.values[node.inputs[0]].sizes, &made = graph_.values[node.output].sizes;
    const auto colons = [&] {
      std::string all;
      for (int64_t i = 0; i < graph_.integer(node, "axis"); i++) all += ":, ";
      return all;
    };
    if (node.op == "affine") {
      const double scale = node.with.at("scale")[0], shift = node.with.at("shift")[0];
      const std::string scaled = scale == 1 ? x : scale == -1 ? "-" + x : number(scale) + " * " + x;
      return shift == 0    ? scaled
             : scale == -1 ? number(shift) + " - " + x
                           : scaled + (shift < 0 ? " - " + number(-shift) : " + " + number(shift));
    }
    if (node.op == "matmul") {
      const auto side = [&](size_t i, const char* trans) {
        return operand(node, i) + (graph_.integer(node, trans) != 0 ? ".mT" : "");
      };
      return side(0, "trans_a") + " @ " + side(1, "trans_b");
    }
    if (node.op == "reshape") {
      std::vector<std::string> sizes;
      for (const int64_t size : made) sizes.push_back(follows_rows(size) ? "-1" : std::to_string(size));
      return x + ".reshape(" + (sizes.empty() ? "()" : joined(sizes)) + ")";
    }
    if (node.op == "slice") {
      const double begin = node.with.at("range")[0], end = node.with.at("range")[1];
      return x + "[" + colons() + (begin == 0 ? "" : number(begin)) + ":" + (std::isinf(end) ? "" : number(end)) + "]";
    }
    if (node.op == "pad") {
      std::vector<double> by(2 * (made.size() - static_cast<size_t>(graph_.integer(node, "axis"))), 0);
      by.end()[-2] = node.with.at("by")[0], by.end()[-1] = node.with.at("by")[1];
      return "F.pad(" + x + ", " + tuple(numbers(by)) + ")";
    }
    if (node.op == "expand") {
      const size_t added = made.size() - from.size();
      std::vector<std::string> sizes;
      for (size_t i = 0; i < made.size(); i++) {
        const bool kept = i >= added && from[i - added] == made[i];
        sizes.push_back(kept                    ? "-1"
                        : follows_rows(made[i]) ? "len(" + graph_.inputs.at(0).name + ")"
                                                : std::to_string(made[i]));
      }
      return x + ".expand(" + joined(sizes) + ")";
    }
    throw Error(text("[", node.op, "] has no expression here"));
  }

  const Graph& graph_;
  Constants& constants_;
  std::vector<std::string> variables_;  // of the values that have one
  std::set<std::string> taken_;
  std::vector<size_t> last_use_;
};

constexpr const char* heading = R"(

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

)";

constexpr const char* spectral_norm = R"(

def spectral_norm(weight, u, v, training, transposed=False):
    """The weight, divided by its largest singular value u'Wv; training takes a step of power iteration before."""
    w = weight
    if weight.dim() == 4:  # a row for each channel that comes out
        w = weight.permute(1, 0, 2, 3) if transposed else weight.permute(0, 2, 3, 1)
    w = w.reshape(len(u), -1)
    if training:
        with torch.no_grad():
            v.copy_(F.normalize(w.T @ u, dim=0, eps=1e-12))
            u.copy_(F.normalize(w @ v, dim=0, eps=1e-12))
    return weight / (u.clone() @ w @ v.clone())
)";

constexpr const char* beginning = R"(

class Model(nn.Module):
    """Every weight of the run under its name in the checkpoint, and a method for each thing that the run can do.

    Images are (N, C, H, W), from -1 to 1. `forward` is the first method.
    """

    def __init__(self, weights=Path(__file__).with_name("model.safetensors")):
        super().__init__()
        for name, tensor in load_file(weights).items():
            *path, leaf = name.split(".")
            at = self
            for part in path:
                if part not in at._modules:
                    at.add_module(part, nn.Module())
                at = at._modules[part]
            if name.startswith("constants."):
                at.register_buffer(leaf, tensor, persistent=False)
            elif name in BUFFERS:
                at.register_buffer(leaf, tensor)
            else:
                at.register_parameter(leaf, nn.Parameter(tensor))

    def __getitem__(self, name):
        path, _, leaf = name.rpartition(".")
        return getattr(self.get_submodule(path), leaf)
)";

}  // namespace

PytorchModel pytorch_model(const Recipe& recipe, const std::vector<NamedGraph>& views, const std::string& about) {
  const NoGrad no_grad;
  PytorchModel model;
  std::string buffers, methods;
  std::set<std::string> taken;
  for (const Recipe::Network& network : recipe.networks()) {
    taken.insert(network.name);
    for (const nn::Named& one : network.module->state())
      model.weights.tensors.push_back({network.name + "." + one.name, channels_first(one.tensor.detach())});
    for (const nn::Named& one : network.module->buffers())
      buffers += "    \"" + network.name + "." + one.name + "\",\n";
  }
  Constants constants;
  std::string first;
  for (const NamedGraph& view : views) {
    std::string name = identifier(view.name);
    while (!taken.insert(name).second) name += "_";
    if (first.empty()) first = name;
    methods += "\n" + Method(view.graph, constants).source(name);
  }
  model.weights.tensors.insert(model.weights.tensors.end(), constants.all.begin(), constants.all.end());
  model.weights.metadata = {{"format", "pt"}, {"layout", "PyTorch's: images NCHW, convolution weights (O, C, KH, KW)"}};
  model.source = "\"\"\"" + about + "\"\"\"" + heading + "BUFFERS = {" +
                 (buffers.empty() ? "}\n" : "\n" + buffers + "}\n") +
                 (methods.find(" spectral_norm(") == methods.npos ? "" : spectral_norm) + beginning + methods +
                 "\n    forward = " + first + "\n";
  return model;
}

}  // namespace forger::gan::exchange
