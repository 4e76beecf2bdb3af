#include "core/autograd.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/dispatch.h"
#include "core/ops.h"
#include "core/profile.h"
#include "core/trace.h"

namespace forger {
namespace {

thread_local bool recording_on = true;
thread_local bool watching = false;
thread_local const char* current_op = "";  // whose backward is running
bool fused_on = true;

bool finite(const Tensor& x) {
  if (!x.defined() || x.dtype() == DType::i64) return true;
  return dispatch_with_bf16(x, [&]<class K>() { return K::all_finite(x.numel(), x.data<typename K::Scalar>()); });
}

// What identifies a tensor in the graph: the node that made it, or the leaf itself.
const void* key_of(const Variable& v) { return v.creator ? static_cast<const void*>(v.creator.get()) : &v; }

// a + b, reusing the memory of whichever nobody else holds. Not while recording: the sum must be a node then.
Tensor add_up(Tensor a, Tensor b) {
  if (recording_on || a.dtype() == DType::bf16) return add(a, b);
  if (a.storage().use_count() > 1) std::swap(a, b);
  if (a.storage().use_count() > 1) return add(a, b);
  dispatch(a, [&]<class K>() {
    using T = typename K::Scalar;
    const kernels::SumSlice<T> sum = {a.data<T>(), b.data<T>(), a.numel()};
    K::accumulate({&sum, 1});
  });
  return a;
}

// All nodes below the outputs, newest first: every node comes before the nodes of its inputs.
std::vector<std::shared_ptr<Node>> reachable(std::span<const Tensor> outputs) {
  std::vector<std::shared_ptr<Node>> found;
  std::unordered_set<const Node*> seen;
  auto visit = [&](const std::shared_ptr<Variable>& v) {
    if (v && v->creator && seen.insert(v->creator.get()).second) found.push_back(v->creator);
  };
  for (const Tensor& y : outputs) visit(y.variable());
  for (size_t i = 0; i < found.size(); i++) {
    const std::shared_ptr<Node> node = found[i];  // a copy: `found` grows
    for (const auto& input : node->inputs) visit(input);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->order > b->order; });
  return found;
}

template <class T>
struct Scope {  // gives a thread-local variable another value for a while
  Scope(T& variable, T value) : variable_(variable), before_(std::exchange(variable, value)) {}
  ~Scope() { variable_ = before_; }
  Scope(const Scope&) = delete;
  T& variable_;
  T before_;
};

// A gradient with memory of its own: an optimiser may scale it in place.
Tensor unshared(Tensor g) { return g.storage().use_count() > 1 ? clone(g) : g; }

std::vector<Tensor> run_backward(Node& node, const Tensor& gy, uint64_t needed, bool release) {
  check<AutogradError>(node.backward != nullptr, "[", node.op,
                       "] this graph was used up by an earlier gradient; pass retain_graph to keep it");
  Incoming in{gy, {}, needed};
  if (node.kept_output) {
    check<AutogradError>(node.kept_output->version == node.kept_version, "[", node.op,
                         "] its output, saved for the gradient, was written in place by [",
                         node.kept_output->last_writer, "]");
    auto variable = std::make_shared<Variable>();
    variable->creator = node.shared_from_this();
    variable->requires_grad = true;
    in.y = Tensor(node.kept_output, gy.shape(), recording_on ? variable : nullptr);
  }
  const Scope running(current_op, node.op);
  std::vector<Tensor> grads = node.backward(in);
  if (Profile* const profile = Profile::active()) profile->lap(text("gradient of ", node.op));
  check<AutogradError>(grads.size() == node.inputs.size(), "[", node.op, "] its gradient has ", grads.size(),
                       " parts for ", node.inputs.size(), " inputs");
  if (watching) {
    for (const Tensor& g : grads) check<NonFiniteError>(finite(g), "the gradient of [", node.op, "] is not finite");
  }
  if (release) {
    node.backward = nullptr;
    node.kept_output = nullptr;
  }
  return grads;
}

// The engine. `targets` are keys whose gradient is wanted; the result maps each reached one to it.
std::unordered_map<const void*, Tensor> propagate(std::span<const Tensor> outputs, std::span<const Tensor> seeds,
                                                  const std::vector<std::shared_ptr<Node>>& nodes,
                                                  const std::unordered_set<const void*>& targets,
                                                  const GradOptions& options,
                                                  const std::function<void(const void*, const Tensor&)>& ready = {}) {
  // Oldest first: a node matters if one of its inputs is a target or comes from a node that matters.
  std::unordered_map<const void*, uint64_t> needed;  // bit i: the gradient of input i is wanted
  std::unordered_map<const void*, int64_t> awaited;  // of a target: parts of its gradient that are still to come
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    uint64_t bits = 0;
    for (size_t i = 0; i < (*it)->inputs.size(); i++) {
      const auto& input = (*it)->inputs[i];
      if (!input || !(targets.count(key_of(*input)) || needed.count(key_of(*input)))) continue;
      bits |= uint64_t{1} << i;
      if (ready && targets.count(key_of(*input))) awaited[key_of(*input)]++;
    }
    if (bits) needed[it->get()] = bits;
  }

