// Glyphs: what is drawn of which fonts, how it is split, and what is said where there are none.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include "gan/data.h"
#include "gan/data/font.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

namespace fs = std::filesystem;

const std::string dejavu = "/usr/share/fonts/truetype/dejavu";

bool installed() {
  for (const char* file : {"DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf"}) {
    if (fs::exists(dejavu + "/" + file)) continue;
    std::cout << "skipped: no " << file << " in " << dejavu << "\n";
    return false;
  }
  return true;
}

// A folder with these fonts, and files that are none.
std::string folder_with(const test::Scratch& scratch, std::initializer_list<const char*> fonts) {
  const fs::path folder = fs::path(scratch.path()) / "fonts";
  fs::create_directories(folder / "below");
  for (const char* font : fonts) fs::create_symlink(dejavu + "/" + font, folder / "below" / font);
  scratch.write("fonts/broken.ttf", "no font at all");
  scratch.write("fonts/read-me.txt", "nor this");
  return folder;
}

// Label and font of every row.
std::set<std::pair<double, double>> pairs_in(const DataSet& data) {
  const Batch rows = read_rows(data, 0, data.count(), {"label", "font"});
  const std::vector<double> labels = rows["label"].to_vector(), fonts = rows["font"].to_vector();
  std::set<std::pair<double, double>> pairs;
  for (size_t i = 0; i < labels.size(); i++) pairs.insert({labels[i], fonts[i]});
  return pairs;
}

// Of a picture (H, W): its darkness, the first and the last row with ink.
struct Ink {
  double sum = 0;
  int64_t top = -1, bottom = -1;
};
Ink ink_of(const Tensor& images, int64_t row) {
  const int64_t height = images.size(1), width = images.size(2);
  const std::vector<double> pixels = slice(images, 0, row, row + 1).to_vector();
  Ink ink;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++) {
      const double dark = (1 - pixels[static_cast<size_t>(y * width + x)]) / 2;
      ink.sum += dark;
      if (dark < 0.5) continue;
      if (ink.top < 0) ink.top = y;
      ink.bottom = y;
    }
  return ink;
}

}  // namespace

TEST_CASE("glyphs: every character of every font once, in training or held out") {
  if (!installed()) return;
  const test::Scratch scratch;
  const std::string spec =
      "glyphs:" + folder_with(scratch, {"DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf"});
  const DataSetPtr train = open_data(spec), held_out = open_data(spec, {}, Subset::test);
  CHECK(names_of(train->columns()) == "image, label and font");
  CHECK(train->sample() == Shape{32, 32, 1});
  CHECK(train->count() + held_out->count() == 3 * 62);
  CHECK(held_out->count() >= 8);
  CHECK(held_out->count() <= 32);
  CHECK(find_column(train->columns(), "font")->words ==
        std::vector<std::string>{"DejaVu Sans Bold", "DejaVu Sans", "DejaVu Serif"});
  CHECK(train->class_name(0) == "0");
  CHECK(train->class_name(61) == "z");
  CHECK_NOTHROW(require_same_words(*train, *held_out, {"label", "font"}));
  CHECK(train->about().find("in 3 fonts; left out: 1 ") != std::string::npos);
  CHECK(train->hash() != held_out->hash());
  std::set<std::pair<double, double>> pairs = pairs_in(*train);
  pairs.merge(pairs_in(*held_out));
  CHECK(pairs.size() == 3 * 62);

  // Another font moves no pair from one subset to the other.
  fs::create_symlink(dejavu + "/DejaVuSans.ttf", fs::path(scratch.path()) / "fonts/below/z-again.ttf");
  CHECK(open_data(spec)->hash() == train->hash());  // of a name that is there
  fs::remove(fs::path(scratch.path()) / "fonts/below/DejaVuSerif.ttf");
  const DataSetPtr fewer = open_data(spec, {}, Subset::test);
  CHECK(fewer->count() < held_out->count());
  for (const auto& [label, font] : pairs_in(*fewer)) CHECK(pairs_in(*held_out).contains({label, font}));
}

TEST_CASE("glyphs: one size and one baseline for all characters of a font") {
  if (!installed()) return;
  Font font(dejavu + "/DejaVuSans.ttf");
  CHECK(font.name() == "DejaVu Sans");
  const std::u32string_view characters = U"xXpHl";
  const auto pictures = font.letters(characters, 64, 48);
  REQUIRE(pictures.has_value());
  std::vector<Tensor> each;
  for (const Image& picture : *pictures) {
    CHECK(picture.height == 64);
    CHECK(picture.width == 48);
    Tensor sample({1, 64, 48, 1}, DType::f32);
    to_sample(picture, sample.data<float>());
    each.push_back(sample);
  }
  std::vector<Ink> inks;
  for (const Tensor& picture : each) inks.push_back(ink_of(picture, 0));
  const auto& [x, X, p, H, l] = std::tie(inks[0], inks[1], inks[2], inks[3], inks[4]);
  CHECK(std::abs(x.bottom - H.bottom) <= 1);  // they stand on the line
  CHECK(std::abs(X.bottom - H.bottom) <= 1);
  CHECK(p.bottom > x.bottom + 5);  // below it
  CHECK(std::abs(p.top - x.top) <= 1);
  CHECK(X.top < x.top - 5);  // x is no small X
  CHECK(l.top <= H.top);
  CHECK(l.top >= 3);  // within the margin
  CHECK(p.bottom < 61);
  CHECK(H.sum > l.sum);
  CHECK_FALSE(font.letters(U"a\u4e00", 64, 64).has_value());  // it has no such sign
  CHECK_FALSE(font.letters(U"a ", 64, 64).has_value());       // nothing is inked
  CHECK_FALSE(font.letters(U"Wg", 1, 1).has_value());
}

TEST_CASE("glyphs: of the size that is asked for; no fonts, no data") {
  const test::Scratch scratch;
  fs::create_directories(scratch.path() + "/none");
  const std::string none = scratch.path() + "/none";
  CHECK(error_of<DataError>([&] { open_data("glyphs:" + none); }) ==
        "glyphs:" + none + ": no font with letters and digits in " + none);
  CHECK(map_paths("glyphs:a", [](const std::string& path) { return "/x/" + path; }) == "glyphs:/x/a");
  CHECK(map_paths("glyphs", [](const std::string& path) { return "/x/" + path; }) == "glyphs");
  if (!installed()) {
    const std::string message = error_of<DataError>([] { open_data("glyphs"); });
    CHECK((message.empty() || message.find("apt-get install fonts-dejavu-core") != std::string::npos));
    return;
  }
  DataOptions wide;
  wide.height = 16, wide.width = 24;
  const DataSetPtr data = open_data("glyphs", wide);
  CHECK(data->sample() == Shape{16, 24, 1});
  const Batch rows = read_rows(*data, 0, data->count(), {"image"});
  for (int64_t i = 0; i < data->count(); i++) CHECK(ink_of(rows["image"], i).sum > 1);
}
