// Variances that keep activations and gradients of one size through the layers:
//
//   Xavier    var = gain^2 * 2 / (fan_in + fan_out)
//   Kaiming   var = gain^2 / fan_in, gain^2 = 2 / (1 + slope^2) for a leaky ReLU
//
// drawn from a normal distribution of that variance or from the uniform one on +-sqrt(3 var).
#include "nn/init.h"

#include <cmath>

#include "nn/layers.h"

namespace forger::nn {

namespace {

struct Fans {
  double in, out;
};

Fans fans(const Tensor& weight) {
  check<ShapeError>(weight.rank() >= 2, "[init] a weight has at least two axes, this one is ", weight.shape());
  const auto last = static_cast<double>(weight.size(-1));
  const auto in = static_cast<double>(fan_in(weight));
  return {in, last > 0 ? static_cast<double>(weight.size(0)) * (in / last) : 0};
}

double kaiming_stddev(const Tensor& weight, double slope) {
  return std::sqrt(2 / (1 + slope * slope) / fans(weight).in);
}

double xavier_stddev(const Tensor& weight, double gain) {
  const Fans f = fans(weight);
  return gain * std::sqrt(2 / (f.in + f.out));
}

void uniform_of(const Tensor& t, double stddev, Random& random) {
  const double bound = std::sqrt(3.0) * stddev;
  init_uniform(t, -bound, bound, random);
}

}  // namespace

int64_t fan_in(const Tensor& weight) {
  int64_t product = 1;
  for (int axis = 1; axis < weight.rank(); axis++) product *= weight.size(axis);
  return product;
}

void init_normal(const Tensor& t, double mean, double stddev, Random& random) {
  copy_into(t, random.normal(t.shape(), mean, stddev, t.dtype(), t.device()), "init_normal");
}

void init_uniform(const Tensor& t, double low, double high, Random& random) {
  copy_into(t, random.uniform(t.shape(), low, high, t.dtype(), t.device()), "init_uniform");
}

void init_constant(const Tensor& t, double value) { copy_into(t, full_like(t, value), "init_constant"); }

void xavier_uniform(const Tensor& weight, Random& random, double gain) {
  uniform_of(weight, xavier_stddev(weight, gain), random);
}

void xavier_normal(const Tensor& weight, Random& random, double gain) {
  init_normal(weight, 0, xavier_stddev(weight, gain), random);
}

void kaiming_uniform(const Tensor& weight, Random& random, double slope) {
  uniform_of(weight, kaiming_stddev(weight, slope), random);
}

void kaiming_normal(const Tensor& weight, Random& random, double slope) {
  init_normal(weight, 0, kaiming_stddev(weight, slope), random);
}

void init_dcgan(const Module& module, Random& random) {
  constexpr double stddev = 0.02;
  module.visit([&](const Module& m) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&m)) {
      init_normal(layer->weight, 0, stddev, random);
      if (layer->bias.defined()) init_constant(layer->bias, 0);
    } else if (const auto* norm = dynamic_cast<const NormLayer*>(&m)) {
      init_normal(norm->weight, 1, stddev, random);
      init_constant(norm->bias, 0);
    }
  });
}

}  // namespace forger::nn
