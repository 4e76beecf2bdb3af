#include "core/utf8.h"

#include <charconv>
#include <cstdint>

namespace forger {

// The Unicode Standard, table 3-7: neither overlong forms nor surrogates nor what lies beyond U+10FFFF.
size_t utf8_size(std::string_view bytes) {
  const auto at = [&](size_t i) { return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0; };
  const auto follows = [&](size_t i, int low = 0x80, int high = 0xbf) { return at(i) >= low && at(i) <= high; };
  const int first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

namespace {

constexpr std::string_view escape = "\\x";
constexpr size_t escape_size = 4;  // \xHH

}  // namespace

std::string to_utf8(std::string_view bytes) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out;
  while (!bytes.empty()) {
    const size_t size = utf8_size(bytes);
    if (size > 0 && !bytes.starts_with(escape)) {
      out += bytes.substr(0, size);
      bytes.remove_prefix(size);
    } else {
      const auto byte = static_cast<uint8_t>(bytes.front());
      out += escape;
      out += {hex[byte >> 4], hex[byte & 15]};
      bytes.remove_prefix(1);
    }
  }
  return out;
}

std::string from_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    unsigned byte = 0;
    const char* const end = text.data() + std::min(escape_size, text.size());
    const bool escaped = text.size() >= escape_size && text.starts_with(escape) &&
                         std::from_chars(text.data() + escape.size(), end, byte, 16).ptr == end;
    out += escaped ? static_cast<char>(byte) : text.front();
    text.remove_prefix(escaped ? escape_size : 1);
  }
  return out;
}

}  // namespace forger
