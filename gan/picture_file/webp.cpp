// WebP, still or animated, by libwebp. A still is an animation of one frame to it: the frame on its canvas, which is
// transparent black where the frame does not reach.
#include <webp/demux.h>

#include <memory>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {

Picture decode_webp(std::string_view bytes) {
  const WebPData data{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> file(WebPDemuxPartial(&data, &state), WebPDemuxDelete);
  check<DataError>(state != WEBP_DEMUX_PARSE_ERROR, "damaged WebP");
  check<DataError>(state == WEBP_DEMUX_DONE && file != nullptr, "truncated WebP");

  Picture picture;
  Image& image = picture.image;
  image =
      new_image(WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_HEIGHT), WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_WIDTH), 3);
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  const std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)> frames(WebPAnimDecoderNew(&data, &options),
                                                                                  WebPAnimDecoderDelete);
  uint8_t* rgba = nullptr;  // (height, width, 4), the decoder's own
  int milliseconds = 0;
  const bool decoded = frames != nullptr && WebPAnimDecoderGetNext(frames.get(), &rgba, &milliseconds) != 0;
  check<DataError>(decoded, "damaged WebP");
  for (size_t i = 0; i < image.pixels.size(); i++) image.pixels[i] = rgba[i / 3 * 4 + i % 3];

  WebPChunkIterator exif{};
  if (WebPDemuxGetChunk(file.get(), "EXIF", 1, &exif) != 0)
    picture.orientation = exif_orientation({reinterpret_cast<const char*>(exif.chunk.bytes), exif.chunk.size});
  WebPDemuxReleaseChunkIterator(&exif);
  return picture;
}

}  // namespace forger::gan::picture_file
