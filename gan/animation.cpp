#include "gan/animation.h"

#include <gif_lib.h>

#include <algorithm>
#include <memory>

#include "core/error.h"

namespace forger::gan {
namespace {

int append(GifFileType* gif, const GifByteType* bytes, int count) {
  static_cast<std::string*>(gif->UserData)->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
  return count;
}

void attempt(int result, const GifFileType* gif) {
  check<Error>(result == GIF_OK, "cannot write a GIF: ", GifErrorString(gif->Error));
}

constexpr int reds = 6, greens = 7, blues = 6;

uint8_t level(int step, int steps) { return static_cast<uint8_t>((255 * step + (steps - 1) / 2) / (steps - 1)); }
int step(uint8_t value, int steps) { return (value * (steps - 1) + 127) / 255; }

GifColorType colour_of(int index, bool grey) {
  if (grey) return {static_cast<uint8_t>(index), static_cast<uint8_t>(index), static_cast<uint8_t>(index)};
  return {level(index / (greens * blues) % reds, reds), level(index / blues % greens, greens),
          level(index % blues, blues)};
}

GifByteType index_of(const uint8_t* pixel, bool grey) {
  if (grey) return *pixel;
  return static_cast<GifByteType>((step(pixel[0], reds) * greens + step(pixel[1], greens)) * blues +
                                  step(pixel[2], blues));
}

}  // namespace

std::string encode_gif(const std::vector<Image>& frames, int hundredths) {
  check<Error>(!frames.empty(), "a moving picture has at least one frame");
  const Image& first = frames.front();
  constexpr int64_t largest = 65'535;
  check<UsageError>(first.width <= largest && first.height <= largest, "a GIF has at most ", largest,
                    " pixels on a side, "
                    "not ",
                    first.width, "x", first.height);
  const bool grey = first.channels == 1;
  const int width = static_cast<int>(first.width), height = static_cast<int>(first.height);
  std::string bytes;
  int code = 0;
  const auto close = [](GifFileType* gif) { EGifCloseFile(gif, nullptr); };
  std::unique_ptr<GifFileType, decltype(close)> gif(EGifOpen(&bytes, append, &code), close);
  check<Error>(gif != nullptr, "cannot write a GIF: ", GifErrorString(code));
  EGifSetGifVersion(gif.get(), true);
  constexpr int colours = 256;
  ColorMapObject* const palette = GifMakeMapObject(colours, nullptr);
  for (int i = 0; i < colours; i++) palette->Colors[i] = colour_of(i, grey);
  const int made = EGifPutScreenDesc(gif.get(), width, height, /*bits=*/8, 0, palette);
  GifFreeMapObject(palette);
  attempt(made, gif.get());

  const uint8_t for_ever[] = {1, 0, 0};  // Netscape's extension: how often it is shown
  attempt(EGifPutExtensionLeader(gif.get(), APPLICATION_EXT_FUNC_CODE), gif.get());
  attempt(EGifPutExtensionBlock(gif.get(), 11, "NETSCAPE2.0"), gif.get());
  attempt(EGifPutExtensionBlock(gif.get(), 3, for_ever), gif.get());
  attempt(EGifPutExtensionTrailer(gif.get()), gif.get());
  std::vector<GifByteType> line(static_cast<size_t>(width));
  for (const Image& frame : frames) {
    check<Error>(frame.width == first.width && frame.height == first.height && frame.channels == first.channels,
                 "the frames of a moving picture are of one size");
    const uint8_t control[] = {0, static_cast<uint8_t>(hundredths & 255), static_cast<uint8_t>(hundredths >> 8), 0};
    attempt(EGifPutExtension(gif.get(), GRAPHICS_EXT_FUNC_CODE, 4, control), gif.get());
    attempt(EGifPutImageDesc(gif.get(), 0, 0, width, height, false, nullptr), gif.get());
    const uint8_t* pixel = frame.pixels.data();
    for (int row = 0; row < height; row++) {
      for (GifByteType& index : line) index = index_of(pixel, grey), pixel += frame.channels;
      attempt(EGifPutLine(gif.get(), line.data(), width), gif.get());
    }
  }
  check<Error>(EGifCloseFile(gif.release(), &code) == GIF_OK, "cannot write a GIF: ", GifErrorString(code));
  return bytes;
}

}  // namespace forger::gan
