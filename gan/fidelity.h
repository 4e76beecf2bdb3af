// How near pictures are to the truth, where that is known: (N, H, W, C) in [-1, 1], the mean over the batch. A grey
// picture is compared with a coloured one channel by channel.
#pragma once
#include <string>

#include "gan/player.h"

namespace forger::gan {

// Peak signal-to-noise ratio in decibels: 10 log10(4 / mean (x - y)^2) of each picture, at most 100.
Tensor psnr(const Tensor& made, const Tensor& truth);

// "l1" and "psnr" of what a system made, and "l1_identity", "psnr_identity": of what it was given, left as it was. `of`
// stands before each name ("a-to-b.").
Readings fidelity(const Tensor& made, const Tensor& given, const Tensor& truth, const std::string& of = "");

}  // namespace forger::gan
