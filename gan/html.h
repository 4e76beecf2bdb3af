// What the pages that Forger writes share. Each is one HTML file that needs nothing beside it.
#pragma once
#include <string>
#include <vector>

namespace forger::gan {

// A page of the report's style, with more of it and a script where there are any. `title` is plain text, `body` HTML.
std::string html_page(const std::string& title, const std::string& body, const std::string& more_style = "",
                      const std::string& script = "");
// The bytes of a file; none when it cannot be read.
std::string file_or_nothing(const std::string& path);
std::string png_uri(const std::string& path);          // data:image/png;base64,...; empty when it cannot be read
std::string png_uri_of(const std::string& png_bytes);  // the same of a file's bytes
// <img> of a picture's file, <pre> of a text's, under that title; empty when it cannot be read.
std::string element_of(const std::string& path, const std::string& title, bool hidden = false);
// At most `most` of them, evenly apart, first and last among them.
std::vector<std::string> evenly(const std::vector<std::string>& all, size_t most);

}  // namespace forger::gan