  const Scope record_gradient(recording_on, options.create_graph);
  std::unordered_map<const void*, Tensor> pending;
  auto send = [&](const void* to, Tensor g) {
    Tensor& slot = pending[to];
    slot = slot.defined() ? add_up(std::move(slot), std::move(g)) : std::move(g);
  };
  for (size_t i = 0; i < outputs.size(); i++) {
    if (const auto& v = outputs[i].variable()) {
      if (targets.count(key_of(*v)) || needed.count(key_of(*v))) send(key_of(*v), seeds[i]);
    }
  }
  for (const auto& node : nodes) {
    const auto bits = needed.find(node.get());
    const auto arrived = pending.find(node.get());
    if (bits == needed.end() || arrived == pending.end()) continue;
    Tensor gy = arrived->second;
    if (!targets.count(node.get())) pending.erase(arrived);
    std::vector<Tensor> grads = run_backward(*node, gy, bits->second, !options.create_graph && !options.retain_graph);
    gy = Tensor();
    for (size_t i = 0; i < grads.size(); i++) {
      if (!(bits->second >> i & 1)) continue;
      const void* const to = key_of(*node->inputs[i]);
      if (grads[i].defined()) send(to, std::move(grads[i]));
      const auto left = awaited.find(to);
      if (left != awaited.end() && --left->second == 0 && pending.count(to)) ready(to, pending[to]);
    }
  }
  return pending;
}

}  // namespace

// A chain of a million nodes must not become a million nested destructor calls: the outermost one frees them in a loop.
Variable::~Variable() {
  if (!creator) return;
  static thread_local std::vector<std::shared_ptr<Node>>* doomed = nullptr;
  if (doomed) {
    doomed->push_back(std::move(creator));
    return;
  }
  std::vector<std::shared_ptr<Node>> list;
  doomed = &list;
  list.push_back(std::move(creator));
  while (!list.empty()) {
    const auto node = std::move(list.back());  // freed at the end of the turn, pushing what it alone held
    list.pop_back();
  }
  doomed = nullptr;
}

const Tensor& Saved::get() const {
  check<AutogradError>(!tensor_.defined() || tensor_.storage()->version == version_, "[", current_op,
                       "] a tensor saved for the gradient was written in place by [",
                       tensor_.defined() ? tensor_.storage()->last_writer : "",
                       "]; take the gradient before, or clone()");
  return tensor_;
}

Tensor record(const char* op, Tensor output, std::initializer_list<Tensor> inputs, Backward backward,
              bool keep_output) {
  return record(op, std::move(output), std::span(inputs.begin(), inputs.size()), std::move(backward), keep_output);
}

Tensor record(const char* op, Tensor output, std::span<const Tensor> inputs, Backward backward, bool keep_output) {
  if (Profile* const profile = Profile::active()) {
    profile->lap(op, bytes_of({&output, 1}) + bytes_of(inputs));
  }
  if (Trace* const trace = Trace::active()) trace->note(op, output, inputs);
  if (watching) {
    check<NonFiniteError>(finite(output), "the result of [", op, "] is not finite",
                          *current_op ? ", in the gradient of [" : "", current_op, *current_op ? "]" : "");
  }
  if (!recording_on || std::none_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.requires_grad(); })) {
    return output;
  }
  check<AutogradError>(inputs.size() <= 64, "[", op, "] a node takes at most 64 inputs, got ", inputs.size());
  static std::atomic<uint64_t> order{0};
  auto node = std::make_shared<Node>();
  node->op = op;
  node->order = order++;
  for (const Tensor& x : inputs) node->inputs.push_back(x.requires_grad() ? x.variable() : nullptr);
  node->backward = std::move(backward);
  if (keep_output) {
    node->kept_output = output.storage();
    node->kept_version = output.storage()->version;
  }
  auto variable = std::make_shared<Variable>();
  variable->creator = std::move(node);
  variable->requires_grad = true;
  return {output.storage(), output.shape(), std::move(variable)};
}

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, GradOptions options,
                         std::span<const Tensor> seeds) {
  check<AutogradError>(seeds.empty() || seeds.size() == outputs.size(), "grad() got ", seeds.size(), " seeds for ",
                       outputs.size(), " outputs");
  std::vector<Tensor> start(seeds.begin(), seeds.end());
  for (size_t i = 0; i < outputs.size(); i++) {
    if (seeds.empty()) start.push_back(full_like(outputs[i], 1));
    check<ShapeError>(start[i].shape() == outputs[i].shape() && start[i].dtype() == outputs[i].dtype(), "grad() seed ",
                      i, " is ", start[i].shape(), ", its output ", outputs[i].shape());
  }
  std::unordered_set<const void*> targets;
  for (const Tensor& x : inputs) {
    check<AutogradError>(x.requires_grad(), "grad() was asked for the gradient of a tensor that does not require one");
    targets.insert(key_of(*x.variable()));
  }
  std::unordered_map<const void*, size_t> waiting;  // inputs that have not been said to be ready
  std::function<void(const void*, const Tensor&)> on_ready;
  if (options.ready) {
    for (size_t i = 0; i < inputs.size(); i++) waiting[key_of(*inputs[i].variable())] = i;
    on_ready = [&](const void* key, const Tensor& gradient) {
      const auto found = waiting.find(key);
      if (found == waiting.end()) return;
      options.ready(found->second, gradient);
      waiting.erase(found);
    };
  }
  auto gradients = propagate(outputs, start, reachable(outputs), targets, options, on_ready);
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    const auto found = gradients.find(key_of(*x.variable()));
    result.push_back(found == gradients.end() ? full_like(x, 0) : found->second);
    if (on_ready) on_ready(key_of(*x.variable()), result.back());
  }
  if (options.create_graph) return result;
  gradients.clear();
  start.clear();
  for (Tensor& g : result) g = unshared(std::move(g));
  return result;
}

