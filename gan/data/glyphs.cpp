// Letters and digits of fonts, by FreeType:
//
//   glyphs        of those that the system has installed (/usr/share/fonts)
//   glyphs:DIR    of the fonts in a folder and those below it
//
//   image (H, W, 1), the character in black on white; label, which one; font, in which font
//
// A font is taken if it has all 62 of them, and only the first one of a name. In each, all characters are of one size and
// on one baseline, so that o, O and 0 differ as they do in print. Rows stand in an order without meaning. One glyph in
// ten is held out: a pair of a character and a font, by a function of the two alone, so that both are known from
// training and only their meeting is new; a whole font that is held out would be a word that nothing was learnt of.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/random.h"
#include "gan/data/font.h"
#include "gan/data/images.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;

const std::string prefix = "glyphs:";
constexpr const char* installed = "/usr/share/fonts";
constexpr const char* packages = "fonts-dejavu-core fonts-liberation fonts-freefont-ttf fonts-lato";
constexpr std::u32string_view characters = U"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// Files that may be fonts, by their paths.
std::vector<fs::path> font_files(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code unreadable;
  for (fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, unreadable), end;
       !unreadable && entry != end; entry.increment(unreadable)) {
    const std::string ending = entry->path().extension().string();
    if (ending == ".ttf" || ending == ".otf" || ending == ".TTF" || ending == ".OTF") files.push_back(entry->path());
  }
  std::ranges::sort(files);
  return files;
}

// A number of the two alone, which says where the pair stands among all of them, and whether it is held out.
uint32_t place_of(const std::string& font, char32_t character) {
  Fnv fnv;
  fnv.add(font);
  fnv.add(static_cast<int64_t>(character));
  const auto half = [hex = fnv.hex()](size_t from) {
    return static_cast<uint32_t>(std::stoul(hex.substr(from, 8), nullptr, 16));
  };
  return philox({half(0), half(8), 0, 0}, {0x676c7970, 0x6873})[0];
}

class Glyphs : public DataSet {
 public:
  Glyphs(const std::string& name, const std::string& folder, const DataOptions& options, Subset subset) : name_(name) {
    constexpr int64_t own = 32;
    const int64_t height = options.height == 0 ? own : options.height, width = options.width == 0 ? own : options.width;
    std::vector<std::string> fonts, letters;
    for (const char32_t character : characters) letters.emplace_back(1, static_cast<char>(character));
    for (const fs::path& file : font_files(folder)) {
      std::string font;
      std::optional<std::vector<Image>> pictures;
      try {
        Font opened(file);
        font = opened.name();
        if (!font.empty() && std::ranges::find(fonts, font) == fonts.end())
          pictures = opened.letters(characters, height, width);
      } catch (const DataError&) {  // no font, whatever it is called
      }
      left_out_ += pictures ? 0 : 1;
      if (!pictures) continue;
      fonts.push_back(font);
      for (size_t c = 0; c < pictures->size(); c++) {
        const uint32_t place = place_of(font, characters[c]);
        if ((place % 10 == 0) != (subset == Subset::test)) continue;
        contents_.add((*pictures)[c].pixels);
        rows_.push_back({std::move((*pictures)[c]), static_cast<int64_t>(c), std::ssize(fonts) - 1, place});
      }
    }
    check<DataError>(!rows_.empty(), name, ": no font with letters and digits in ", folder,
                     folder == installed ? text("; install some with: apt-get install ", packages) : "");
    std::ranges::sort(rows_, {}, &Row::place);
    columns_ = {{.name = "image", .sample = {height, width, 1}},
                {.name = "label", .dtype = DType::i64, .words = letters},
                {.name = "font", .dtype = DType::i64, .words = fonts}};
  }

  int64_t count() const override { return std::ssize(rows_); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const Row& row = rows_[static_cast<size_t>(i)];
    if (cells[0] != nullptr) to_sample(row.picture, static_cast<float*>(cells[0]));
    if (cells[1] != nullptr) *static_cast<int64_t*>(cells[1]) = row.character;
    if (cells[2] != nullptr) *static_cast<int64_t*>(cells[2]) = row.font;
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    return text(
        count(), " glyphs of ", characters.size(), " characters in ", columns_.back().words.size(), " fonts",
        left_out_ == 0 ? "" : text("; left out: ", left_out_, " without all of them, or of a name that was there"));
  }
  std::string hash() const override { return contents_.hex(); }  // of the pictures, and so of their size

 private:
  struct Row {
    Image picture;
    int64_t character, font;
    uint32_t place;
  };
  std::string name_;
  std::vector<Row> rows_;
  int64_t left_out_ = 0;  // files
  Fnv contents_;
  Columns columns_;
};

const RegisterDataSource registered{{
    .name = "glyphs",
    .help = "glyphs, or glyphs:DIR: letters and digits of the fonts that are installed, or in a folder",
    .gives = {"image", "label", "font"},
    .accepts = [](const std::string& spec) { return spec == "glyphs" || spec.starts_with(prefix); },
    .open = [](const std::string& spec, const DataOptions& options, Subset subset) -> DataSetPtr {
      const std::string folder = spec == "glyphs" ? installed : spec.substr(prefix.size());
      return std::make_shared<Glyphs>(spec, folder, options, subset);
    },
    .map_paths = [](const std::string& spec,
                    const DataSource::OnPath& f) { return spec == "glyphs" ? spec : prefixed_path(spec, f); },
}};

}  // namespace
}  // namespace forger::gan
