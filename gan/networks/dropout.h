// Dropout in a generator, in training and when it samples: noise on every floor of it (Isola et al. 2017, section 3.1).
// What is dropped is decided by an input, so that the same noise gives the same sample.
#pragma once
#include <memory>
#include <vector>

#include "nn/module.h"

namespace forger::gan {

class DropoutNoise {
 public:
  explicit DropoutNoise(double probability) : probability_(probability) {}
  // A layer that drops numbers of maps (N, ...sample).
  nn::LayerPtr after(const Shape& sample);
  int64_t size() const { return size_; }  // uniform numbers that a sample needs
  // (N, size()) ~ U(0, 1): of the samples that the layers see from now on.
  void set(const Tensor& uniform) { *uniform_ = uniform; }

 private:
  double probability_;
  int64_t size_ = 0;
  std::shared_ptr<Tensor> uniform_ = std::make_shared<Tensor>();
};
using DropoutNoisePtr = std::shared_ptr<DropoutNoise>;

}  // namespace forger::gan
