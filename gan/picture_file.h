// Reading picture files. What a file is, its first bytes say; its name is not looked at.
#pragma once
#include <string>
#include <string_view>

#include "gan/image.h"

namespace forger::gan {

// PNG, JPEG (grey, colour, four inks), WebP, GIF or uncompressed BMP, of at most 2^26 pixels and 65,500 on a side; of
// an animation the first frame. The pixels are those of Pillow's convert("RGB"): alpha is dropped, colour profiles are
// not applied; turned upright, as EXIF says. 16-bit levels keep their high byte. channels 1 or 3: colour becomes its
// luma, of which a JPEG mostly has a plane. DataError, which starts with "cannot read 'x.png': ", when the file is
// truncated, too large, of another format, or found to be damaged: nothing is read in part.
Image read_image(const std::string& path, int channels);
// The same from the file's bytes; origin stands for its name in errors.
Image decode_image(std::string_view bytes, int channels, const std::string& origin);

}  // namespace forger::gan
