#include "gan/data/font.h"

#include <ft2build.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include FT_FREETYPE_H

namespace forger::gan {

struct Font::Impl {
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  ~Impl() {
    if (face != nullptr) FT_Done_Face(face);
    if (library != nullptr) FT_Done_FreeType(library);
  }
  // False where the font has no such character.
  bool load(char32_t character, FT_Int32 flags) const {
    const FT_UInt glyph = FT_Get_Char_Index(face, character);
    return glyph != 0 && FT_Load_Glyph(face, glyph, flags) == 0;
  }
};

Font::Font(const std::string& path) : impl_(std::make_unique<Impl>()) {
  check<Error>(FT_Init_FreeType(&impl_->library) == 0, "FreeType cannot be used");
  check<DataError>(FT_New_Face(impl_->library, path.c_str(), 0, &impl_->face) == 0, "cannot read '", path,
                   "': it is no font");
}
Font::~Font() = default;

std::optional<Image> Font::colour(char32_t character) {
  if (impl_->face->num_fixed_sizes == 0 || FT_Select_Size(impl_->face, 0) != 0) return {};
  if (!impl_->load(character, FT_LOAD_COLOR)) return {};
  const FT_Bitmap& bitmap = impl_->face->glyph->bitmap;
  if (bitmap.pixel_mode != FT_PIXEL_MODE_BGRA || bitmap.rows == 0 || bitmap.width == 0) return {};
  Image image{bitmap.rows, bitmap.width, 3, {}};
  for (unsigned row = 0; row < bitmap.rows; row++) {
    const uint8_t* bgra = bitmap.buffer + static_cast<ptrdiff_t>(row) * bitmap.pitch;
    for (unsigned column = 0; column < bitmap.width; column++, bgra += 4)  // colours are multiplied by alpha already
      for (const int channel : {2, 1, 0}) image.pixels.push_back(static_cast<uint8_t>(bgra[channel] + 255 - bgra[3]));
  }
  return image;
}

std::optional<Image> Font::outline(char32_t character, int64_t height) {
  if (FT_Set_Pixel_Sizes(impl_->face, 0, static_cast<FT_UInt>(height)) != 0) return {};
  if (!impl_->load(character, FT_LOAD_NO_BITMAP | FT_LOAD_NO_HINTING | FT_LOAD_RENDER)) return {};
  const FT_Bitmap& bitmap = impl_->face->glyph->bitmap;
  if (bitmap.pixel_mode != FT_PIXEL_MODE_GRAY || bitmap.rows == 0 || bitmap.width == 0) return {};
  Image image{bitmap.rows, bitmap.width, 1, {}};
  for (unsigned row = 0; row < bitmap.rows; row++) {
    const uint8_t* coverage = bitmap.buffer + static_cast<ptrdiff_t>(row) * bitmap.pitch;
    for (unsigned column = 0; column < bitmap.width; column++)
      image.pixels.push_back(static_cast<uint8_t>(255 - coverage[column]));
  }
  return image;
}

std::optional<std::vector<Image>> Font::letters(std::u32string_view characters, int64_t height, int64_t width) {
  const FT_Face face = impl_->face;
  if (!FT_IS_SCALABLE(face) || face->charmap == nullptr || face->charmap->encoding != FT_ENCODING_UNICODE) return {};
  FT_Pos above = 0, below = 0, widest = 1;  // of all of them, in the font's units, from the baseline
  for (const char32_t character : characters) {
    if (!impl_->load(character, FT_LOAD_NO_SCALE)) return {};
    const FT_Glyph_Metrics& box = face->glyph->metrics;
    if (box.width == 0 || box.height == 0) return {};
    above = std::max(above, box.horiBearingY);
    below = std::max(below, box.height - box.horiBearingY);
    widest = std::max(widest, box.width);
  }
  constexpr double margin = 1.0 / 16;  // of a side, on either side of it
  const auto room = [](int64_t side) { return (1 - 2 * margin) * static_cast<double>(side); };
  const double scale = std::min(room(height) / static_cast<double>(above + below),
                                room(width) / static_cast<double>(widest));  // pixels per unit
  const auto size = static_cast<FT_UInt>(scale * face->units_per_EM);        // pixels per em
  if (size == 0 || FT_Set_Pixel_Sizes(face, 0, size) != 0) return {};
  const int64_t baseline = std::llround((static_cast<double>(height) + scale * static_cast<double>(above - below)) / 2);
  std::vector<Image> pictures;
  for (const char32_t character : characters) {
    if (!impl_->load(character, FT_LOAD_NO_BITMAP | FT_LOAD_NO_HINTING | FT_LOAD_RENDER)) return {};
    const FT_Bitmap& bitmap = face->glyph->bitmap;
    if (bitmap.pixel_mode != FT_PIXEL_MODE_GRAY) return {};
    constexpr uint8_t white = 255;
    Image picture{height, width, 1, std::vector<uint8_t>(static_cast<size_t>(height * width), white)};
    const int64_t top = baseline - face->glyph->bitmap_top, left = (width - int64_t{bitmap.width}) / 2;
    for (int64_t row = std::max<int64_t>(0, -top); row < std::min<int64_t>(bitmap.rows, height - top); row++)
      for (int64_t column = std::max<int64_t>(0, -left); column < std::min<int64_t>(bitmap.width, width - left);
           column++)
        picture.pixels[static_cast<size_t>((top + row) * width + left + column)] =
            static_cast<uint8_t>(white - bitmap.buffer[row * bitmap.pitch + column]);
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

std::string Font::name() const {
  const auto or_nothing = [](const char* word) { return std::string(word == nullptr ? "" : word); };
  const std::string family = or_nothing(impl_->face->family_name), style = or_nothing(impl_->face->style_name);
  return style.empty() || style == "Regular" || style == "Book" ? family : family + " " + style;
}

}  // namespace forger::gan
