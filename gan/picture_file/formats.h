// The formats of picture files, a page each. Their errors are DataErrors that tell the fault alone ("truncated GIF");
// decode_image puts the file's name in front.
#pragma once
#include <string_view>

#include "gan/image.h"

namespace forger::gan::picture_file {

struct Picture {
  Image image;          // 1 or 3 channels, as stored
  int orientation = 1;  // EXIF's: how to turn it upright, 1 to 8
};

Picture decode_png(std::string_view bytes);
Picture decode_jpeg(std::string_view bytes, int channels);  // channels 1: only the luma of a YCbCr file is decoded
Picture decode_webp(std::string_view bytes);
Picture decode_gif(std::string_view bytes);
Picture decode_bmp(std::string_view bytes);

// Of a block of EXIF data, with or without "Exif\0\0" in front. 1 where it says nothing, or nothing sensible.
int exif_orientation(std::string_view block);

// A black image. To be made as soon as the header tells the size, so that a file that claims too many pixels costs
// nothing: DataError for more than 2^26, or none.
Image new_image(int64_t height, int64_t width, int64_t channels);

}  // namespace forger::gan::picture_file
