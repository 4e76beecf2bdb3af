#include "gan/data/font.h"

#include <ft2build.h>

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

}  // namespace forger::gan
