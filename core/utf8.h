// Names of files are bytes, and TOML, JSON and HTML hold UTF-8 only: bytes as text that any of them can hold, and back.
#pragma once
#include <string>
#include <string_view>

namespace forger {

// Bytes of the character that these begin with; 0: they begin with none.
size_t utf8_size(std::string_view bytes);

// Valid UTF-8 stays as it is; any other byte becomes \xHH, "caf\xe9" of Latin-1's café. So that nothing is mistaken for
// such an escape, a backslash before an x becomes \x5c.
std::string to_utf8(std::string_view bytes);
std::string from_utf8(std::string_view text);  // from_utf8(to_utf8(bytes)) == bytes

}  // namespace forger
