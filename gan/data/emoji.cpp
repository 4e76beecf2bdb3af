// Emoji of one code point each, from the distribution's packages: colour bitmaps of Noto Color Emoji, names and groups
// of Unicode's emoji-test.txt.
//
//   emoji         image (H, W, 3), label (its group), caption (its English name)
//   emoji-pairs   source (H, W, 1), the character's outline in Symbola; target (H, W, 3), the bitmap; label, caption
//
// All of a picture is seen, on white, in its own proportions unless --fit stretch is asked for. One in ten is held out;
// which ones is a function of the code point alone. Files are looked for in the folder FORGER_DATA first, then where the
// packages put them. Components (skin tones, hair) are no emoji.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "core/random.h"
#include "gan/data/font.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

struct PackagedFile {
  const char *name, *place, *package;
};
constexpr PackagedFile noto{"NotoColorEmoji.ttf", "/usr/share/fonts/truetype/noto", "fonts-noto-color-emoji"};
constexpr PackagedFile symbola{"Symbola_hint.ttf", "/usr/share/fonts/truetype/ancient-scripts", "fonts-symbola"};
constexpr PackagedFile list{"emoji-test.txt", "/usr/share/unicode/emoji", "unicode-data"};

std::string path_of(const PackagedFile& file, const std::string& spec) {
  const char* elsewhere = std::getenv("FORGER_DATA");
  for (const fs::path& folder : {fs::path(elsewhere == nullptr ? "" : elsewhere), fs::path(file.place)}) {
    std::error_code unreadable;
    if (!folder.empty() && fs::exists(folder / file.name, unreadable)) return folder / file.name;
  }
  throw DataError(
      text(spec, ": no ", file.name, " in ", file.place, "; install it with: apt-get install ", file.package));
}

struct Entry {
  char32_t character;
  std::string group, name;
};

// Lines such as "263A FE0F   ; fully-qualified   # (it) E0.6 smiling face" under "# group: Smileys & Emotion"; those of
// several code points are left out (FE0F only asks for a picture).
std::vector<Entry> read_list(const std::string& path) {
  std::vector<Entry> entries;
  std::ifstream in(path);
  const std::string heading = "# group: ";
  std::string group;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    number++;
    if (line.starts_with(heading)) group = line.substr(heading.size());
    std::istringstream words(line);
    std::string code, next, status, hash, itself, version, name;
    words >> code >> next;
    if (next == "FE0F") words >> next;
    words >> status >> hash >> itself >> version;
    if (line.starts_with("#") || next != ";" || status != "fully-qualified") continue;
    std::getline(words >> std::ws, name);
    uint32_t character = 0;
    const char* const end = code.data() + code.size();
    const bool hexadecimal = code.size() <= 6 && std::from_chars(code.data(), end, character, 16).ptr == end;
    check<DataError>(hexadecimal && !group.empty() && !name.empty(), "cannot read '", path, "': line ", number,
                     " is no emoji under a group, in the form 'CODE ; fully-qualified # PICTURE VERSION NAME'");
    entries.push_back({static_cast<char32_t>(character), group, name});
  }
  check<DataError>(!entries.empty(), "cannot read '", path, "': it lists no emoji");
  return entries;
}

bool is_held_out(char32_t character) {
  return philox({static_cast<uint32_t>(character), 0, 0, 0}, {0x656d6f6a, 0x69})[0] % 10 == 0;
}

// In the middle of a white picture of the size that is asked for, with a margin of that share of its shorter side all
// around; stretched, where that is asked for.
Image on_white(const Image& image, const DataOptions& options, double margin) {
  const double room = 1 - 2 * margin;
  const double down = static_cast<double>(image.height) / static_cast<double>(options.height) / room,
               across = static_cast<double>(image.width) / static_cast<double>(options.width) / room;
  const bool stretched = options.fit == Fit::stretch;
  const auto side = [&](double scale, int64_t asked, int64_t least) {
    const double kept = stretched ? scale : std::max(down, across);
    return std::max<int64_t>(least, std::llround(kept * static_cast<double>(asked)));
  };
  constexpr uint8_t white = 255;
  Image frame{side(down, options.height, image.height), side(across, options.width, image.width), image.channels, {}};
  frame.pixels.assign(static_cast<size_t>(frame.height * frame.width * frame.channels), white);
  const int64_t top = (frame.height - image.height) / 2, left = (frame.width - image.width) / 2,
                bytes = image.width * image.channels;
  for (int64_t row = 0; row < image.height; row++)
    std::copy_n(&image.pixels[static_cast<size_t>(row * bytes)], bytes,
                &frame.pixels[static_cast<size_t>(((top + row) * frame.width + left) * image.channels)]);
  return resize(frame, options.height, options.width);
}

