// The noise of a generator as a place: which of it makes a given picture, how to move in it.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "gan/recipe.h"

namespace forger::gan {

// These rows of every tensor, in this order, in the host's memory; a row may come more than once.
Batch pick_rows(const Batch& batch, const std::vector<int64_t>& rows);
// The same draws with another z, (N, latent), as many rows.
Batch with_latent(const Batch& drawn, const Tensor& z);

// z moved by `amount` along a direction (latent) of length 1, and then drawn back to the length that it had: noise in
// many dimensions lies on a sphere, and a generator has seen nothing else. z (N, latent).
Tensor moved(const Tensor& z, const Tensor& direction, double amount);

struct InversionOptions {
  int64_t starts = 8;  // descents side by side, each from the best of `tried` draws
  int64_t tried = 32;
  int64_t steps = 600;  // of Adam
  double rate = 0.1;    // falls to 0 along a cosine
};
struct Inverted {
  Batch from;       // one row: what the view draws, with the z that was found
  Tensor made;      // (1, H, W, C): what it makes of it
  double psnr = 0;  // of that beside the picture, in decibels
};
// Projects a picture (1, H, W, C) in [-1, 1] onto what a generator can make (Zhu et al. 2016, arXiv:1609.03552):
//
//   z* = argmin |G(z) - x|^2
//
// The landscape has many valleys, hence many starts, of which the nearest in the end is kept. `view` draws "z" and makes
// pictures of the same shape (UsageError else).
Inverted invert(Recipe& recipe, const View& view, const Tensor& picture, const InversionOptions& options,
                Random& random, const std::function<void(int64_t done, int64_t total)>& ticker = {});

}  // namespace forger::gan