Tensor grad(const Tensor& output, const Tensor& input, GradOptions options) {
  return grad(std::span(&output, 1), std::span(&input, 1), options)[0];
}

void backward(const Tensor& scalar, GradOptions options) {
  check<AutogradError>(scalar.defined() && scalar.numel() == 1, "backward() starts from one number, not from ",
                       scalar.shape(), "; reduce it with sum() or mean()");
  check<AutogradError>(scalar.requires_grad(),
                       "backward() from a tensor that depends on nothing that requires a gradient");
  const std::span outputs(&scalar, 1);
  const auto nodes = reachable(outputs);
  std::unordered_map<const void*, std::shared_ptr<Variable>> leaves;
  auto collect = [&](const std::shared_ptr<Variable>& v) {
    if (v && !v->creator && v->requires_grad) leaves.emplace(v.get(), v);
  };
  collect(scalar.variable());
  for (const auto& node : nodes) {
    for (const auto& input : node->inputs) collect(input);
  }
  std::unordered_set<const void*> targets;
  for (const auto& [key, leaf] : leaves) targets.insert(key);
  const Tensor seed = full_like(scalar, 1);
  auto gradients = propagate(outputs, std::span(&seed, 1), nodes, targets, options);

  const NoGrad no_grad;
  for (auto& [key, leaf] : leaves) {
    const auto found = gradients.find(key);
    if (found == gradients.end()) continue;
    Tensor g = found->second.detach();
    gradients.erase(found);
    if (leaf->grad.defined()) g = add_up(std::exchange(leaf->grad, Tensor()), std::move(g));
    leaf->grad = unshared(std::move(g));
  }
}

bool recording() { return recording_on; }
NoGrad::NoGrad() : before_(std::exchange(recording_on, false)) {}
NoGrad::~NoGrad() { recording_on = before_; }
FiniteWatch::FiniteWatch() : before_(std::exchange(watching, true)) {}
FiniteWatch::~FiniteWatch() { watching = before_; }
bool FiniteWatch::active() { return watching; }
void set_fused(bool on) { fused_on = on; }
bool fused_enabled() { return fused_on; }

std::vector<Tensor> recorded_gradients(const std::function<Tensor(std::span<const Tensor>)>& reference,
                                       std::span<const Saved> inputs, const Incoming& in) {
  // Partial derivatives only: each input is stood in for by an alias, so that one input's dependence on another is left
  // to the graph outside.
  std::vector<Tensor> aliases, wanted;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); i++) {
    const Tensor& x = *inputs[i];
    aliases.push_back(x.requires_grad()
                          ? record("alias", x.detach(), {x}, [](const Incoming& of) { return std::vector{of.gy}; })
                          : x);
    if (!in.needs(static_cast<int>(i)) || !aliases[i].requires_grad()) continue;
    wanted.push_back(aliases[i]);
    places.push_back(i);
  }
  const Tensor output = reference(aliases);
  const auto found = grad(std::span(&output, 1), wanted, {.create_graph = true}, std::span(&in.gy, 1));
  std::vector<Tensor> result(inputs.size());
  for (size_t i = 0; i < places.size(); i++) result[places[i]] = found[i];
  return result;
}

Tensor fused(const char* op, std::span<const Tensor> inputs, const std::function<Tensor()>& forward, Backward gradient,
             std::function<Tensor(std::span<const Tensor>)> reference) {
  if (!fused_on) return reference(inputs);
  Tensor y;
  {
    const NoGrad no_grad;
    y = forward();
  }
  std::vector<Saved> saved(inputs.begin(), inputs.end());
  return record(
      op, y, inputs,
      [saved = std::move(saved), gradient = std::move(gradient), reference = std::move(reference)](const Incoming& in) {
        return recording() ? recorded_gradients(reference, saved, in) : gradient(in);
      });
}

}  // namespace forger
