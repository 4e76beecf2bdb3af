// Captions: sentences as columns, what they say of a picture, and the network that reads them.
#include <filesystem>
#include <iostream>
#include <set>

#include "core/autograd.h"
#include "gan/captions.h"
#include "gan/data.h"
#include "gan/networks/caption_encoder.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

const Column caption_column{
    "caption", {5}, DType::i64, {"", "a", "dark", "bright", "coat"}, {"a dark coat", "a bright coat"}};

// A picture of 12 x 12 whose `level` fills the box; -1 around it.
std::vector<float> box(int64_t top, int64_t bottom, int64_t left, int64_t right, float level) {
  std::vector<float> picture(144, -1.0F);
  for (int64_t row = top; row < bottom; row++)
    for (int64_t column = left; column < right; column++) picture[static_cast<size_t>(row * 12 + column)] = level;
  return picture;
}

// The spec of four pictures of 12 x 12: class 0 dark and wide, then bright and narrow; class 1 the other way round.
std::string four(const test::Scratch& scratch) {
  std::string images{'\0', '\0', 8, 3, 0, 0, 0, 4, 0, 0, 0, 12, 0, 0, 0, 12}, labels{'\0', '\0', 8, 1, 0, 0, 0, 4};
  for (const auto& picture :
       {box(4, 8, 1, 11, -0.2F), box(1, 11, 4, 8, 0.9F), box(4, 8, 1, 11, 0.9F), box(1, 11, 4, 8, -0.2F)})
    for (const float x : picture) images += static_cast<char>(std::lround((x + 1) * 127.5F));
  labels += std::string{0, 0, 1, 1};
  scratch.write("i.idx", images);
  scratch.write("l.idx", labels);
  return "idx:" + scratch.path() + "/i.idx," + scratch.path() + "/l.idx";
}

std::vector<std::string> captions_of(const DataSet& data, int64_t first, int64_t rows) {
  const Column& column = *find_column(data.columns(), "caption");
  const Tensor tokens = read_rows(data, first, rows, {"caption"})["caption"];
  const auto length = static_cast<size_t>(tokens.size(1));
  std::vector<std::string> all;
  for (int64_t i = 0; i < rows; i++)
    all.push_back(sentence_of(column, {tokens.data<int64_t>() + i * tokens.size(1), length}));
  return all;
}

std::string usage_error(const std::string& spec) {
  return error_of<UsageError>([&] { open_data(spec); });
}

Tensor tokens(const std::vector<int64_t>& values, int64_t rows) {
  return reshape(from_indices(values), {rows, std::ssize(values) / rows});
}

}  // namespace

TEST_CASE("captions: words, numbers and back") {
  CHECK(as_sentence(words_in("T-shirt/top")) == "t-shirt top");
  CHECK(as_sentence(words_in("  \"A\" (blood type) - caf\xc3\xa9: cat's ")) == "a blood type caf\xc3\xa9 cat's");
  const std::vector<int64_t> dark = tokens_of(caption_column, "A dark  Coat!");
  CHECK(dark == std::vector<int64_t>{1, 2, 4, 0, 0});
  CHECK(sentence_of(caption_column, dark) == "a dark coat");
  const auto error = [](const std::string& sentence) {
    return error_of<UsageError>([&] { tokens_of(caption_column, sentence); });
  };
  CHECK(error("a drak coat") ==
        "caption 'a drak coat': 'drak' is no word that was learnt (did you mean 'dark'?); a sentence is like 'a dark "
        "coat'");
  CHECK(error("...").starts_with("caption: there is no word in '...'"));
  CHECK(error("a a a a a a").find("has 6 words, and sentences here have at most 5") != std::string::npos);

  const Columns again = read_columns(written({caption_column}));
  CHECK(again.front().sample == caption_column.sample);
  CHECK(again.front().words == caption_column.words);
  CHECK(again.front().sentences == caption_column.sentences);
  const std::vector<std::string> classes{"Shirt", "T-shirt/top", "Ankle boot"};
  CHECK(class_in("a dark wide t-shirt top with short sleeves", classes) == 1);
  CHECK(class_in("a dark shirt", classes) == 0);
  CHECK(class_in("a boot", classes) == -1);
}

