// Module: a function with named parameters and buffers. A network is a tree of them; names are joined by dots
// ("body.0.weight"), in the order of registration, which is also the order of parameters in optimisers and checkpoints.
#pragma once
#include <memory>
#include <string>
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
  virtual ~Module() = default;
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return forward(x); }

  NamedTensors parameters() const;  // what an optimiser trains, own ones first, then the children's
  NamedTensors buffers() const;     // running statistics, power-iteration vectors: state that no gradient reaches
  NamedTensors state() const;       // parameters, then buffers

  // Training mode (batch statistics, dropout, power iterations) is the default; evaluation writes no buffer.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  // Off: forward records nothing towards the parameters, so that no gradient is computed that nobody reads.
  void set_requires_grad(bool on);

 protected:
  // Registers and returns a handle; names are unique within a module and hold no dot (Error).
  Tensor parameter(const std::string& name, Tensor value);
  Tensor buffer(const std::string& name, Tensor value);
  template <class M>
  std::shared_ptr<M> child(const std::string& name, std::shared_ptr<M> module) {
    add_child(name, module);
    return module;
  }

 private:
  void add_child(const std::string& name, std::shared_ptr<Module> module);
  NamedTensors parameters_, buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

using ModulePtr = std::shared_ptr<Module>;

// Parameters without their names, for grad() and optimisers.
std::vector<Tensor> tensors_of(const NamedTensors& named);

// Copies values by name into `target` (same names, shapes and dtypes, on both sides; DataError says which differ).
void load_state(const NamedTensors& target, const NamedTensors& source);

}  // namespace forger::nn
