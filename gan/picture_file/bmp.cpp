// BMP, uncompressed. A pixel of 1, 4 or 8 bits is an index into a palette, one of 24 is blue, green, red, and one of 16
// or 32 is taken apart by masks.
//
//   at  0  "BM"                     at 14  size h of the header: 12 (OS/2), 40 or more
//      10  where the rows begin         18  width, height, planes, bits (12: as 16-bit numbers)
//   then  14 + h  masks, when h is 40; the palette, of 4 bytes an entry (12: 3)
//
// Rows are padded to 4 bytes and go upwards, or downwards where the height is negative.
#include <array>
#include <bit>
#include <vector>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {
namespace {

struct Layout {
  int64_t width = 0, height = 0, bits = 0;
  bool downwards = false;
  size_t rows = 0;                              // where they begin
  std::array<uint32_t, 3> masks{};              // red, green, blue
  std::vector<std::array<uint8_t, 3>> palette;  // likewise
};

uint32_t little_endian(std::string_view bytes, size_t at, size_t count) {
  check<DataError>(at <= bytes.size() && count <= bytes.size() - at, "truncated BMP");
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void read_masks(Layout& layout, std::string_view bytes, bool own_masks) {
  constexpr std::array<uint32_t, 3> five_bits = {0x7c00, 0x3e0, 0x1f}, eight_bits = {0xff0000, 0xff00, 0xff};
  layout.masks = layout.bits == 16 ? five_bits : eight_bits;
  if (!own_masks) return;
  for (size_t i = 0; i < 3; i++) {
    const uint32_t mask = layout.masks[i] = little_endian(bytes, 54 + 4 * i, 4);
    const uint32_t run = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    check<DataError>(run != 0 && run <= 0xffff && (run & (run + 1)) == 0, "damaged BMP: a colour mask");
  }
}

Layout read_layout(std::string_view bytes) {
  const auto number = [&](size_t at, size_t count) { return little_endian(bytes, at, count); };
  Layout layout;
  layout.rows = number(10, 4);
  const size_t header = number(14, 4);
  const bool old = header == 12;
  check<DataError>(old || header >= 40, "damaged BMP: a header of ", header, " bytes");
  const auto signed_number = [&](size_t at) { return static_cast<int32_t>(number(at, 4)); };
  layout.width = old ? int64_t{number(18, 2)} : signed_number(18);
  layout.height = old ? int64_t{number(20, 2)} : signed_number(22);
  layout.bits = number(old ? 24 : 28, 2);
  layout.downwards = layout.height < 0;
  if (layout.downwards) layout.height = -layout.height;

  const uint32_t compression = old ? 0 : number(30, 4);
  constexpr uint32_t run_lengths[] = {1, 2}, by_masks = 3, by_masks_and_alpha = 6;
  check<DataError>(compression != run_lengths[0] && compression != run_lengths[1],
                   "BMP with run-length encoding is not supported; convert it to PNG");
  const bool own_masks = compression == by_masks || compression == by_masks_and_alpha;
  const int64_t bits = layout.bits;
  const bool masked = bits == 16 || bits == 32;
  const bool known = bits == 1 || bits == 4 || bits == 8 || bits == 24 || masked;
  check<DataError>(known && (compression == 0 || (own_masks && masked)), "BMP of ", bits, " bits and compression ",
                   compression, " is not supported; convert it to PNG");
  if (masked) read_masks(layout, bytes, own_masks);
  if (bits <= 8) {
    const size_t named = old ? 0 : number(46, 4), most = size_t{1} << bits, entry = old ? 3 : 4;
    const size_t count = named == 0 ? most : std::min(named, most);
    layout.palette.resize(count);
    for (size_t i = 0; i < count; i++)
      for (size_t k = 0; k < 3; k++)
        layout.palette[i][k] = static_cast<uint8_t>(number(14 + header + i * entry + 2 - k, 1));
  }
  return layout;
}

// The bits under the mask as a level of 0 to 255.
uint8_t level(uint32_t value, uint32_t mask) {
  const int shift = std::countr_zero(mask);
  return static_cast<uint8_t>(((value & mask) >> shift) * 255 / (mask >> shift));
}

}  // namespace

Picture decode_bmp(std::string_view bytes) {
  const Layout layout = read_layout(bytes);
  Picture picture;
  Image& image = picture.image;
  image = new_image(layout.height, layout.width, 3);
  const size_t row_bytes = static_cast<size_t>((layout.width * layout.bits + 31) / 32 * 4);
  const size_t size = row_bytes * static_cast<size_t>(layout.height);
  check<DataError>(layout.rows <= bytes.size() && size <= bytes.size() - layout.rows, "truncated BMP");

  const size_t bits = static_cast<size_t>(layout.bits), pixel_bytes = bits / 8;
  uint8_t* to = image.pixels.data();
  for (int64_t row = 0; row < layout.height; row++) {
    const int64_t stored = layout.downwards ? row : layout.height - 1 - row;
    const std::string_view line = bytes.substr(layout.rows + static_cast<size_t>(stored) * row_bytes, row_bytes);
    for (size_t column = 0; column < static_cast<size_t>(layout.width); column++, to += 3) {
      if (bits <= 8) {
        const size_t at = column * bits, shift = 8 - bits - at % 8;  // the first pixel has a byte's highest bits
        const size_t index = static_cast<uint8_t>(line[at / 8]) >> shift & ((1u << bits) - 1);
        check<DataError>(index < layout.palette.size(), "damaged BMP: a colour that is not in its palette");
        std::copy_n(layout.palette[index].begin(), 3, to);
      } else if (bits == 24) {
        for (size_t k = 0; k < 3; k++) to[k] = static_cast<uint8_t>(line[column * 3 + 2 - k]);
      } else {
        const uint32_t value = little_endian(line, column * pixel_bytes, pixel_bytes);
        for (size_t k = 0; k < 3; k++) to[k] = level(value, layout.masks[k]);
      }
    }
  }
  return picture;
}

}  // namespace forger::gan::picture_file
