// EXIF is a small TIFF file inside a picture. One of its entries matters here: which way up the camera was held.
#include <libexif/exif-data.h>

#include <memory>
#include <string>

#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {

int exif_orientation(std::string_view block) {
  constexpr std::string_view prefix("Exif\0\0", 6);  // JPEG's APP1 has it, the chunks of PNG and WebP mostly do not
  std::string bytes(block.starts_with(prefix) ? "" : prefix);
  bytes += block;
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> exif(
      exif_data_new_from_data(reinterpret_cast<const unsigned char*>(bytes.data()),
                              static_cast<unsigned>(bytes.size())),
      exif_data_unref);
  if (exif == nullptr) return 1;
  // The main picture's: a thumbnail in the same block has an orientation of its own.
  const ExifEntry* entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->components != 1) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(exif.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace forger::gan::picture_file
