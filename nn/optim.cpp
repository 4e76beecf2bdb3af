// Optimisers collect raw pointers into slices and hand the whole list to one kernel (kernels/contract.h); what is here
// is bookkeeping: which parameters take part, and what a resumed run needs.
#include "nn/optim.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include "core/autograd.h"
#include "core/dispatch.h"
#include "core/profile.h"

namespace forger::nn {

namespace {

// What one kernel call over a list takes for granted.
void check_alike(const NamedTensors& list, const char* who) {
  std::set<std::string> names;
  std::set<const Storage*> memory;
  for (const auto& [name, tensor] : list) {
    const Tensor& first = list.front().tensor;
    check<UsageError>(tensor.dtype() == first.dtype() && tensor.device() == first.device(), "[", who, "] \"", name,
                      "\" is ", name_of(tensor.dtype()), ", \"", list.front().name, "\" is ", name_of(first.dtype()),
                      ": all parameters must be of one type and device");
    check<UsageError>(names.insert(name).second, "[", who, "] two parameters are named \"", name, "\"");
    check<UsageError>(memory.insert(tensor.storage().get()).second, "[", who, "] \"", name,
                      "\" is in the list a second time, under another name");
  }
}

void append(NamedTensors& all, const NamedTensors& more) { all.insert(all.end(), more.begin(), more.end()); }

Tensor scalar(double value, Device device) { return full(Shape{}, value, DType::f64, device); }

}  // namespace

// ---- what all optimisers share ----

Optimizer::Optimizer(NamedTensors parameters, double rate)
    : lr(rate), parameters_(std::move(parameters)), uploaded_lr_(rate) {
  check<UsageError>(!parameters_.empty(), "[optimizer] there are no parameters to train");
  check_alike(parameters_, "optimizer");
  const Device device = parameters_.front().tensor.device();
  lr_there_ = scalar(rate, device);
}

void Optimizer::upload_lr() {
  if (lr == uploaded_lr_) return;
  copy_into(lr_there_, scalar(lr, Device::cpu), "optimizer");
  uploaded_lr_ = lr;
}

void Optimizer::step(std::span<const Tensor> gradients) {
  check<ShapeError>(gradients.size() == parameters_.size(), "[optimizer] ", parameters_.size(), " parameters, ",
                    gradients.size(), " gradients");
  for (size_t i = 0; i < gradients.size(); i++) {
    if (!gradients[i].defined()) continue;
    const auto& [name, p] = parameters_[i];
    const Tensor& g = gradients[i];
    check<ShapeError>(g.shape() == p.shape() && g.dtype() == p.dtype() && g.device() == p.device(), "[optimizer] \"",
                      name, "\" is ", name_of(p.dtype()), " ", p.shape(), ", its gradient is ", name_of(g.dtype()), " ",
                      g.shape());
  }
  upload_lr();
  update(gradients);
  if (Profile* const profile = Profile::active()) {
    double bytes = 3 * bytes_of(gradients);  // parameters are read and written
    for (const auto& [name, tensor] : state()) bytes += 2 * bytes_of({&tensor, 1});
    profile->lap("optimiser step", bytes);
  }
}

void Optimizer::step() {
  std::vector<Tensor> gradients;
  for (const auto& [name, p] : parameters_) gradients.push_back(p.grad());
  step(gradients);
}

void Optimizer::zero_grad() {
  for (auto& [name, p] : parameters_) p.zero_grad();
}

NamedTensors Optimizer::moments(const char* suffix) const {
  NamedTensors out;
  for (const auto& [name, p] : parameters_) out.push_back({name + "." + suffix, full_like(p, 0)});
  return out;
}

// ---- Adam ----

Adam::Adam(NamedTensors parameters, kernels::AdamSettings settings)
    : Optimizer(std::move(parameters), settings.lr),
      settings_(settings),
      m_(moments("m")),
      v_(moments("v")),
      steps_(full({std::ssize(m_)}, 0, DType::f64, lr_there_.device())),
      leaders_(full({std::ssize(m_)}, 0, DType::f64)) {}

NamedTensors Adam::state() const {
  NamedTensors all = {{"steps", steps_}, {"leaders", leaders_}};
  append(all, m_);
  append(all, v_);
  return all;
}

void Adam::update(std::span<const Tensor> gradients) {
  const size_t count = gradients.size();
  const auto updated = [&](size_t i) { return gradients[i].defined(); };
  // Those of a group that are left out now and then are a group of their own from now on.
  auto* const leaders = leaders_.write<double>("adam");
  std::map<std::pair<double, bool>, size_t> groups;  // old leader and whether updated -> new leader
  for (size_t i = 0; i < count; i++)
    leaders[i] = static_cast<double>(groups.try_emplace({leaders[i], updated(i)}, i).first->second);

  auto* const steps = steps_.write<double>("adam");
  dispatch(parameters_.front().tensor, [&]<class K>() {
    using T = typename K::Scalar;
    for (const auto& [key, leader] : groups) {
      if (!key.second) continue;
      std::vector<kernels::AdamSlice<T>> list;
      for (size_t i = 0; i < count; i++)
        if (updated(i) && leaders[i] == static_cast<double>(leader))
          list.push_back({parameters_[i].tensor.write<T>("adam"), gradients[i].data<T>(), m_[i].tensor.write<T>("adam"),
                          v_[i].tensor.write<T>("adam"), gradients[i].numel(), steps + i});
      K::adam(list, settings_, lr_there_.data<double>());
    }
  });
}

// ---- RMSProp ----

RmsProp::RmsProp(NamedTensors parameters, double rate, double alpha, double eps)
    : Optimizer(std::move(parameters), rate), alpha_(alpha), eps_(eps), v_(moments("v")) {}

NamedTensors RmsProp::state() const { return v_; }

void RmsProp::update(std::span<const Tensor> gradients) {
  dispatch(parameters_.front().tensor, [&]<class K>() {
    using T = typename K::Scalar;
    std::vector<kernels::RmsPropSlice<T>> list;
    for (size_t i = 0; i < gradients.size(); i++)
      if (gradients[i].defined())
        list.push_back({parameters_[i].tensor.write<T>("rmsprop"), gradients[i].data<T>(),
                        v_[i].tensor.write<T>("rmsprop"), gradients[i].numel()});
    K::rmsprop(list, lr_there_.data<double>(), alpha_, eps_);
  });
}

// ---- SGD ----

Sgd::Sgd(NamedTensors parameters, double rate, double momentum, double weight_decay)
    : Optimizer(std::move(parameters), rate), momentum_(momentum), weight_decay_(weight_decay) {
  if (momentum_ != 0) velocity_ = moments("velocity");
}

NamedTensors Sgd::state() const { return velocity_; }

void Sgd::update(std::span<const Tensor> gradients) {
  dispatch(parameters_.front().tensor, [&]<class K>() {
    using T = typename K::Scalar;
    std::vector<kernels::SgdSlice<T>> list;
    for (size_t i = 0; i < gradients.size(); i++)
      if (gradients[i].defined())
        list.push_back({parameters_[i].tensor.write<T>("sgd"), gradients[i].data<T>(),
                        velocity_.empty() ? nullptr : velocity_[i].tensor.write<T>("sgd"), gradients[i].numel()});
    K::sgd(list, lr_there_.data<double>(), momentum_, weight_decay_);
  });
}

// ---- averages ----

namespace {

NamedTensors clones(const NamedTensors& list) {
  NamedTensors out;
  for (const auto& [name, tensor] : list) out.push_back({name, clone(tensor)});
  return out;
}

void swap_values(const NamedTensors& a, const NamedTensors& b) {
  for (size_t i = 0; i < a.size(); i++) {
    const Tensor held = clone(a[i].tensor);
    copy_into(a[i].tensor, b[i].tensor, "ema swap");
    copy_into(b[i].tensor, held, "ema swap");
  }
}

}  // namespace

Ema::Ema(const Module& source, double decay)
    : source_(source.parameters()),
      shadow_(clones(source_)),
      source_buffers_(source.buffers()),
      shadow_buffers_(clones(source_buffers_)),
      updates_(scalar(0, Device::cpu)),
      decay_(decay) {
  check_alike(source_, "ema");
}

void Ema::update() {
  check<Error>(!swapped_, "[ema] update() between two calls of swap()");
  double& updates = *updates_.write<double>("ema");
  const double decay = std::min(decay_, (1 + updates) / (10 + updates));
  updates += 1;
  for (size_t i = 0; i < source_buffers_.size(); i++)
    copy_into(shadow_buffers_[i].tensor, source_buffers_[i].tensor, "ema");
  if (source_.empty()) return;
  dispatch(source_.front().tensor, [&]<class K>() {
    using T = typename K::Scalar;
    std::vector<kernels::LerpSlice<T>> list;
    for (size_t i = 0; i < source_.size(); i++)
      list.push_back({shadow_[i].tensor.write<T>("ema"), source_[i].tensor.data<T>(), source_[i].tensor.numel()});
    K::lerp(list, 1 - decay);
  });
}

NamedTensors Ema::state() const {
  NamedTensors all = shadow_;
  append(all, shadow_buffers_);
  all.push_back({"updates", updates_});
  return all;
}

void Ema::swap() {
  swap_values(source_, shadow_);
  swap_values(source_buffers_, shadow_buffers_);
  swapped_ = !swapped_;
}

// ---- schedules ----

namespace {

double fraction(int64_t step, int64_t steps) {
  if (steps <= 0) return 0;
  return std::clamp(static_cast<double>(step) / static_cast<double>(steps), 0.0, 1.0);
}

}  // namespace

double constant_schedule(int64_t, int64_t) { return 1; }
double linear_schedule(int64_t step, int64_t steps) { return 1 - fraction(step, steps); }
double cosine_schedule(int64_t step, int64_t steps) {
  return (1 + std::cos(std::numbers::pi * fraction(step, steps))) / 2;
}

Schedule find_schedule(const std::string& name) {
  if (name == "constant") return constant_schedule;
  if (name == "linear") return linear_schedule;
  if (name == "cosine") return cosine_schedule;
  throw UsageError(text("there is no schedule \"", name, "\"; there are constant, linear and cosine"));
}

// ---- sums and norms of gradients ----

namespace {

// The defined ones as slices for a kernel; null when there is none.
const Tensor* first_defined(std::span<const Tensor> tensors) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [](const Tensor& x) { return x.defined(); });
  return found == tensors.end() ? nullptr : &*found;
}

}  // namespace

