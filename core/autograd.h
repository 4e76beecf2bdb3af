// Define-by-run reverse-mode differentiation, to any order.
//
// An op computes its output and calls `record` with a closure that gives the gradients of its inputs. The closure calls
// only ops on Tensors: run while recording is on (create_graph), it builds the graph of the gradient, which is how
// second and higher derivatives come without a line of their own.
//
// Who owns what: an output's Variable owns the Node that made it; a Node owns its inputs' Variables and whatever the
// closure saved; nothing points from a Node to its own output, so there are no cycles and dropping the last handle
// frees the graph. A Variable holds no activation memory: only what closures save stays alive.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace forger {

// What a backward closure gets.
struct Incoming {
  Tensor gy;  // gradient of the output, its shape and dtype
  Tensor y;   // the output itself, connected to the graph; defined only if the op was recorded with keep_output
  uint64_t needed = ~uint64_t{0};
  bool needs(int input) const { return needed >> input & 1; }  // false: return an undefined Tensor for this input
};
using Backward = std::function<std::vector<Tensor>(const Incoming&)>;

struct Node : std::enable_shared_from_this<Node> {
  const char* op;
  uint64_t order;                                 // creation order: every node comes after the nodes of its inputs
  std::vector<std::shared_ptr<Variable>> inputs;  // null where an input takes no gradient
  Backward backward;                              // emptied once used, unless the graph is retained
  std::shared_ptr<Storage> kept_output;           // keep_output only
  uint64_t kept_version = 0;
};

struct Variable {
  std::shared_ptr<Node> creator;  // null for a leaf
  bool requires_grad = false;
  Tensor grad;  // leaves only, detached
  ~Variable();  // unwinds long chains without recursion
};

// A tensor that a closure needs later, with the write count of its memory at the time. `get` throws AutogradError
// naming both ops when the memory was written in place since.
class Saved {
 public:
  Saved() = default;
  Saved(const Tensor& tensor) : tensor_(tensor), version_(tensor.defined() ? tensor.storage()->version : 0) {}
  const Tensor& get() const;
  const Tensor& operator*() const { return get(); }

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
};

// Ends every op: connects `output` (fresh memory) to the graph and returns it. Does nothing more when recording is off
// or no input requires a gradient; under a FiniteWatch it also checks the output. The closure returns one Tensor per
// input, each of that input's shape.
Tensor record(const char* op, Tensor output, std::initializer_list<Tensor> inputs, Backward backward,
              bool keep_output = false);
Tensor record(const char* op, Tensor output, std::span<const Tensor> inputs, Backward backward,
              bool keep_output = false);

struct GradOptions {
  bool create_graph = false;  // record the gradient computation itself, so that its result can be differentiated again
  bool retain_graph = false;  // keep the graph for another pass (implied by create_graph)
  // Called with each input's gradient as soon as nothing will be added to it, while others are still computed; its
  // memory may be shared. Each input once.
  std::function<void(size_t input, const Tensor& gradient)> ready = {};
};

// Gradients of sum_i <outputs[i], seeds[i]> with respect to each input (leaf or intermediate). Seeds default to ones.
// An input that no output depends on gets zeros. Only what lies between inputs and outputs is computed. Without
// create_graph each result has memory of its own, so that it may be written in place.
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, GradOptions options = {},
                         std::span<const Tensor> seeds = {});
Tensor grad(const Tensor& output, const Tensor& input, GradOptions options = {});

// Adds the gradient of a scalar to .grad of every leaf it depends on.
void backward(const Tensor& scalar, GradOptions options = {});

bool recording();  // of this thread

class NoGrad {  // scope: ops are not recorded
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;

 private:
  bool before_;
};

// Scope: every op's output and every gradient is checked, NonFiniteError names the op. Costs a pass over each result:
// the trainer replays a step under it after a loss went bad.
class FiniteWatch {
 public:
  FiniteWatch();
  ~FiniteWatch();
  FiniteWatch(const FiniteWatch&) = delete;
  static bool active();

 private:
  bool before_;
};

// ---- fused fast paths ----
// `kernel` is an op with a hand-written first-order gradient, `reference` the same function in plain ops. Under
// create_graph the gradient is taken through the reference, so higher orders are right by construction.
//   forward(): the output, computed by a kernel, not recorded.
//   gradient(incoming): gradients of `inputs`, by a kernel.
//   reference(inputs): the same output in plain ops.
Tensor fused(const char* op, std::span<const Tensor> inputs, const std::function<Tensor()>& forward, Backward gradient,
             std::function<Tensor(std::span<const Tensor>)> reference);
// The gradients towards those of `inputs` that `in` needs, recorded: what `fused` does under create_graph.
std::vector<Tensor> recorded_gradients(const std::function<Tensor(std::span<const Tensor>)>& reference,
                                       std::span<const Saved> inputs, const Incoming& in);
void set_fused(bool on);  // --no-fused: every fused op runs its reference instead
bool fused_enabled();

}  // namespace forger
