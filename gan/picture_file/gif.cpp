// GIF, by giflib: the first frame on its screen.
#include <gif_lib.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {
namespace {

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
  auto& rest = *static_cast<std::string_view*>(gif->UserData);
  const size_t given = rest.copy(reinterpret_cast<char*>(to), static_cast<size_t>(count));
  rest.remove_prefix(given);
  return static_cast<int>(given);
}

[[noreturn]] void fail(int code) {
  const bool cut = code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON;
  const char* words = GifErrorString(code);
  throw DataError(cut ? "truncated GIF" : text("damaged GIF: ", words != nullptr ? words : "unknown fault"));
}

class Gif {
 public:
  explicit Gif(std::string_view& rest) {
    int code = 0;
    file_ = DGifOpen(&rest, read_bytes, &code);
    if (file_ == nullptr) fail(code);
  }
  ~Gif() { DGifCloseFile(file_, nullptr); }
  Gif(const Gif&) = delete;
  Gif& operator=(const Gif&) = delete;

  GifFileType* file() const { return file_; }
  void attempt(int result) const {
    if (result != GIF_OK) fail(file_->Error);
  }

 private:
  GifFileType* file_ = nullptr;
};

// Reads up to the first frame's description; returns the colour index that means transparent, or 0.
GifByteType find_frame(const Gif& gif) {
  GifByteType transparent = 0;
  for (;;) {
    GifRecordType record{};
    gif.attempt(DGifGetRecordType(gif.file(), &record));
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    check<DataError>(record == EXTENSION_RECORD_TYPE, "damaged GIF: no picture in it");
    int code = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    gif.attempt(DGifGetExtension(gif.file(), &code, &block));
    while (block != nullptr) {
      const bool has_transparent = code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4 && (block[1] & 1) != 0;
      if (has_transparent) transparent = block[4];
      gif.attempt(DGifGetExtensionNext(gif.file(), &block));
    }
  }
  gif.attempt(DGifGetImageDesc(gif.file()));
  return transparent;
}

// Without a map, levels of grey.
std::vector<GifColorType> palette_of(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  if (map != nullptr) return {map->Colors, map->Colors + map->ColorCount};
  std::vector<GifColorType> levels(256);
  for (size_t i = 0; i < 256; i++) levels[i].Red = levels[i].Green = levels[i].Blue = static_cast<GifByteType>(i);
  return levels;
}

}  // namespace

Picture decode_gif(std::string_view bytes) {
  std::string_view rest = bytes;
  const Gif gif(rest);
  const GifByteType transparent = find_frame(gif);
  const GifImageDesc& frame = gif.file()->Image;
  check<DataError>(frame.Width > 0 && frame.Height > 0, "damaged GIF: an empty frame");

  // A frame that is larger than the screen makes the screen larger. Around a smaller one it is transparent, or of the
  // first colour.
  const int64_t width = std::max(gif.file()->SWidth, frame.Left + frame.Width);
  const int64_t height = std::max(gif.file()->SHeight, frame.Top + frame.Height);
  Picture picture;
  picture.image = new_image(height, width, 3);
  std::vector<GifByteType> screen(static_cast<size_t>(width * height), transparent);
  const auto read_row = [&](int row) {
    GifByteType* to = &screen[static_cast<size_t>((frame.Top + row) * width + frame.Left)];
    gif.attempt(DGifGetLine(gif.file(), to, frame.Width));
  };
  struct Pass {
    int first, step;
  };
  constexpr Pass interlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, plain[] = {{0, 1}};
  for (const Pass pass : frame.Interlace ? std::span<const Pass>(interlaced) : std::span<const Pass>(plain))
    for (int row = pass.first; row < frame.Height; row += pass.step) read_row(row);

  const std::vector<GifColorType> palette = palette_of(*gif.file());
  uint8_t* to = picture.image.pixels.data();
  for (const GifByteType index : screen) {
    check<DataError>(index < palette.size(), "damaged GIF: a colour that is not in its palette");
    *to++ = palette[index].Red;
    *to++ = palette[index].Green;
    *to++ = palette[index].Blue;
  }
  return picture;
}

}  // namespace forger::gan::picture_file
