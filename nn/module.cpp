// The tree behind Module: registration, walking, and state by name.
#include "nn/module.h"

#include <algorithm>
#include <map>

#include "core/autograd.h"

namespace forger::nn {

// ---- registration ----

void Module::check_name(const std::string& name) const {
  check<Error>(!name.empty() && name.find('.') == std::string::npos, "[module] \"", name,
               "\" is no name for a parameter, buffer or child: it must not be empty and must hold no dot");
  const auto same = [&](const Named& named) { return named.name == name; };
  const bool taken = std::any_of(parameters_.begin(), parameters_.end(), same) ||
                     std::any_of(buffers_.begin(), buffers_.end(), same) ||
                     std::any_of(children_.begin(), children_.end(), [&](const auto& c) { return c.first == name; });
  check<Error>(!taken, "[module] the name \"", name, "\" is registered twice");
}

Tensor Module::parameter(const std::string& name, Tensor value) {
  check_name(name);
  value.set_requires_grad();
  parameters_.push_back({name, value});
  return value;
}

Tensor Module::buffer(const std::string& name, Tensor value) {
  check_name(name);
  buffers_.push_back({name, value});
  return value;
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> module) {
  check_name(name);
  check<Error>(module != nullptr, "[module] the child \"", name, "\" is null");
  children_.emplace_back(name, std::move(module));
}

// ---- walking ----

void Module::collect(NamedTensors Module::*own, const std::string& prefix, std::set<const Storage*>& seen,
                     NamedTensors& out) const {
  for (const auto& [name, tensor] : this->*own)
    if (seen.insert(tensor.storage().get()).second) out.push_back({prefix + name, tensor});
  for (const auto& [name, module] : children_) module->collect(own, prefix + name + ".", seen, out);
}

NamedTensors Module::parameters() const {
  NamedTensors out;
  std::set<const Storage*> seen;
  collect(&Module::parameters_, "", seen, out);
  return out;
}

NamedTensors Module::buffers() const {
  NamedTensors out;
  std::set<const Storage*> seen;
  collect(&Module::buffers_, "", seen, out);
  return out;
}

NamedTensors Module::state() const {
  NamedTensors all = parameters();
  const NamedTensors more = buffers();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void Module::to(Device device) {
  for (const auto& [name, tensor] : state()) tensor.storage()->move_to(device);
}

void Module::to(DType dtype) {
  const NoGrad no_grad;
  for (const auto& [name, tensor] : state()) {
    if (tensor.dtype() == dtype || tensor.dtype() == DType::i64) continue;
    tensor.storage()->exchange(*cast(tensor, dtype).storage());
  }
}

void Module::visit(const std::function<void(const Module&)>& visitor) const {
  visitor(*this);
  for (const auto& [name, module] : children_) module->visit(visitor);
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, module] : children_) module->train(on);
}

void Module::set_requires_grad(bool on) {
  for (auto& [name, tensor] : parameters_) tensor.set_requires_grad(on);
  for (const auto& [name, module] : children_) module->set_requires_grad(on);
}

// ---- state by name ----

std::vector<Tensor> tensors_of(const NamedTensors& named) {
  std::vector<Tensor> tensors;
  tensors.reserve(named.size());
  for (const auto& [name, tensor] : named) tensors.push_back(tensor);
  return tensors;
}

void load_state(const NamedTensors& target, const NamedTensors& source) {
  std::map<std::string, Tensor> incoming;
  for (const auto& [name, tensor] : source)
    check<DataError>(incoming.emplace(name, tensor).second, "[load_state] \"", name, "\" is given twice");
  std::set<std::string> expected;
  for (const auto& [name, tensor] : target) {
    expected.insert(name);
    const auto found = incoming.find(name);
    check<DataError>(found != incoming.end(), "[load_state] \"", name, "\" (", tensor.shape(), ") is missing");
    const Tensor& value = found->second;
    check<DataError>(value.shape() == tensor.shape() && value.dtype() == tensor.dtype(), "[load_state] \"", name,
                     "\" should be ", name_of(tensor.dtype()), " ", tensor.shape(), ", is ", name_of(value.dtype()),
                     " ", value.shape());
  }
  for (const auto& [name, tensor] : source)
    check<DataError>(expected.count(name) == 1, "[load_state] \"", name, "\" (", tensor.shape(),
                     ") has no place in this network");
  for (const auto& [name, tensor] : target) copy_into(tensor, incoming.at(name), "load_state");
}

}  // namespace forger::nn
