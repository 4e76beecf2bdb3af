// From a file's bytes to an upright image: the format by its magic bytes, then the format's own page, then the turn
// that EXIF asks for, then the channels.
#include "gan/picture_file.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan {

using namespace std::string_view_literals;
using namespace picture_file;

namespace {

bool has(std::string_view bytes, size_t at, std::string_view magic) {
  return bytes.size() >= at && bytes.substr(at).starts_with(magic);
}

// Known, but not read: people are told what they have. The first that fits counts.
constexpr struct {
  const char* name;
  size_t at;
  std::string_view magic;
} foreign_formats[] = {
    {"TIFF", 0, "II*\0"sv},         {"TIFF", 0, "MM\0*"sv},
    {"BigTIFF", 0, "II+\0"sv},      {"BigTIFF", 0, "MM\0+"sv},
    {"AVIF", 4, "ftypavi"sv},       {"HEIC", 4, "ftyphe"sv},
    {"HEIC", 4, "ftypmif1"sv},      {"HEIC", 4, "ftypmsf1"sv},
    {"JPEG 2000", 4, "jP  \r\n"sv}, {"JPEG 2000", 0, "\xff\x4f\xff\x51"sv},
    {"JPEG XL", 4, "JXL \r\n"sv},   {"JPEG XL", 0, "\xff\x0a"sv},
    {"PSD", 0, "8BPS"sv},           {"XCF", 0, "gimp xcf"sv},
    {"ICO", 0, "\0\0\1\0"sv},       {"OpenEXR", 0, "\x76\x2f\x31\x01"sv},
    {"Radiance HDR", 0, "#?"sv},    {"DDS", 0, "DDS "sv},
    {"QOI", 0, "qoif"sv},           {"MNG", 0, "\x8aMNG"sv},
    {"PBM", 0, "P1\n"sv},           {"PGM", 0, "P2\n"sv},
    {"PPM", 0, "P3\n"sv},           {"PBM", 0, "P4\n"sv},
    {"PGM", 0, "P5\n"sv},           {"PPM", 0, "P6\n"sv},
    {"SVG", 0, "<svg"sv},           {"SVG or other XML", 0, "<?xml"sv},
    {"PDF", 0, "%PDF"sv},           {"video", 4, "ftyp"sv},
};

Picture decode(std::string_view bytes, int channels) {
  if (has(bytes, 0, "\x89PNG\r\n\x1a\n")) return decode_png(bytes);
  if (has(bytes, 0, "\xff\xd8\xff")) return decode_jpeg(bytes, channels);
  if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return decode_webp(bytes);
  if (has(bytes, 0, "GIF87a") || has(bytes, 0, "GIF89a")) return decode_gif(bytes);
  if (has(bytes, 0, "BM") && has(bytes, 15, "\0\0\0"sv)) return decode_bmp(bytes);  // 15: of the header's size
  for (const auto& [name, at, magic] : foreign_formats)
    check<DataError>(!has(bytes, at, magic), name, " is not supported; convert it to PNG");
  throw DataError(bytes.empty() ? "the file is empty" : "not a PNG, JPEG, WebP, GIF or BMP file");
}

// EXIF's orientation names the sides of the scene that the first row and the first column show. From 5 on rows and
// columns are swapped; then either may run backwards.
Image upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool swapped = orientation >= 5;
  const bool rows_backwards = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool columns_backwards = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image turned = image;
  if (swapped) std::swap(turned.height, turned.width);
  uint8_t* to = turned.pixels.data();
  for (int64_t row = 0; row < turned.height; row++) {
    for (int64_t column = 0; column < turned.width; column++, to += image.channels) {
      int64_t source_row = swapped ? column : row, source_column = swapped ? row : column;
      if (rows_backwards) source_row = image.height - 1 - source_row;
      if (columns_backwards) source_column = image.width - 1 - source_column;
      std::copy_n(&image.pixels[static_cast<size_t>((source_row * image.width + source_column) * image.channels)],
                  image.channels, to);
    }
  }
  return turned;
}

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  check<DataError>(file.good() && bytes.good(), "cannot read '", path, "': no such file, empty, or not readable");
  return std::move(bytes).str();
}

}  // namespace

Image picture_file::new_image(int64_t height, int64_t width, int64_t channels) {
  constexpr int64_t max_pixels = int64_t{1} << 26;  // 8192 x 8192: more is a mistake, or a bomb
  constexpr int64_t max_side = 65500;               // JPEG's, of libjpeg
  check<DataError>(height > 0 && width > 0, width, "x", height, " pixels are none");
  check<DataError>(height <= max_side && width <= max_side && width * height <= max_pixels, width, "x", height,
                   " pixels are too many");
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
}

Image decode_image(std::string_view bytes, int channels, const std::string& origin) {
  try {
    check<DataError>(bytes.size() < INT32_MAX, "the file has ", bytes.size(), " bytes");  // what libraries count with
    Picture picture = decode(bytes, channels);
    return with_channels(upright(std::move(picture.image), picture.orientation), channels);
  } catch (const DataError& error) {
    throw DataError(text("cannot read '", origin, "': ", error.what()));
  }
}

Image read_image(const std::string& path, int channels) { return decode_image(read_bytes(path), channels, path); }

}  // namespace forger::gan
