// Initialisers: write a tensor in place. Fans of a weight (out, ..., in): fan_in = all but the first axis, fan_out =
// out times the kernel's area; a weight has at least two axes (ShapeError).
#pragma once
#include "nn/module.h"

namespace forger::nn {

void init_normal(const Tensor& t, double mean, double stddev, Random& random);
void init_uniform(const Tensor& t, double low, double high, Random& random);
void init_constant(const Tensor& t, double value);
void xavier_uniform(const Tensor& weight, Random& random, double gain = 1);  // Glorot and Bengio 2010
void xavier_normal(const Tensor& weight, Random& random, double gain = 1);
void kaiming_uniform(const Tensor& weight, Random& random, double slope = 0);  // He et al. 2015, fan_in, leaky slope
void kaiming_normal(const Tensor& weight, Random& random, double slope = 0);
int64_t fan_in(const Tensor& weight);

// Radford et al. 2016: weights of (transposed) convolutions and linear layers N(0, 0.02), norm weights N(1, 0.02),
// biases 0. Parameters of other modules (embeddings, a network's own) stay as they are.
void init_dcgan(const Module& module, Random& random);

}  // namespace forger::nn
