// What comes next, and next, and next: a view that makes the next frame from past ones, on what it made itself.
//
//   past (N, H, W, k*C)    k frames of C channels, the newest last
//   repeat: next = view(past); past = the last k frames of past and next
#pragma once
#include <vector>

#include "core/random.h"
#include "gan/recipe.h"

namespace forger::gan {

// Whether a view is given past frames, of which the next is made: one column, of some multiple of the channels.
bool makes_next_frame(const View& view, const Columns& columns);

// Frames 1 ... `frames` after the past ones: (N, H, W, frames*C), in the host's memory, of 64 rows at a time. The view's
// noise is drawn anew for each frame.
Tensor rolled(Recipe& recipe, const View& view, const Tensor& past, int64_t frames, Random& random);

// How far frames are from the truth, one number for each, beside the last of the past ones left as it was.
struct RolloutErrors {
  std::vector<double> l1, l1_still;
};
// past (N, H, W, k*C); made and truth (N, H, W, frames*C)
RolloutErrors rollout_errors(const Tensor& past, const Tensor& made, const Tensor& truth, int64_t channels);

}  // namespace forger::gan
