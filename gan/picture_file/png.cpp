// PNG, by libspng, which inflates row by row: a small file that swells to gigabytes is left alone behind its last row.
#include <spng.h>
#include <zlib.h>

#include <memory>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {
namespace {

uint32_t big_endian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; i++) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// A PNG is a signature and chunks {length, type, data, crc of type and data}, IEND the last. "" when all are there and
// right.
std::string png_fault(std::string_view bytes) {
  for (size_t at = 8; bytes.size() - at >= 12;) {
    const size_t length = big_endian(bytes, at);
    if (length > bytes.size() - at - 12) break;
    const auto* type = reinterpret_cast<const Bytef*>(bytes.data() + at + 4);
    const uLong crc = crc32(0, type, static_cast<uInt>(length + 4));
    if (crc != big_endian(bytes, at + 8 + length)) return "damaged PNG, a checksum does not match";
    if (bytes.substr(at + 4, 4) == "IEND") return "";
    at += length + 12;
  }
  return "truncated PNG";
}

}  // namespace

Picture decode_png(std::string_view bytes) {
  const std::string fault = png_fault(bytes);
  check<DataError>(fault.empty(), fault);
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> png(spng_ctx_new(0), spng_ctx_free);
  check<Error>(png != nullptr, "[decode_png] out of memory");
  const auto attempt = [](int code) { check<DataError>(code == 0, "damaged PNG: ", spng_strerror(code)); };
  attempt(spng_set_png_buffer(png.get(), bytes.data(), bytes.size()));
  constexpr size_t max_chunk = size_t{1} << 26;  // bytes; compressed profiles and texts swell too
  attempt(spng_set_chunk_limits(png.get(), max_chunk, max_chunk));

  spng_ihdr header{};
  attempt(spng_get_ihdr(png.get(), &header));
  Picture picture;
  picture.image = new_image(header.height, header.width, 3);
  attempt(spng_decode_image(png.get(), picture.image.pixels.data(), picture.image.pixels.size(), SPNG_FMT_RGB8, 0));
  spng_exif exif{};
  const bool has_exif = spng_decode_chunks(png.get()) == 0 && spng_get_exif(png.get(), &exif) == 0;
  if (has_exif) picture.orientation = exif_orientation({exif.data, exif.length});
  return picture;
}

}  // namespace forger::gan::picture_file
