// Emoji: what is drawn, how it is split, and what is said when a package is not there.
#include <cstdlib>
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

const char* noto = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";

bool installed() {
  for (const char* file : {noto, "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf",
                           "/usr/share/unicode/emoji/emoji-test.txt"}) {
    if (std::filesystem::exists(file)) continue;
    std::cout << "skipped: no " << file << "\n";
    return false;
  }
  return true;
}

std::set<double> captions(const DataSet& data) {
  std::set<double> all;
  for (const double name : read_rows(data, 0, data.count(), {"caption"})["caption"].to_vector()) all.insert(name);
  return all;
}

}  // namespace

TEST_CASE("emoji: pictures on white, in groups, with names; what is held out is never trained on") {
  if (!installed()) return;
  for (const char* spec : {"emoji", "emoji-pairs"}) {
    INFO(spec);
    const DataSetPtr train = open_data(spec, 32), held_out = open_data(spec, 32, Subset::test);
    CHECK(train->count() > 1000);
    CHECK(held_out->count() > 90);
    const std::set<double> a = captions(*train), b = captions(*held_out);
    CHECK(std::ssize(a) == train->count());  // each once
    for (const double name : b) CHECK_FALSE(a.contains(name));
    CHECK(train->classes() >= 8);
    CHECK(train->class_name(0) == "Smileys & Emotion");
    CHECK(train->hash() != held_out->hash());
    CHECK(train->hash() == open_data(spec, 16)->hash());  // of the data, not of their size
  }

  const DataSetPtr pairs = open_data("emoji-pairs", 64, Subset::test);
  CHECK(names_of(pairs->columns()) == "source, target, label and caption");
  const Column& caption = *find_column(pairs->columns(), "caption");
  bool found = false;
  for (int64_t i = 0; i < pairs->count() && !found; i++) {
    const Batch row = read_rows(*pairs, i, 1);
    if (caption.words[static_cast<size_t>(row["caption"].item())] != "red heart") continue;
    found = true;
    const auto at = [&](const char* column, int64_t y, int64_t x, int64_t c) {
      const Tensor& t = row[column];
      return t.to_vector()[static_cast<size_t>((y * 64 + x) * t.size(3) + c)];
    };
    CHECK(at("source", 28, 32, 0) == -1);  // black within, white around
    CHECK(at("source", 1, 1, 0) == 1);
    CHECK(at("target", 28, 32, 0) > 0.4);  // red within
    CHECK(at("target", 28, 32, 1) < -0.2);
    for (int64_t c = 0; c < 3; c++) CHECK(at("target", 1, 1, c) == 1);
  }
  CHECK(found);
}

TEST_CASE("emoji: of a shape that is asked for, all of it seen") {
  if (!installed()) return;
  DataOptions wide;
  wide.height = 32, wide.width = 64;
  const DataSetPtr data = open_data("emoji", wide);
  CHECK(data->sample() == Shape{32, 64, 3});
  const std::vector<double> row = read_rows(*data, 0, 1)["image"].to_vector();
  for (int64_t y = 0; y < 32; y++) CHECK(row[static_cast<size_t>(y * 64 * 3)] == 1);  // white beside it

  wide.fit = Fit::stretch;
  const std::vector<double> stretched = read_rows(*open_data("emoji", wide), 0, 1)["image"].to_vector();
  CHECK(stretched[static_cast<size_t>((16 * 64 + 4) * 3 + 2)] < 0.5);  // a face's yellow from side to side
  CHECK(row[static_cast<size_t>((16 * 64 + 4) * 3 + 2)] == 1);
}

TEST_CASE("emoji: characters that a font lacks, files that are none") {
  if (!installed()) return;
  Font font(noto);
  CHECK(font.colour(U'\U0001F600').has_value());
  CHECK_FALSE(font.colour(U'\u0416').has_value());
  CHECK_FALSE(font.outline(U'\U0001F600', 64).has_value());  // it has bitmaps alone
  const test::Scratch scratch;
  const std::string none = scratch.write("x.ttf", "no font at all");
  CHECK(error_of<DataError>([&] { Font broken(none); }) == "cannot read '" + none + "': it is no font");
}

TEST_CASE("emoji: a list that is broken, in a folder of one's own") {
  if (!installed()) return;
  const test::Scratch scratch;
  scratch.write("emoji-test.txt", "# group: none\n");
  setenv("FORGER_DATA", scratch.path().c_str(), 1);
  const std::string message = error_of<DataError>([&] { open_data("emoji"); });
  CHECK(message.find("it lists no emoji") != std::string::npos);
  for (const char* line : {"1F60X ; fully-qualified # x E1.0 face", "1F600 ; fully-qualified # x E1.0", "; ; x"}) {
    scratch.write("emoji-test.txt", std::string("# group: Faces\n# a remark\n") + line + "\n");
    const std::string broken = error_of<DataError>([&] { open_data("emoji"); });
    CAPTURE(line, broken);
    CHECK(broken.find(line[0] == ';' ? "it lists no emoji" : "line 3 is no emoji") != std::string::npos);
  }
  unsetenv("FORGER_DATA");
}
