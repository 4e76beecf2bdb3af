// What a code does: samples in which one part of it changes, and nothing else.
#pragma once
#include <functional>
#include <string>

#include "gan/batch.h"

namespace forger::gan {

// n times the one row, but with 0, 1, ..., kinds - 1, 0, 1, ... in the column `category` of classes.
Batch in_turn(const Batch& one, const std::string& category, int64_t kinds, int64_t n);

// For each row of `from` ten pictures that stand side by side, "image 1" to "image 10", in which the k-th number of the
// column `code` (N, numbers) goes from -1 to 1. `make`: rows -> (N, H, W, C).
Batch sweep(const Batch& from, const std::string& code, int64_t k, const std::function<Tensor(const Batch&)>& make);

}  // namespace forger::gan
