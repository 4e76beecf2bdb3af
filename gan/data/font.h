// Glyphs of a font file as pictures, by FreeType.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gan/image.h"

namespace forger::gan {

class Font {
 public:
  explicit Font(const std::string& path);  // DataError when it is no font that can be read
  ~Font();
  Font(const Font&) = delete;
  Font& operator=(const Font&) = delete;

  // The bitmap of a character in a colour font (Google's CBDT table), on white, three channels; none where the font has
  // none for it.
  std::optional<Image> colour(char32_t character);
  // The filled outline of a character in black on white, about `height` pixels tall, cut to what is inked; one channel.
  // None where the font has no outline for it, or an empty one.
  std::optional<Image> outline(char32_t character, int64_t height);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace forger::gan
