// Classes as networks meet them: c (N, K) are one-hot rows.
#pragma once
#include "core/ops.h"

namespace forger::gan {

// Mean of -log p[class], logits (N, K): the op that takes labels looks at them, and a step reads nothing from the
// device.
Tensor class_loss(const Tensor& logits, const Tensor& c);
// The share of rows whose class the logits name; eye (K, K) holds one-hot rows.
Tensor accuracy(const Tensor& logits, const Tensor& c, const Tensor& eye);
// x (N, H, W, C) with c at each pixel: (N, H, W, C + K).
Tensor with_planes(const Tensor& x, const Tensor& c);

// How likely each class is, as a picture beside those of `like` (N, H, W, C): (N, H, W, 1), a stripe for each class from
// the left, the brighter the likelier.
Tensor as_stripes(const Tensor& logits, const Tensor& like);

}  // namespace forger::gan
