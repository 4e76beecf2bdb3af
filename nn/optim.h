// Optimisers, averages and schedules. Every step is one fused kernel call over all parameters.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "kernels/kernels.h"
#include "nn/module.h"

namespace forger::nn {

class Optimizer {
 public:
  // All of one dtype and device, names and tensors unique (UsageError).
  Optimizer(NamedTensors parameters, double rate);
  virtual ~Optimizer() = default;
  // One update from gradients given in the order of the parameters; undefined gradients leave their parameter alone.
  // ShapeError names a parameter whose gradient does not fit, before anything is written.
  void step(std::span<const Tensor> gradients);
  void step();       // from .grad
  void zero_grad();  // drops every .grad
  // Everything a resumed run needs, for a checkpoint: moments by parameter name, and what Adam counts.
  virtual NamedTensors state() const { return {}; }
  const NamedTensors& parameters() const { return parameters_; }
  // Brings the device's copy of `lr` up to date; step() does so itself, a replayed graph needs it done before.
  void upload_lr();
  double lr;  // may be changed between steps, by a schedule

 protected:
  virtual void update(std::span<const Tensor> gradients) = 0;
  NamedTensors moments(const char* suffix) const;  // zeros like each parameter, named "<parameter>.<suffix>"
  NamedTensors parameters_;
  // A float64 scalar on the parameters' device, read by the kernels there: a recorded step can be replayed for any rate.
  Tensor lr_there_;

 private:
  double uploaded_lr_;
};

class Adam : public Optimizer {  // Kingma and Ba 2015; weight_decay decoupled (AdamW)
 public:
  Adam(NamedTensors parameters, kernels::AdamSettings settings);
  NamedTensors state() const override;

 protected:
  void update(std::span<const Tensor> gradients) override;

 private:
  kernels::AdamSettings settings_;
  NamedTensors m_, v_;
  // Float64, one of each parameter. Its updates so far, which its bias correction is of, on the parameters' device: a
  // recorded step can be replayed for any count. And the first parameter with which it has had all updates in common, on
  // the CPU: those that go together are updated together.
  Tensor steps_, leaders_;
};

class RmsProp : public Optimizer {
 public:
  RmsProp(NamedTensors parameters, double rate, double alpha = 0.99, double eps = 1e-8);
  NamedTensors state() const override;

 protected:
  void update(std::span<const Tensor> gradients) override;

 private:
  double alpha_, eps_;
  NamedTensors v_;
};

class Sgd : public Optimizer {  // weight_decay is added to the gradient
 public:
  Sgd(NamedTensors parameters, double rate, double momentum = 0, double weight_decay = 0);
  NamedTensors state() const override;

 protected:
  void update(std::span<const Tensor> gradients) override;

 private:
  double momentum_, weight_decay_;
  NamedTensors velocity_;  // empty when momentum is 0
};

// Exponential moving average of a module's parameters: shadow += (1 - decay_t)*(p - shadow), with the warm-up
// decay_t = min(decay, (1 + t)/(10 + t)), t = updates so far. Buffers are copied, not averaged.
class Ema {
 public:
  Ema(const Module& source, double decay);
  void update();               // Error between two swaps: the live values are then the averages
  NamedTensors state() const;  // "<name>" for each averaged tensor and each buffer, and "updates" (float64 scalar)
  void swap();                 // exchanges averaged and live values in place: call, sample, call again

 private:
  NamedTensors source_, shadow_, source_buffers_, shadow_buffers_;
  Tensor updates_;
  double decay_;
  bool swapped_ = false;
};

// Learning-rate factors as functions of the step (from 0) and the run's length.
double constant_schedule(int64_t step, int64_t steps);
double linear_schedule(int64_t step, int64_t steps);  // 1 at the start, 0 at the end
double cosine_schedule(int64_t step, int64_t steps);
using Schedule = double (*)(int64_t step, int64_t steps);
Schedule find_schedule(const std::string& name);  // "constant", "linear", "cosine"; UsageError lists them

// sums[i] += more[i] in place, all in one call; of one type and device.
void accumulate(std::span<const Tensor> sums, std::span<const Tensor> more);

// L2 norm over all elements of all tensors (undefined ones skipped), and scaling to a maximum in place; returns the
// norm before. A norm that is not finite scales nothing.
double global_norm(std::span<const Tensor> tensors);
Tensor global_norm_tensor(std::span<const Tensor> tensors);  // the same as a float64 scalar on their device, unread
double clip_global_norm(std::span<const Tensor> gradients, double max_norm);

}  // namespace forger::nn