TEST_CASE("captions: looks are measured") {
  const Shape grey{12, 12, 1};
  const auto looks = [&](const std::vector<float>& picture) { return looks_of(picture.data(), grey); };
  CHECK(looks(box(0, 0, 0, 0, 0)) == Looks{});
  CHECK(looks(box(4, 8, 1, 11, 0.9F))[tone]);
  CHECK_FALSE(looks(box(4, 8, 1, 11, 0.2F))[tone]);
  CHECK(looks(box(4, 8, 1, 11, 0.9F))[shape]);
  CHECK_FALSE(looks(box(1, 11, 4, 8, 0.9F))[shape]);
  // A body with sleeves on both sides of it, to a third of its height or all the way down.
  for (const bool lengthy : {false, true}) {
    std::vector<float> garment = box(1, 11, 4, 8, 0.5F);
    for (int64_t row = 1; row < (lengthy ? 10 : 4); row++)
      for (const int64_t column : {1, 2, 9, 10}) garment[static_cast<size_t>(row * 12 + column)] = 0.5F;
    CHECK(looks(garment)[sleeves] == lengthy);
  }
  // On white, in colour: the luma decides, and black is as far from it as white from black.
  std::vector<float> coloured;
  for (const float x : box(4, 8, 1, 11, 0))
    coloured.insert(coloured.end(), {x < 0 ? 1.0F : -1.0F, 1.0F, x < 0 ? 1.0F : -1.0F});
  const Looks green = looks_of(coloured.data(), {12, 12, 3});
  CHECK_FALSE(green[tone]);  // 0.174
  CHECK(green[shape]);

  const std::vector<float> bright = box(1, 5, 1, 5, 0.9F), dark = box(1, 5, 1, 5, 0);
  const Tensor pictures({2, 12, 12, 1}, DType::f32);
  std::ranges::copy(bright, pictures.data<float>());
  std::ranges::copy(dark, pictures.data<float>() + 144);
  const Tensor right = tokens({1, 3, 4, 0, 0, 1, 2, 4, 0, 0}, 2), half = tokens({3, 0, 0, 0, 0, 3, 0, 0, 0, 0}, 2);
  CHECK(agreement(caption_column, tone, right, pictures) == 1);
  CHECK(agreement(caption_column, tone, right, pictures, 1) == 0);
  CHECK(agreement(caption_column, tone, half, pictures) == 0.5);
  CHECK(agreement(caption_column, tone, tokens({3, 0, 0, 0, 0, 4, 0, 0, 0, 0}, 2), pictures) == 1);  // of one
  CHECK(speaks_of(caption_column, tone));
  CHECK_FALSE(speaks_of(caption_column, sleeves));
}

TEST_CASE("captions: of a set with classes, a function of class and picture alone") {
  const test::Scratch scratch;
  const std::string set = four(scratch);
  const DataSetPtr data = open_data("captions:" + set), plain = open_data(set);
  CHECK(names_of(data->columns()) == "image, label and caption");
  const Column& caption = *find_column(data->columns(), "caption");
  CHECK(caption.sample == Shape{4});
  CHECK(caption.words.size() == 8);  // "", a, two and two, 0, 1: no sleeves
  CHECK(caption.sentences.size() == 4);
  const std::vector<std::string> said = captions_of(*data, 0, 4);
  CHECK(said == std::vector<std::string>{"a dark wide 0", "a bright narrow 0", "a bright wide 1", "a dark narrow 1"});
  CHECK(captions_of(*open_data("captions:only:" + set + "/1"), 0, 2) == std::vector<std::string>{said[2], said[3]});
  const Batch rows = read_rows(*data, 0, 4), images = read_rows(*plain, 0, 4);
  CHECK(rows["image"].to_vector() == images["image"].to_vector());
  CHECK(rows["label"].to_vector() == images["label"].to_vector());
  CHECK(rows["caption"].dtype() == DType::i64);
  CHECK(data->label(2) == 1);
  CHECK(data->hash() != plain->hash());
  CHECK(data->hash() == open_data("captions:" + set)->hash());

  Loader loader(data, 4, 1);
  const Batch batch = cast(to(loader.next(), Device::cpu), DType::f64);
  CHECK(batch["caption"].shape() == Shape{4, 4});
  CHECK(batch["caption"].dtype() == DType::i64);
  std::set<std::string> seen;
  for (int64_t i = 0; i < 4; i++) {
    const Batch row = rows_of(batch, i, i + 1);
    seen.insert(sentence_of(caption, {row["caption"].data<int64_t>(), 4}));
  }
  CHECK(seen == std::set<std::string>(said.begin(), said.end()));

  CHECK(usage_error("captions:ring8").find("and captions are of images") != std::string::npos);
  CHECK(usage_error("captions:negative:" + set).find("and captions are of images") != std::string::npos);
  CHECK(usage_error("captions:captions:" + set).find("has captions already") != std::string::npos);
  CHECK(usage_error("captions:idx:" + scratch.path() + "/i.idx").find("made from a picture's class or name") !=
        std::string::npos);
  CHECK(map_paths("captions:folder:a", [](const std::string& path) { return "/x/" + path; }) == "captions:folder:/x/a");
}