class Emoji : public DataSet {
 public:
  Emoji(const std::string& name, bool pairs, DataOptions options, Subset subset) : name_(name), pairs_(pairs) {
    constexpr int64_t own = 128;  // about that of the bitmaps
    for (int64_t* side : {&options.height, &options.width})
      if (*side == 0) *side = own;
    const int64_t height = options.height, width = options.width;
    const std::vector<Entry> entries = read_list(path_of(list, name));
    Font colours(path_of(noto, name));
    std::optional<Font> outlines;
    if (pairs) outlines.emplace(path_of(symbola, name));
    std::vector<std::string> groups, names;
    for (const Entry& entry : entries) {
      const auto group = std::ranges::find(groups, entry.group) - groups.begin();
      if (group == std::ssize(groups)) groups.push_back(entry.group);
      names.push_back(entry.name);
      if (is_held_out(entry.character) != (subset == Subset::test)) continue;
      const int64_t drawn = std::max({own, height, width});
      const std::optional<Image> picture = colours.colour(entry.character);
      const std::optional<Image> outline = pairs ? outlines->outline(entry.character, drawn) : std::nullopt;
      if (!picture || (pairs && !outline)) continue;
      constexpr double margin = 1.0 / 16;
      rows_.push_back({on_white(*picture, options, 0), outline ? on_white(*outline, options, margin) : Image(), group,
                       std::ssize(names) - 1});
      contents_.add(picture->pixels);
      contents_.add(entry.name);
    }
    check<DataError>(!rows_.empty(), name, ": the fonts have none of the emoji that ", list.name, " lists");
    if (pairs) columns_.push_back({.name = "source", .sample = {height, width, 1}});
    columns_.push_back({.name = pairs ? "target" : "image", .sample = {height, width, 3}});
    columns_.push_back({.name = "label", .dtype = DType::i64, .words = groups});
    columns_.push_back({.name = "caption", .dtype = DType::i64, .words = names});
  }

  int64_t count() const override { return std::ssize(rows_); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const Row& row = rows_[static_cast<size_t>(i)];
    size_t cell = 0;
    const auto take = [&] { return cells[cell++]; };
    if (pairs_)
      if (void* source = take()) to_sample(row.outline, static_cast<float*>(source));
    if (void* image = take()) to_sample(row.picture, static_cast<float*>(image));
    if (void* label = take()) *static_cast<int64_t*>(label) = row.group;
    if (void* caption = take()) *static_cast<int64_t*>(caption) = row.name;
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    return text(count(), pairs_ ? " outlines and pictures of emoji " : " emoji ", about_classes(*this));
  }
  std::string hash() const override { return contents_.hex(); }  // of bitmaps and names, whatever the size

 private:
  struct Row {
    Image picture, outline;
    int64_t group, name;
  };
  std::string name_;
  bool pairs_;
  std::vector<Row> rows_;
  Fnv contents_;
  Columns columns_;
};

DataSource source(const std::string& name, bool pairs, const std::string& help, std::vector<std::string> gives) {
  return {.name = name,
          .help = help,
          .gives = std::move(gives),
          .accepts = [name](const std::string& spec) { return spec == name; },
          .open = [pairs](const std::string& spec, const DataOptions& options, Subset subset) -> DataSetPtr {
            return std::make_shared<Emoji>(spec, pairs, options, subset);
          }};
}

const RegisterDataSource registered[] = {
    RegisterDataSource{
        source("emoji", false, "emoji: coloured pictures in groups, with their names", {"image", "label", "caption"})},
    RegisterDataSource{source("emoji-pairs", true, "emoji-pairs: from the outlines of emoji to coloured pictures",
                              {"source", "target", "label", "caption"})},
};

}  // namespace
}  // namespace forger::gan
