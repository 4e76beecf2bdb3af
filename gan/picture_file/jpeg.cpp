// JPEG, by libjpeg-turbo.
//
// libjpeg goes on where it can: it fills what is missing of a cut file with grey, and of damage it only warns. Here
// those warnings are errors; the others (stray bytes between segments, an unknown revision of JFIF) say nothing of the
// pixels. Errors leave libjpeg by longjmp, over frames that own nothing, and come out as exceptions.
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <type_traits>

// jpeglib.h uses cstdio without including it.
#include <jerror.h>
#include <jpeglib.h>

#include "core/error.h"
#include "gan/picture_file/formats.h"

namespace forger::gan::picture_file {
namespace {

class Jpeg {
 public:
  Jpeg() {
    info.err = jpeg_std_error(&errors_);
    info.client_data = this;
    errors_.error_exit = on_error;
    errors_.emit_message = on_message;
    progress_.progress_monitor = on_progress;
  }
  ~Jpeg() { jpeg_destroy_decompress(&info); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  // Runs calls of libjpeg; an error of theirs is thrown as a DataError.
  template <class F>
  void attempt(F calls) {
    static_assert(std::is_trivially_destructible_v<F>);  // an error jumps over it
    if (setjmp(return_point_) != 0) throw DataError(fault_);
    calls();
  }

  void watch_scans() { info.progress = &progress_; }

  jpeg_decompress_struct info{};

 private:
  [[noreturn]] static void leave(j_common_ptr info, const char* kind, const char* detail = "") {
    auto* jpeg = static_cast<Jpeg*>(info->client_data);
    std::snprintf(jpeg->fault_, sizeof(jpeg->fault_), "%s%s", kind, detail);
    std::longjmp(jpeg->return_point_, 1);
  }

  [[noreturn]] static void on_error(j_common_ptr info) {
    char detail[JMSG_LENGTH_MAX];
    info->err->format_message(info, detail);
    switch (info->err->msg_code) {
      case JERR_ARITH_NOTIMPL:
      case JERR_BAD_PRECISION:
      case JERR_IMAGE_TOO_BIG:
      case JERR_SOF_UNSUPPORTED:
        leave(info, "JPEG of a kind that is not supported: ", detail);
      default:
        leave(info, "damaged JPEG: ", detail);
    }
  }

  static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;  // -1 is a warning, others only trace
    switch (info->err->msg_code) {
      case JWRN_ADOBE_XFORM:
      case JWRN_BOGUS_ICC:
      case JWRN_EXTRANEOUS_DATA:
      case JWRN_JFIF_MAJOR:
      case JWRN_NOT_SEQUENTIAL:
        return;
      case JWRN_JPEG_EOF:
        leave(info, "truncated JPEG");
      default:
        on_error(info);
    }
  }

  // Each scan of a progressive file is a pass over the whole picture, and an empty one takes ten bytes of the file.
  static void on_progress(j_common_ptr info) {
    constexpr int max_scans = 100;  // encoders write about ten
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > max_scans)
      leave(info, "JPEG of more than 100 scans");
  }

  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf return_point_;
  char fault_[JMSG_LENGTH_MAX + 64] = "";
};

J_COLOR_SPACE output_space(const jpeg_decompress_struct& info, int channels) {
  switch (info.num_components) {
    case 1:
      return JCS_GRAYSCALE;
    case 3:
      return channels == 1 && info.jpeg_color_space == JCS_YCbCr ? JCS_GRAYSCALE : JCS_RGB;
    case 4:
      return JCS_CMYK;
    default:
      throw DataError(text("JPEG of ", info.num_components, " components is not supported"));
  }
}

// To be asked before the end, which forgets the markers.
int orientation_of(const jpeg_decompress_struct& info) {
  for (const auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(std::string_view("Exif\0\0", 6))) return exif_orientation(data);  // XMP is an APP1 too
  }
  return 1;
}

// Stored the other way round, as Adobe's programs do and everyone after them: 255 is no ink, so that the samples are
// what each ink lets through. Black scales the others, rounded as Pillow does: on the inks.
Image rgb_from_cmyk(const Image& cmyk) {
  Image rgb = new_image(cmyk.height, cmyk.width, 3);
  const uint8_t* in = cmyk.pixels.data();
  uint8_t* out = rgb.pixels.data();
  for (int64_t i = 0; i < cmyk.height * cmyk.width; i++, in += 4) {
    const int light = in[3];
    for (int k = 0; k < 3; k++) {
      const int scaled = (255 - in[k]) * light + 128;
      *out++ = static_cast<uint8_t>(std::max(0, light - (((scaled >> 8) + scaled) >> 8)));  // light - ink * light / 255
    }
  }
  return rgb;
}

}  // namespace

Picture decode_jpeg(std::string_view bytes, int channels) {
  Jpeg jpeg;
  jpeg_decompress_struct& info = jpeg.info;
  jpeg.attempt([&] {
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);  // EXIF
    jpeg_read_header(&info, TRUE);
  });
  jpeg.watch_scans();
  info.out_color_space = output_space(info, channels);
  Picture picture;
  picture.orientation = orientation_of(info);
  Image& image = picture.image;
  const int64_t samples = info.out_color_space == JCS_GRAYSCALE ? 1 : info.num_components;
  image = new_image(info.image_height, info.image_width, samples);
  jpeg.attempt([&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = &image.pixels[static_cast<size_t>(info.output_scanline * image.width * image.channels)];
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);  // to the end marker
  });
  if (samples == 4) image = rgb_from_cmyk(image);
  return picture;
}

}  // namespace forger::gan::picture_file
