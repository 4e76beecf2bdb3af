// Moving pictures as GIF files.
#pragma once
#include <string>
#include <vector>

#include "gan/image.h"

namespace forger::gan {

// The file's bytes: frames of one size, over and over, each for so many hundredths of a second. Grey ones keep all of
// their 256 levels; colours are rounded to 6 levels of red and blue and 7 of green.
std::string encode_gif(const std::vector<Image>& frames, int hundredths);

}  // namespace forger::gan
