// Moving pictures as files that show them over and over.
#pragma once
#include <string>
#include <vector>

#include "gan/image.h"

namespace forger::gan {

// UsageError when `file` has the name of no film: .gif, .png and .mp4 are, the last where the program ffmpeg is installed.
void check_film_name(const std::string& option, const std::string& file);
// The bytes of a file of that name: frames of one size and one number of channels, so many a second (1 to 100).
std::string encode_film(const std::string& file, const std::vector<Image>& frames, double per_second);

// Grey frames keep all of their 256 levels; colours are rounded to 6 levels of red and blue and 7 of green, times to
// hundredths of a second.
std::string encode_gif(const std::vector<Image>& frames, double per_second);
// An animated PNG (PNG specification, third edition, W3C 2025): every pixel as it is. What knows no animations shows the
// first frame.
std::string encode_apng(const std::vector<Image>& frames, double per_second);
// By ffmpeg, H.264 in yuv420p, which everything plays; odd sides get a white line more. Error with what
// ffmpeg said.
std::string encode_mp4(const std::vector<Image>& frames, double per_second);

}  // namespace forger::gan