TEST_CASE("captions: of Fashion-MNIST say what is there", "[fashion-mnist]") {
  const DataSetPtr data = open_data("captions:fashion-mnist", 32, Subset::test);
  const Column& caption = *find_column(data->columns(), "caption");
  CHECK(caption.sample == Shape{8});  // a dark wide t-shirt top with short sleeves
  constexpr int64_t rows = 1000;
  const std::vector<std::string> said = captions_of(*data, 0, rows);
  double dark = 0, wide = 0, pullovers = 0, long_ones = 0, shirts = 0, short_ones = 0;
  for (int64_t i = 0; i < rows; i++) {
    const std::string& sentence = said[static_cast<size_t>(i)];
    CHECK(class_in(sentence, find_column(data->columns(), "label")->words) == data->label(i));
    const auto has = [&](const char* word) { return sentence.find(word) != sentence.npos; };
    dark += has("dark");
    wide += has("wide");
    CHECK(has("sleeves") == (has("top") || has("shirt") || has("pullover") || has("coat")));
    if (has("pullover")) pullovers++, long_ones += has("long");
    if (has("t-shirt")) shirts++, short_ones += has("short");
  }
  CHECK(dark / rows > 0.35);
  CHECK(dark / rows < 0.65);
  CHECK(wide / rows > 0.35);
  CHECK(wide / rows < 0.65);
  CHECK(long_ones / pullovers > 0.95);
  CHECK(short_ones / shirts > 0.7);
}

TEST_CASE("captions: of emoji are their names, cut off") {
  for (const char* file :
       {"/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", "/usr/share/unicode/emoji/emoji-test.txt"}) {
    if (std::filesystem::exists(file)) continue;
    std::cout << "skipped: no " << file << "\n";
    return;
  }
  const DataSetPtr data = open_data("captions:emoji", 32, Subset::test), names = open_data("emoji", 32, Subset::test);
  CHECK(names_of(data->columns()) == "image, label and caption");
  const Column &caption = *find_column(data->columns(), "caption"), &whole = *find_column(names->columns(), "caption");
  CHECK(caption.sample == Shape{8});
  CHECK_FALSE(speaks_of(caption, tone));
  const std::vector<std::string> said = captions_of(*data, 0, 50);
  const std::vector<double> numbers = read_rows(*names, 0, 50, {"caption"})["caption"].to_vector();
  for (size_t i = 0; i < said.size(); i++) {
    const std::vector<std::string> name = words_in(whole.words[static_cast<size_t>(numbers[i])]);
    CHECK(said[i] == as_sentence({name.begin(), name.begin() + std::min<int64_t>(8, std::ssize(name))}));
  }
}

TEST_CASE("a caption's code is of its words, in their order, and of no padding") {
  Random random(1);
  CaptionEncoder encoder(6, 3, 4, random);
  const std::vector<double> code = encoder(tokens({1, 2, 3, 0}, 1)).to_vector();
  CHECK(encoder(tokens({1, 2, 3}, 1)).to_vector() == code);
  CHECK(encoder(tokens({0, 1, 0, 2, 3, 0, 0}, 1)).to_vector() == code);
  CHECK(encoder(tokens({2, 1, 3, 0}, 1)).to_vector() != code);
  CHECK(encoder(tokens({1, 2, 3, 4}, 1)).to_vector() != code);
  CHECK(encoder(tokens({0, 0}, 1)).to_vector() == std::vector<double>(4, 0));
  CHECK(slice(encoder(tokens({5, 5, 5, 5, 1, 2, 3, 0}, 2)), 0, 1, 2).to_vector() == code);  // whatever stands beside it

  const Tensor words = encoder.parameters().front().tensor;
  REQUIRE(words.shape() == Shape{6, 3});
  backward(sum(encoder(tokens({1, 0, 2, 0}, 1))));
  const std::vector<double> slope = words.grad().to_vector();
  for (size_t i = 0; i < slope.size(); i++) CHECK((slope[i] != 0) == (i / 3 == 1 || i / 3 == 2));
}
