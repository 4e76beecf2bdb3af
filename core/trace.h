// What a computation does, op by op: while a Trace is there, every op of this thread notes itself when it ends, whether
// gradients are recorded or not. gan/exchange makes a graph of that, for other programs to run.
//
// A value is known by its memory and its shape, so that views and handles without history need no note. The tensors are
// kept: no memory comes back as another value.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace forger {

class Trace {
 public:
  using Attributes = std::map<std::string, std::vector<double>>;  // "stride": 2
  template <class... N>
  static std::vector<double> numbers(N... n) {
    return {static_cast<double>(n)...};
  }
  struct Op {
    std::string name;
    Attributes with;
    std::vector<Tensor> inputs;
    Tensor output;
  };
  struct Named {
    std::string name;
    Tensor tensor;
  };

  Trace();  // until it is destroyed, on this thread; one at a time
  ~Trace();
  Trace(const Trace&) = delete;
  static Trace* active() { return active_; }

  // What the op that is noted next is told beyond its inputs; and inputs that take no gradient, which come last.
  void announce(Attributes with, std::vector<Tensor> more = {});
  void note(const char* op, const Tensor& output, std::span<const Tensor> inputs);
  // A value that is worth a name, though it is no result: class scores that are drawn as a picture.
  void expose(const std::string& name, const Tensor& value) { exposed_.push_back({name, value}); }

  // Scope: the ops within it are noted as one, which has a name elsewhere.
  class Whole {
   public:
    Whole() : trace_(active_) { hide(1); }
    ~Whole() { hide(-1); }
    Whole(const Whole&) = delete;
    // Ends it with what came out.
    Tensor noted(const char* op, const Tensor& output, std::initializer_list<Tensor> inputs, Attributes with) const;

   private:
    void hide(int by) const {
      if (trace_) trace_->hidden_ += by;
    }
    Trace* trace_;
  };

  const std::vector<Op>& ops() const { return ops_; }
  const std::vector<Named>& exposed() const { return exposed_; }

 private:
  static thread_local Trace* active_;
  int hidden_ = 0;  // scopes of what is noted as a whole
  Attributes with_;
  std::vector<Tensor> more_;
  std::vector<Op> ops_;
  std::vector<Named> exposed_;
};

// Ends an op without a gradient, which is not recorded otherwise.
inline Tensor noted(const char* op, Tensor output, std::initializer_list<Tensor> inputs) {
  if (Trace* const trace = Trace::active()) trace->note(op, output, std::span(inputs.begin(), inputs.size()));
  return output;
}

}  // namespace forger
