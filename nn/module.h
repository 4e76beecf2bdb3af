// Module: named parameters and buffers. A network is a tree of them; names are joined by dots ("body.0.weight"), in the
// order of registration, which is also the order of parameters in optimisers and checkpoints. Layer: a module that is a
// function of one tensor; networks of two inputs or two heads are modules with functions of their own.
//
// Handles share memory and autograd identity: a layer's own member, what parameters() returns and what an optimiser
// holds are one parameter. Values are therefore replaced in place (load_state, init.h), never by assigning another
// tensor.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ops.h"

namespace forger::nn {

struct Named {
  std::string name;
  Tensor tensor;
};
using NamedTensors = std::vector<Named>;

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;  // a copy would share its parameters
  Module& operator=(const Module&) = delete;

  // Own ones first, then the children's. A tensor that several modules share is listed once, under its first name, so
  // that no optimiser moves it twice.
  NamedTensors parameters() const;  // what an optimiser trains
  NamedTensors buffers() const;     // running statistics, power-iteration vectors: state that no gradient reaches
  NamedTensors state() const;       // parameters, then buffers

  // In place, handles elsewhere see the same parameters: moves all of it; turns its numbers into float32 or float64.
  void to(Device device);
  void to(DType dtype);

  // This module, then every module below it in the order of registration.
  void visit(const std::function<void(const Module&)>& visitor) const;

  // Training mode (batch statistics, dropout, power iterations) is the default; evaluation writes no buffer.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  // Off: forward records nothing towards the parameters, so that no gradient is computed that nobody reads.
  void set_requires_grad(bool on);

 protected:
  // Registers and returns a handle; names are unique within a module, not empty and hold no dot (Error).
  Tensor parameter(const std::string& name, Tensor value);
  Tensor buffer(const std::string& name, Tensor value);
  template <class M>
  std::shared_ptr<M> child(const std::string& name, std::shared_ptr<M> module) {
    add_child(name, module);
    return module;
  }

 private:
  void check_name(const std::string& name) const;
  void add_child(const std::string& name, std::shared_ptr<Module> module);
  void collect(NamedTensors Module::*own, const std::string& prefix, std::set<const Storage*>& seen,
               NamedTensors& out) const;
  NamedTensors parameters_, buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return forward(x); }
};
using LayerPtr = std::shared_ptr<Layer>;

// Parameters without their names, for grad() and optimisers.
std::vector<Tensor> tensors_of(const NamedTensors& named);

// Copies values by name into `target` (same names, shapes and dtypes, on both sides; DataError says which differ,
// before anything is written). The order may differ.
void load_state(const NamedTensors& target, const NamedTensors& source);

}  // namespace forger::nn
