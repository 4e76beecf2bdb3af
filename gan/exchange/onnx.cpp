#include "gan/exchange/onnx.h"

#define ONNX_ML 1  // as Debian built the library
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>

#include "core/autograd.h"
#include "core/ops.h"
#include "gan/exchange/layout.h"

namespace forger::gan::exchange {
namespace {

int32_t element_type(DType dtype) {
  return dtype == DType::f32   ? onnx::TensorProto::FLOAT
         : dtype == DType::f64 ? onnx::TensorProto::DOUBLE
                               : onnx::TensorProto::INT64;
}

// Ops that are one operator of the same inputs; those that also have attributes are below.
const std::map<std::string, std::string> operators{{"neg", "Neg"},
                                                   {"exp", "Exp"},
                                                   {"log", "Log"},
                                                   {"sqrt", "Sqrt"},
                                                   {"reciprocal", "Reciprocal"},
                                                   {"abs", "Abs"},
                                                   {"sign", "Sign"},
                                                   {"sin", "Sin"},
                                                   {"cos", "Cos"},
                                                   {"tanh", "Tanh"},
                                                   {"sigmoid", "Sigmoid"},
                                                   {"softplus", "Softplus"},
                                                   {"relu", "Relu"},
                                                   {"add", "Add"},
                                                   {"sub", "Sub"},
                                                   {"mul", "Mul"},
                                                   {"div", "Div"},
                                                   {"maximum", "Max"},
                                                   {"minimum", "Min"},
                                                   {"leaky_relu", "LeakyRelu"},
                                                   {"elu", "Elu"},
                                                   {"linear", "Gemm"},
                                                   {"softmax", "Softmax"},
                                                   {"concat", "Concat"},
                                                   {"log_softmax", "LogSoftmax"},
                                                   {"gather", "Gather"},
                                                   {"permute", "Transpose"},
                                                   {"cast", "Cast"}};

class Writer {
 public:
  Writer(const Graph& graph, const std::string& name, const std::string& about)
      : graph_(graph), out_(*model_.mutable_graph()) {
    model_.set_ir_version(onnx_ir_version);
    model_.add_opset_import()->set_version(onnx_opset);
    model_.set_producer_name("forger");
    model_.set_producer_version(FORGER_VERSION);
    model_.set_doc_string(about);
    out_.set_name(name);
  }

  std::string bytes() {
    std::vector<bool> stays(graph_.values.size(), false);  // not what is divided by a norm before it is written
    for (const Node& each : graph_.nodes)
      for (const size_t input : each.inputs) stays[input] = stays[input] || each.op != "spectral_norm";
    for (const Graph::Port& port : graph_.outputs) stays[port.value] = true;
    for (size_t i = 0; i < graph_.values.size(); i++) {
      const Value& value = graph_.values[i];
      names_.push_back(value.tensor.defined() && !value.name.empty() ? value.name : text("value_", i));
      if (value.tensor.defined() && stays[i]) initializer(names_.back(), value.tensor);
    }
    for (const Graph::Port& input : graph_.inputs) {
      names_[input.value] = input.name;
      describe(*out_.add_input(), input);
    }
    for (const Node& node : graph_.nodes) write(node);
    for (const Graph::Port& output : graph_.outputs) {
      node("Identity", {names_[output.value]}, output.name);
      describe(*out_.add_output(), output);
    }
    return model_.SerializeAsString();
  }

