// Which way to go in a generator's noise: towards a class, and along what changes its pictures most. Directions are
// (latent) float32 on the CPU, of length 1.
#pragma once
#include <vector>

#include "gan/latent.h"
#include "metrics/judge.h"

namespace forger::metrics {

// The class that the judge finds in each image (N, H, W, C) in [-1, 1].
std::vector<int64_t> classes_of(const Judge& judge, const Tensor& images);

// From the mean of the z whose samples are of other classes to that of those whose samples are of the target: of normal
// z, whose covariance is the identity, this is Fisher's linear discriminant. z (N, latent), classes (N). UsageError,
// which names the class, where too few of the samples are of it.
Tensor towards_class(const Tensor& z, const std::vector<int64_t>& classes, int64_t target, const std::string& name);

// The first `count` principal directions of a view's response, (count, latent): a step along the first moves its
// pictures most, one along the next most of those at a right angle to it, ... They are eigenvectors of
//
//   M = E J J^T,  J = dG/dz (latent, pixels) by central differences, at a few z
//
// and their largest component is positive. (Härkönen et al. 2020, arXiv:2004.02546, take those of a layer within G.)
Tensor principal_directions(gan::Recipe& recipe, const gan::View& view, int64_t count, Random& random,
                            const Ticker& ticker = {});

}  // namespace forger::metrics
