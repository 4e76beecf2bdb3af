#include "gan/html.h"

#include <cstdint>
#include <fstream>
#include <sstream>

#include "core/utf8.h"
#include "gan/chart.h"
#include "gan/report_style.h"

namespace forger::gan {
namespace {

std::string base64(const std::string& bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;  // 24 bits
    for (size_t j = 0; j < 3; j++) group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; j++) out += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace

std::string file_or_nothing(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  return bytes.str();
}

std::string png_uri_of(const std::string& png_bytes) { return "data:image/png;base64," + base64(png_bytes); }

std::string png_uri(const std::string& path) {
  const std::string bytes = file_or_nothing(path);
  return bytes.empty() ? "" : png_uri_of(bytes);
}

std::string element_of(const std::string& path, const std::string& title, bool hidden) {
  const std::string bytes = file_or_nothing(path), more = hidden ? "' hidden" : "'";
  if (bytes.empty()) return "";
  if (path.ends_with(".txt")) return "<pre title='" + title + more + ">" + escape_html(to_utf8(bytes)) + "</pre>";
  return "<img alt='" + title + more + " src='" + png_uri_of(bytes) + "'>";
}

std::vector<std::string> evenly(const std::vector<std::string>& all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<std::string> chosen;
  for (size_t i = 0; i < most; i++) chosen.push_back(all[i * (all.size() - 1) / (most - 1)]);
  return chosen;
}

std::string html_page(const std::string& title, const std::string& body, const std::string& more_style,
                      const std::string& script) {
  const std::string name = escape_html(title);
  return "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
         "<meta name='viewport' content='width=device-width,initial-scale=1'><title>" +
         name + "</title><style>" + report_style + more_style + "</style></head><body><h1>" + name + "</h1>" + body +
         (script.empty() ? "" : "<script>" + script + "</script>") + "</body></html>\n";
}

}  // namespace forger::gan
