// Minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196, section 3): how much the samples of a batch
// differ, as one more channel, so that a discriminator sees when a generator has lost its variety.
#pragma once
#include "nn/module.h"

namespace forger::nn {

// (N, ..., C) -> (N, ..., C + 1). The samples are dealt into groups, sample i to group i modulo their number; the new
// channel holds the standard deviation over a sample's group, averaged over all places and channels. A group has
// `group` samples, or where that does not divide N the largest number below that does. UsageError unless `group` is
// positive.
LayerPtr minibatch_deviation(int64_t group = 4);

}  // namespace forger::nn
