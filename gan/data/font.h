// Glyphs of a font file as pictures, by FreeType.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // The filled outlines of characters in black on white, as they stand in a line: of one size and on one baseline, as
  // large as all of them find room in pictures of that size, each in the middle. None where the font lacks one of them.
  std::optional<std::vector<Image>> letters(std::u32string_view characters, int64_t height, int64_t width);
  std::string name() const;  // of family and style, "DejaVu Sans Bold"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace forger::gan