void accumulate(std::span<const Tensor> sums, std::span<const Tensor> more) {
  check<ShapeError>(sums.size() == more.size(), "[accumulate] ", sums.size(), " sums, ", more.size(),
                    " tensors to add");
  if (sums.empty()) return;
  dispatch(sums.front(), [&]<class K>() {
    using T = typename K::Scalar;
    std::vector<kernels::SumSlice<T>> list;
    for (size_t i = 0; i < sums.size(); i++) {
      check<ShapeError>(sums[i].shape() == more[i].shape(), "[accumulate] a sum is ", sums[i].shape(),
                        ", what is to be added ", more[i].shape());
      list.push_back({sums[i].write<T>("accumulate"), more[i].data<T>(), sums[i].numel()});
    }
    K::accumulate(list);
  });
  if (Profile* const profile = Profile::active()) profile->lap("sums of gradients", 3 * bytes_of(more));
}

Tensor global_norm_tensor(std::span<const Tensor> tensors) {
  const Tensor* first = first_defined(tensors);
  if (!first) return scalar(0, Device::cpu);
  Tensor norm(Shape{}, DType::f64, first->device());
  dispatch(*first, [&]<class K>() {
    using T = typename K::Scalar;
    std::vector<kernels::NormSlice<T>> list;
    for (const Tensor& x : tensors)
      if (x.defined()) list.push_back({x.data<T>(), x.numel()});
    K::global_norm(list, norm.data<double>());
  });
  if (Profile* const profile = Profile::active()) profile->lap("global norm", bytes_of(tensors));
  return norm;
}

double global_norm(std::span<const Tensor> tensors) { return global_norm_tensor(tensors).item(); }

double clip_global_norm(std::span<const Tensor> gradients, double max_norm) {
  const Tensor before = global_norm_tensor(gradients);
  if (const Tensor* first = first_defined(gradients)) {
    dispatch(*first, [&]<class K>() {
      using T = typename K::Scalar;
      std::vector<kernels::ClipSlice<T>> list;
      std::set<const Storage*> scaled;  // memory that several share is scaled once
      for (const Tensor& g : gradients)
        if (g.defined() && scaled.insert(g.storage().get()).second)
          list.push_back({g.write<T>("clip_global_norm"), g.numel()});
      K::clip_norm(list, before.data<double>(), max_norm);
    });
  }
  return before.item();
}

}  // namespace forger::nn