 private:
  void describe(onnx::ValueInfoProto& info, const Graph::Port& port) const {
    const Value& value = graph_.values[port.value];
    info.set_name(port.name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(element_type(value.dtype));
    type.mutable_shape();  // there, if without axes
    for (const int64_t size : value.sizes) {
      auto& axis = *type.mutable_shape()->add_dim();
      if (!follows_rows(size)) axis.set_dim_value(size);
      if (follows_rows(size))
        axis.set_dim_param(size == -1 ? "batch" : size == varying ? "rows" : text("batch_times_", -size));
    }
  }

  void initializer(const std::string& name, const Tensor& tensor) {
    onnx::TensorProto& entry = *out_.add_initializer();
    entry.set_name(name);
    entry.set_data_type(element_type(tensor.dtype()));
    for (const int64_t size : tensor.shape()) entry.add_dims(size);
    entry.set_raw_data(tensor.storage()->data(), static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
  }
  // A constant that an operator takes as an input; its name.
  std::string integers(const std::vector<int64_t>& values) {
    const std::string name = text("integers_", constants_++);
    initializer(name, from_indices(values));
    return name;
  }
  std::string scalar(double value, DType dtype) {
    const std::string name = text("number_", constants_++);
    initializer(name, full({}, value, dtype));
    return name;
  }

  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto& made = *out_.add_node();
    made.set_op_type(op);
    made.set_name(text(op, "_", out_.node_size()));
    for (const std::string& input : inputs) made.add_input(input);
    made.add_output(output);
    return made;
  }
  std::string between(const std::string& op, const std::vector<std::string>& inputs) {
    const std::string name = text("between_", between_++);
    node(op, inputs, name);
    return name;
  }

  static onnx::AttributeProto& attribute(onnx::NodeProto& node, const std::string& name,
                                         onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& made = *node.add_attribute();
    made.set_name(name);
    made.set_type(type);
    return made;
  }
  static void set(onnx::NodeProto& node, const std::string& name, int64_t value) {
    attribute(node, name, onnx::AttributeProto::INT).set_i(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, double value) {
    attribute(node, name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(value));
  }
  static void set(onnx::NodeProto& node, const std::string& name, const char* value) {
    attribute(node, name, onnx::AttributeProto::STRING).set_s(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
    auto& made = attribute(node, name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) made.add_ints(value);
  }

  // The sizes of an expanded value: 1 keeps an axis as it is. A new axis of rows has the length that an input has.
  std::string expanded_to(const Value& from, const Value& to) {
    std::vector<int64_t> sizes;
    const size_t added = to.sizes.size() - from.sizes.size();
    bool grows = false;
    for (size_t i = 0; i < to.sizes.size(); i++) {
      const bool there = i >= added && from.sizes[i - added] == to.sizes[i];
      grows = grows || (!there && i == 0 && follows_rows(to.sizes[i]));
      sizes.push_back(there ? 1 : to.sizes[i]);
    }
    if (!grows) return integers(sizes);
    const std::string rows = text("between_", between_++);
    const auto input = std::find_if(graph_.inputs.begin(), graph_.inputs.end(), [&](const Graph::Port& port) {
      const Sizes& own = graph_.values[port.value].sizes;
      return !own.empty() && own[0] == -1;
    });
    check<UsageError>(input != graph_.inputs.end(), "no input says how many rows there are");
    onnx::NodeProto& shape = node("Shape", {input->name}, rows);
    set(shape, "start", int64_t{0});
    set(shape, "end", int64_t{1});
    sizes.erase(sizes.begin());
    if (sizes.empty()) return rows;
    const std::string whole = text("between_", between_++);
    set(node("Concat", {rows, integers(sizes)}, whole), "axis", int64_t{0});
    return whole;
  }

  // A weight under spectral norm, W / u'Wv: a constant where nothing trains.
  Tensor normed(const Node& node) const {
    const NoGrad no_grad;
    const Tensor weight = graph_.values[node.inputs[0]].tensor, w = channels_last(weight);
    const Tensor u = graph_.values[node.inputs[1]].tensor, v = graph_.values[node.inputs[2]].tensor;
    const bool out_last = graph_.integer(node, "out_last") != 0;
    const Tensor rows = reshape(out_last ? v : u, {1, -1}), columns = reshape(out_last ? u : v, {-1, 1});
    const Tensor sigma = matmul(matmul(rows, reshape(w, {rows.numel(), columns.numel()})), columns);
    return weight / reshape(sigma, Shape{});
  }

  void write(const Node& from) {
    const std::string& op = from.op;
    const Value& x = graph_.values[from.inputs[0]];
    const Value& made = graph_.values[from.output];
    const std::string& output = names_[from.output];
    std::vector<std::string> in;
    for (const size_t input : from.inputs) in.push_back(names_[input]);
    const auto number = [&](const char* name, size_t i = 0) { return from.with.at(name).at(i); };
    const auto integer = [&](const char* name, size_t i = 0) { return graph_.integer(from, name, i); };
    const auto twice = [](int64_t n) { return std::vector<int64_t>{n, n}; };

    if (const auto same = operators.find(op); same != operators.end()) {
      onnx::NodeProto& node_ = node(same->second, in, output);
      if (op == "leaky_relu") set(node_, "alpha", number("slope"));
      if (op == "elu") set(node_, "alpha", number("alpha"));
      if (op == "linear") set(node_, "transB", int64_t{1});
      if (op == "softmax" || op == "log_softmax" || op == "concat") set(node_, "axis", integer("axis"));
      if (op == "cast") set(node_, "to", int64_t{element_type(made.dtype)});
      if (op == "permute") {
        const std::vector<double>& order = from.with.at("order");
        set(node_, "perm", std::vector<int64_t>(order.begin(), order.end()));
      }
    } else if (op == "square") {
      node("Mul", {in[0], in[0]}, output);
    } else if (op == "affine") {
      const bool scales = number("scale") != 1;
      const std::string scaled = scales ? between("Mul", {in[0], scalar(number("scale"), x.dtype)}) : in[0];
      node("Add", {scaled, scalar(number("shift"), x.dtype)}, output);
    } else if (op == "pow") {
      node("Pow", {in[0], scalar(number("exponent"), x.dtype)}, output);
    } else if (op == "clamp") {
      node("Clip", {in[0], scalar(number("low"), x.dtype), scalar(number("high"), x.dtype)}, output);
    } else if (op == "greater" || op == "equal") {
      set(node("Cast", {between(op == "greater" ? "Greater" : "Equal", in)}, output), "to",
          int64_t{element_type(made.dtype)});
    } else if (op == "matmul") {
      for (size_t i = 0; i < 2; i++) {
        if (integer(i == 0 ? "trans_a" : "trans_b") == 0) continue;
        std::vector<int64_t> order(graph_.values[from.inputs[i]].sizes.size());
        for (size_t axis = 0; axis < order.size(); axis++) order[axis] = static_cast<int64_t>(axis);
        std::swap(order.end()[-1], order.end()[-2]);
        const std::string turned = text("between_", between_++);
        set(node("Transpose", {in[i]}, turned), "perm", order);
        in[i] = turned;
      }
      node("MatMul", in, output);
    } else if (op == "sum") {
      const std::vector<double>& axes = from.with.at("axes");
      set(node("ReduceSum", {in[0], integers({axes.begin(), axes.end()})}, output), "keepdims", integer("keepdim"));
    } else if (op == "max" || op == "min") {
      const std::vector<double>& axes = from.with.at("axes");
      onnx::NodeProto& reduce = node(op == "max" ? "ReduceMax" : "ReduceMin", in, output);
      set(reduce, "axes", std::vector<int64_t>(axes.begin(), axes.end()));
      set(reduce, "keepdims", integer("keepdim"));
    } else if (op == "argmax") {
      onnx::NodeProto& reduce = node("ArgMax", in, output);
      set(reduce, "axis", integer("axes"));
      set(reduce, "keepdims", integer("keepdim"));
    } else if (op == "conv2d" || op == "conv_transpose2d") {
      const Sizes& kernel = graph_.values[from.inputs[1]].sizes;
      onnx::NodeProto& conv = node(op == "conv2d" ? "Conv" : "ConvTranspose", in, output);
      const int64_t h = integer("padding", 0), w = integer("padding", 1);
      set(conv, "kernel_shape", std::vector<int64_t>{kernel[2], kernel[3]});
      set(conv, "strides", twice(integer("stride")));
      set(conv, "pads", std::vector<int64_t>{h, w, h, w});
      if (op != "conv2d")
        set(conv, "output_padding", std::vector<int64_t>{integer("output_padding", 0), integer("output_padding", 1)});
    } else if (op == "avg_pool2d" || op == "max_pool2d") {
      onnx::NodeProto& pool = node(op == "avg_pool2d" ? "AveragePool" : "MaxPool", in, output);
      const int64_t padding = integer("padding");
      set(pool, "kernel_shape", twice(integer("kernel")));
      set(pool, "strides", twice(integer("stride")));
      set(pool, "pads", std::vector<int64_t>{padding, padding, padding, padding});
    } else if (op == "upsample") {
      const std::string scales = text("scales_", constants_++);
      initializer(scales, from_values({4}, std::vector<double>{1, 1, number("factor", 0), number("factor", 1)}));
      onnx::NodeProto& resize = node("Resize", {in[0], "", scales}, output);
      const bool bilinear = integer("bilinear") != 0;
      set(resize, "mode", bilinear ? "linear" : "nearest");
      set(resize, "coordinate_transformation_mode", bilinear ? "half_pixel" : "asymmetric");
      if (!bilinear) set(resize, "nearest_mode", "floor");
    } else if (op == "reflect") {
      const int64_t by = integer("by");
      set(node("Pad", {in[0], integers({0, 0, by, by, 0, 0, by, by})}, output), "mode", "reflect");
    } else if (op == "spectral_norm") {
      initializer(output, normed(from));
    } else if (op == "batch_norm") {
      set(node("BatchNormalization", in, output), "epsilon", number("eps"));
    } else if (op == "instance_norm") {
      set(node("InstanceNormalization", in, output), "epsilon", number("eps"));
    } else if (op == "layer_norm") {
      onnx::NodeProto& norm = node("LayerNormalization", in, output);
      set(norm, "axis", int64_t{1});
      set(norm, "epsilon", number("eps"));
    } else if (op == "reshape") {
      std::vector<int64_t> sizes = made.sizes;
      for (int64_t& size : sizes) size = std::max<int64_t>(size, -1);
      if (follow_rows(sizes)) std::replace_if(sizes.begin(), sizes.end(), follows_rows, int64_t{-1});
      node("Reshape", {in[0], integers(sizes)}, output);
    } else if (op == "slice") {
      const double end = number("range", 1);
      const int64_t last = end > 1e18 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(end);
      node("Slice", {in[0], integers({integer("range", 0)}), integers({last}), integers({integer("axis")})}, output);
    } else if (op == "pad") {
      std::vector<int64_t> pads(2 * x.sizes.size(), 0);
      const auto axis = static_cast<size_t>(integer("axis"));
      pads[axis] = integer("by", 0);
      pads[x.sizes.size() + axis] = integer("by", 1);
      node("Pad", {in[0], integers(pads)}, output);
    } else if (op == "expand") {
      node("Expand", {in[0], expanded_to(x, made)}, output);
    } else {
      throw Error(text("[", op, "] has no operator here"));
    }
  }

  const Graph& graph_;
  onnx::ModelProto model_;
  onnx::GraphProto& out_;
  std::vector<std::string> names_;  // of the values
  int constants_ = 0, between_ = 0;
};

}  // namespace

std::string onnx_model(const Graph& graph, const std::string& name, const std::string& about) {
  return Writer(graph, name, about).bytes();
}

}  // namespace forger::gan::exchange
