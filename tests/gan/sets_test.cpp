// Sets that are made of others: some of their classes, one of their columns, two side by side.
#include <algorithm>
#include <filesystem>
#include <set>

#include "gan/data/images.h"
#include "gan/data/transforms.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

std::string idx(const std::vector<uint32_t>& sizes, const std::string& elements) {
  std::string bytes{'\0', '\0', 8, static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes + elements;
}

// The spec of `count` grey pictures of 4x4, all pixels of number i being i, of class i % 3.
std::string numbered(const test::Scratch& scratch, int count, const std::string& name = "n") {
  std::string pixels, labels;
  for (int i = 0; i < count; i++) pixels += std::string(16, static_cast<char>(i)), labels += static_cast<char>(i % 3);
  const auto n = static_cast<uint32_t>(count);
  scratch.write(name + ".idx", idx({n, 4, 4}, pixels));
  scratch.write(name + "-labels.idx", idx({n}, labels));
  return "idx:" + scratch.path() + "/" + name + ".idx," + scratch.path() + "/" + name + "-labels.idx";
}

// The number of a picture of numbered(), or of its negative.
int64_t number_of(const Tensor& images, int64_t row, bool negative = false) {
  const double value = slice(images, 0, row, row + 1).to_vector().front();
  return std::llround(((negative ? -value : value) + 1) * 127.5);
}

std::vector<int64_t> numbers_of(const Tensor& images, bool negative = false) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < images.size(0); i++) numbers.push_back(number_of(images, i, negative));
  return numbers;
}

std::string usage_error(const std::string& spec) {
  return error_of<UsageError>([&] { open_data(spec); });
}

}  // namespace

TEST_CASE("sets: only some classes of one, numbered anew") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 12);
  const DataSetPtr all = open_data(set), two = open_data("only:" + set + "/2,0");
  CHECK(two->count() == 8);
  REQUIRE(two->classes() == 2);
  CHECK(two->class_name(0) == "0");
  CHECK(two->class_name(1) == "2");
  const Batch rows = read_rows(*two, 0, 8);
  CHECK(numbers_of(rows["image"]) == std::vector<int64_t>{0, 2, 3, 5, 6, 8, 9, 11});
  CHECK(rows["label"].to_vector() == std::vector<double>{0, 1, 0, 1, 0, 1, 0, 1});
  CHECK(two->hash() != all->hash());
  CHECK(two->hash() != open_data("only:" + set + "/0,1")->hash());

  CHECK(usage_error("only:" + set + "/3").find("there is no class '3'; there are: 0, 1, 2") != std::string::npos);
  CHECK(usage_error("only:" + set + "/1,1").find("a class is named twice") != std::string::npos);
  CHECK(usage_error("only:negative:" + set + "/0").empty());  // pairs have classes, too
  CHECK(usage_error("only:unpaired:negative:" + set + "/0").find("and no classes") != std::string::npos);
  CHECK(usage_error("only:fashion-mnist").find("names no classes") != std::string::npos);
  CHECK(usage_error("only:/x").find("names no classes") != std::string::npos);
  CHECK(map_paths("only:folder:a/b/cats", [](const std::string& path) { return "/x/" + path; }) ==
        "only:folder:/x/a/b/cats");
}

TEST_CASE("sets: few labels, and all pictures without theirs") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 12), spec = "few-labels:6:" + set;
  const DataSetPtr data = open_data(spec);
  CHECK(names_of(data->columns()) == "a.image, a.label and b.image");
  const std::vector<Domain> domains = data->domains();
  REQUIRE(domains.size() == 2);
  CHECK(domains[0].data->count() == 6);
  const Batch known = read_rows(*domains[0].data, 0, 6);
  CHECK(numbers_of(known["image"]) == std::vector<int64_t>{0, 1, 2, 3, 4, 5});  // the first two of each class
  CHECK(known["label"].to_vector() == std::vector<double>{0, 1, 2, 0, 1, 2});
  CHECK(domains[1].data->count() == 12);
  CHECK(numbers_of(read_rows(*domains[1].data, 0, 12)["image"])[11] == 11);
  CHECK(data->hash() != open_data("few-labels:3:" + set)->hash());
  const DataSetPtr held_out = open_data(spec, {}, Subset::test);
  CHECK(names_of(held_out->columns()) == "a.image, a.label, b.image and b.label");
  const Batch row = read_rows(*held_out, 4, 1);
  CHECK(row["a.image"].to_vector() == row["b.image"].to_vector());
  CHECK(row["b.label"].item() == 1);

  CHECK(usage_error("few-labels:4:" + set).find("take a multiple of 3") != std::string::npos);
  CHECK(usage_error("few-labels:15:" + set).find("has but 4 rows of 0, not 5") != std::string::npos);
  for (const char* wrong : {"few-labels:x:ring8", "few-labels:0:ring8", "few-labels:10", "few-labels:10:"})
    CHECK(usage_error(wrong).find("as few-labels:100:fashion-mnist") != std::string::npos);
  CHECK(usage_error("few-labels:8:ring8").find("images with classes") != std::string::npos);
  CHECK(map_paths("few-labels:10:folder:a", [](const std::string& path) { return "/x/" + path; }) ==
        "few-labels:10:folder:/x/a");
}

TEST_CASE("sets: words of Fashion-MNIST can be typed without quotes", "[fashion-mnist]") {
  const DataSetPtr some = open_data("only:fashion-mnist/tshirttop,Ankle-boot", 0, Subset::test);
  CHECK(some->count() == 2000);
  CHECK(some->class_name(0) == "T-shirt/top");
  CHECK(some->class_name(1) == "Ankle boot");
}

TEST_CASE("sets: the images of one column") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 6);
  const DataSetPtr pairs = open_data("negative:" + set);
  for (const char* column : {"source", "target"}) {
    const DataSetPtr images = images_of(pairs, column);
    REQUIRE(images->columns().size() == 2);
    CHECK(names_of(images->columns()) == "image and label");
    const Batch rows = read_rows(*images, 0, 6);
    CHECK(numbers_of(rows["image"], column == std::string("source")) == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
    CHECK(rows["label"].to_vector() == std::vector<double>{0, 1, 2, 0, 1, 2});
  }
  CHECK(images_of(pairs, "source")->hash() != images_of(pairs, "target")->hash());
  const DataSetPtr whole = open_data(set);
  CHECK(images_of(whole, "image") == whole);
  CHECK(error_of<UsageError>([&] { images_of(pairs, "image"); }).find("it has source, target and label") !=
        std::string::npos);
  const DataSetPtr unpaired = open_data("unpaired:negative:" + set);
  CHECK(images_of(unpaired, "b.image")->count() == 3);
}

TEST_CASE("sets: two halves of pairs, which share no row, and the truth on rows that are held out") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 101);
  const DataSetPtr train = open_data("unpaired:negative:" + set);
  const std::vector<Domain> domains = train->domains();
  REQUIRE(domains.size() == 2);
  CHECK(names_of(train->columns()) == "a.image, a.label, b.image and b.label");
  CHECK(domains[0].data->count() == 51);
  CHECK(domains[1].data->count() == 50);
  CHECK(train->count() == 50);
  std::multiset<int64_t> seen;
  for (const int64_t n : numbers_of(read_rows(*domains[0].data, 0, 51)["image"], true)) seen.insert(n);
  for (const int64_t n : numbers_of(read_rows(*domains[1].data, 0, 50)["image"])) seen.insert(n);
  CHECK(seen.size() == 101);
  CHECK(std::set<int64_t>(seen.begin(), seen.end()).size() == 101);  // each once

  const DataSetPtr held_out = open_data("unpaired:negative:" + set, {}, Subset::test);
  CHECK(names_of(held_out->columns()) == "a.image, a.label, a.truth, b.image, b.label and b.truth");
  CHECK(held_out->domains().empty());
  const Batch rows = read_rows(*held_out, 0, 20);
  for (int64_t i = 0; i < 20; i++) {
    CHECK(number_of(rows["a.image"], i, true) == i);
    CHECK(number_of(rows["a.truth"], i) == i);
    CHECK(number_of(rows["b.image"], i) == i);
    CHECK(number_of(rows["b.truth"], i, true) == i);
  }
  CHECK(rows["a.label"].to_vector() == rows["b.label"].to_vector());
  const Batch some = read_rows(*held_out, 3, 2, {"b.truth", "a.label"});  // any columns, and no others
  CHECK(some.tensors.size() == 2);
  CHECK(number_of(some["b.truth"], 0, true) == 3);
  CHECK(some["a.label"].to_vector() == std::vector<double>{0, 1});
}

TEST_CASE("sets: one set as several domains, each row in one of them, and the truth on rows that are held out") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 100), spec = "domains:plain,negative,red:" + set;
  const DataSetPtr train = open_data(spec);
  CHECK(names_of(train->columns()) == "image, label and class");
  CHECK(train->sample() == Shape{4, 4, 3});  // grey ones, too, where one is coloured
  CHECK(open_data("domains:plain,negative:" + set)->sample() == Shape{4, 4, 1});
  CHECK(train->class_name(2) == "red");
  const Batch rows = read_rows(*train, 0, 100);
  std::vector<int64_t> counts(3);
  for (int64_t i = 0; i < 100; i++) {
    const auto label = static_cast<int64_t>(rows["label"].to_vector()[static_cast<size_t>(i)]);
    counts[static_cast<size_t>(label)]++;
    CHECK(number_of(rows["image"], i, label == 1) == i);
  }
  CHECK(counts == std::vector<int64_t>{34, 33, 33});
  CHECK(rows["class"].to_vector()[7] == 7 % 3);  // what it is of, whichever domain it is in
  CHECK(read_rows(*train, 5, 1, {"class"})["class"].item() == 5 % 3);
  CHECK(open_data("domains:plain,negative,blue:" + set)->hash() != train->hash());

  const DataSetPtr held_out = open_data(spec, {}, Subset::test);
  CHECK(names_of(held_out->columns()) == "image, label, truth.plain, truth.negative, truth.red and class");
  const Batch known = read_rows(*held_out, 0, 20);
  for (int64_t i = 0; i < 20; i++) {
    CHECK(number_of(known["truth.plain"], i) == i);
    CHECK(number_of(known["truth.negative"], i, true) == i);
    const std::vector<double> red = slice(known["truth.red"], 0, i, i + 1).to_vector();
    CHECK(std::llround((red[0] + 1) * 127.5) == i);
    CHECK(red[1] + 1 == Approx(0.25 * (red[0] + 1)).margin(1e-6));
    CHECK(red[2] == red[1]);
    CHECK(known["class"].to_vector()[static_cast<size_t>(i)] == static_cast<double>(i % 3));
  }
  CHECK(read_rows(*held_out, 3, 2, {"truth.red"}).tensors.size() == 1);

  CHECK(error_of<UsageError>([&] { open_data("domains:plain,pink:" + set); }).find("the domain 'pink' is not known") !=
        std::string::npos);
  CHECK(error_of<UsageError>([&] { open_data("domains:plain,plain:" + set); }).find("named twice") !=
        std::string::npos);
  CHECK(error_of<UsageError>([&] { open_data("domains:plain:" + set); }).find("at least two") != std::string::npos);
  CHECK(error_of<UsageError>([&] { open_data("domains:plain,red:ring8"); }).find("made from images") !=
        std::string::npos);
  CHECK(usage_error("domains:plain,red").find("as in domains:plain,negative,red:fashion-mnist") != std::string::npos);
  CHECK(paths_in(spec) == paths_in(set));
}

TEST_CASE("sets: the classes of a set as domains, drawn apart") {
  const test::Scratch scratch;
  const std::string set = numbered(scratch, 30);
  const DataSetPtr apart = open_data("unpaired:" + set);
  REQUIRE(apart->domains().size() == 3);
  CHECK(apart->domains()[2].name == "c");
  CHECK(numbers_of(read_rows(*apart->domains()[1].data, 0, 3)["image"]) == std::vector<int64_t>{1, 4, 7});
  CHECK(read_rows(*apart, 0, 4)["c.label"].to_vector() == std::vector<double>(4, 2));
  CHECK(images_of(apart, "c.image")->count() == 10);

  const std::string three = "unpaired:domains:plain,negative,blur:" + set;
  CHECK(open_data(three)->domains().size() == 3);
  CHECK(names_of(open_data(three, {}, Subset::test)->columns()) ==
        "a.image, truth.a, b.image, truth.b, c.image and truth.c");
  const DataSetPtr two = open_data("unpaired:domains:negative,plain:" + set, {}, Subset::test);
  CHECK(names_of(two->columns()) == "a.image, truth.a, a.truth, b.image, truth.b and b.truth");
  const Batch rows = read_rows(*two, 5, 1);
  CHECK(number_of(rows["a.image"], 0, true) == 5);
  CHECK(number_of(rows["a.truth"], 0) == 5);
  CHECK(number_of(rows["b.image"], 0) == 5);
  CHECK(number_of(rows["b.truth"], 0, true) == 5);
  CHECK(paths_in(three) == paths_in(set));
}

TEST_CASE("sets: held-out rows that count other words are refused") {
  const DataSetPtr ring = open_data("ring8"), grid = open_data("grid25");
  require_same_words(*ring, *open_data("ring8", {}, Subset::test), {"point", "label"});
  require_same_words(*ring, *grid, {"point", "image"});
  CHECK(error_of<DataError>([&] { require_same_words(*ring, *grid, {"label"}); }) ==
        "the label of the held-out rows of ring8 knows other words than that of the training rows, such as '8': both "
        "need the same classes");
}

TEST_CASE("sets: two sets side by side, their orders independent, both resumed by one cursor") {
  const test::Scratch scratch;
  const std::string a = numbered(scratch, 40, "a"), b = numbered(scratch, 40, "b");
  const DataSetPtr data = open_data("unpaired:" + a + ":" + b);
  const auto draw = [&](uint64_t drawn, int batches) {
    Loader loader(data, 8, 1, drawn);
    std::pair<std::vector<int64_t>, std::vector<int64_t>> orders;
    for (int i = 0; i < batches; i++) {
      const Batch batch = loader.next();
      for (const int64_t n : numbers_of(batch["a.image"])) orders.first.push_back(n);
      for (const int64_t n : numbers_of(batch["b.image"])) orders.second.push_back(n);
    }
    return orders;
  };
  const auto [first, second] = draw(0, 10);
  CHECK(first != second);
  int64_t together = 0;
  for (size_t i = 0; i < 80; i++) together += first[i] == second[i];
  CHECK(together < 12);  // 2 are expected of chance
  for (const auto& order : {first, second})
    CHECK(std::set<int64_t>(order.begin(), order.begin() + 40).size() == 40);  // each has epochs of its own
  const auto [late_a, late_b] = draw(8 * 6, 4);
  CHECK(std::equal(late_a.begin(), late_a.end(), first.begin() + 48));
  CHECK(std::equal(late_b.begin(), late_b.end(), second.begin() + 48));
  numbered(scratch, 39, "b");  // one of the two changes
  CHECK(open_data("unpaired:" + a + ":" + b)->hash() != data->hash());
}

TEST_CASE("sets: where one spec ends and the next begins") {
  const test::Scratch scratch;
  scratch.write("x/one.png", "");
  scratch.write("y/one.png", "");
  const std::string x = scratch.path() + "/x", y = scratch.path() + "/y";
  for (const auto& [a, b] : {std::pair("folder:" + x, "folder:" + y),
                             {x, y},
                             {"folder-gray:" + x, y},
                             {"only:folder:" + x + "/cats", "fashion-mnist"},
                             {"ring8", "ring8"}}) {
    std::vector<std::string> paths;
    map_paths("unpaired:" + a + ":" + b, [&](const std::string& path) {
      paths.push_back(path);
      return path;
    });
    std::vector<std::string> expected = paths_in(a);
    for (const std::string& path : paths_in(b)) expected.push_back(path);
    CHECK(paths == expected);
  }
  CHECK(usage_error("unpaired:ring8:ring8").find("a domain is made of images") != std::string::npos);
  CHECK(usage_error("unpaired:ring8").find("unpaired:SET:SET") != std::string::npos);
  CHECK(usage_error("unpaired:negatve:fashion-mnist").find("neither a folder nor a data set") != std::string::npos);
  CHECK(usage_error("swap:" + numbered(scratch, 3)).find("only pairs can be swapped") != std::string::npos);
}

namespace {

// A picture whose left half is of one level and whose right half is of another.
void write_halves(const std::string& path, int64_t height, int64_t width, int left, int right) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  Image image{height, width, 3, {}};
  for (int64_t i = 0; i < height * width; i++)
    image.pixels.insert(image.pixels.end(), 3, static_cast<uint8_t>(i % width < width / 2 ? left : right));
  write_png(path, image);
}

std::string data_error(const std::string& spec, const DataOptions& options = {}) {
  return error_of<DataError>([&] { open_data(spec, options); });
}

}  // namespace

TEST_CASE("sets: pairs of pictures side by side") {
  const test::Scratch scratch;
  const std::string folder = scratch.path() + "/facades";
  for (int i = 0; i < 3; i++) write_halves(folder + "/train/" + std::to_string(i) + ".png", 8, 16, 10 * i, 10 * i + 5);
  write_halves(folder + "/val/9.png", 8, 16, 90, 95);
  const DataSetPtr pairs = open_data("pairs:" + folder, 4);
  CHECK(pairs->count() == 3);
  CHECK(names_of(pairs->columns()) == "source and target");
  CHECK(pairs->columns()[1].sample == Shape{4, 4, 3});
  const Batch rows = read_rows(*pairs, 0, 3);
  for (int64_t i = 0; i < 3; i++) {
    for (const double x : slice(rows["source"], 0, i, i + 1).to_vector())
      CHECK(std::llround((x + 1) * 127.5) == 10 * i);  // nothing of the other half
    for (const double x : slice(rows["target"], 0, i, i + 1).to_vector())
      CHECK(std::llround((x + 1) * 127.5) == 10 * i + 5);
  }
  CHECK(open_data("pairs:" + folder, {}, Subset::test)->count() == 1);
  CHECK(open_data("pairs:" + folder)->columns()[0].sample == Shape{8, 8, 3});  // as they are
  const Batch swapped = read_rows(*open_data("swap:pairs:" + folder, 4), 0, 1);
  CHECK(number_of(swapped["source"], 0) == 5);
  CHECK(data_error("pairs:" + scratch.path() + "/nowhere").find("no folder") != std::string::npos);
}

TEST_CASE("sets: pairs of pictures in two folders, by their names") {
  const test::Scratch scratch;
  const std::string a = scratch.path() + "/a", b = scratch.path() + "/b", spec = "pairs:" + a + ":" + b;
  for (int i = 0; i < 3; i++) {
    write_halves(a + "/deeper/" + std::to_string(i) + ".png", 8, 8, i, i);
    write_halves(b + "/deeper/" + std::to_string(i) + ".png", 16, 16, 100 + i, 100 + i);
  }
  std::filesystem::rename(b + "/deeper/1.png", b + "/deeper/1.PNG");
  const DataSetPtr pairs = open_data(spec, 8);
  REQUIRE(pairs->count() == 3);
  const Batch rows = read_rows(*pairs, 0, 3);
  CHECK(numbers_of(rows["source"]) == std::vector<int64_t>{0, 1, 2});
  CHECK(numbers_of(rows["target"]) == std::vector<int64_t>{100, 101, 102});
  CHECK(open_data(spec)->columns()[1].sample == Shape{8, 8, 3});  // targets as the sources are
  CHECK(paths_in(spec) == std::vector<std::string>{a, b});

  scratch.write("b/deeper/2.png", "broken");
  DataOptions checked(8);
  checked.check = true;
  CHECK(data_error(spec, checked).find("1 of 3 pictures") == 0);
  checked.skip_broken = true;
  CHECK(open_data(spec, checked)->count() == 2);
  DataOptions again(8);
  again.leave_out = {"deeper/2.png"};
  CHECK(open_data(spec, again)->count() == 2);

  write_halves(a + "/deeper/lonely.png", 8, 8, 0, 0);
  const std::string alone = data_error(spec, DataOptions(8));
  CHECK(alone.find("1 of 4 pictures in '" + a + "' have no partner") != std::string::npos);
  CHECK(alone.find("deeper/lonely.png") != std::string::npos);
  std::filesystem::rename(a + "/deeper/lonely.png", b + "/deeper/other.png");
  CHECK(data_error(spec, DataOptions(8)).find("deeper/other.png") != std::string::npos);
  std::filesystem::remove(b + "/deeper/other.png");
  write_halves(a + "/deeper/0.jpg", 8, 8, 0, 0);
  CHECK(data_error(spec, DataOptions(8)).find("two pictures called deeper/0") != std::string::npos);
  CHECK(
      data_error("pairs:" + a + ":" + scratch.path() + "/nowhere").find("no folder '" + scratch.path() + "/nowhere'") !=
      std::string::npos);
}

TEST_CASE("sets: what transforms do") {
  Picture image(2, 2, 1);
  image.values = {0.0f, 0.25f, 0.5f, 1.0f};
  CHECK(turned(image).values == std::vector<float>{0.25f, 1.0f, 0.0f, 0.5f});
  CHECK(turned(turned(turned(turned(image)))).values == image.values);
  Picture white(1, 1, 1), black(1, 1, 1);
  white.values = {1.0f}, black.values = {-1.0f};
  for (const double hue : {0.0, 0.3, 0.9}) {
    for (const float x : tinted(black, hue).values) CHECK(x == Approx(-1));
    const Picture light = tinted(white, hue);
    CHECK(*std::ranges::max_element(light.values) == Approx(1));
    CHECK(*std::ranges::min_element(light.values) == Approx(-0.5));
  }
  CHECK(tinted(white, 0.0).values[0] > 0.9f);      // red
  CHECK(tinted(white, 1.0 / 3).values[1] > 0.9f);  // green
  CHECK(tinted(white, 2.0 / 3).values[2] > 0.9f);  // blue

  const test::Scratch scratch;
  const std::string set = numbered(scratch, 6);
  const DataSetPtr tint = open_data("tint:" + set), back = open_data("swap:tint:" + set);
  CHECK(tint->columns()[0].sample == Shape{4, 4, 1});
  CHECK(tint->columns()[1].sample == Shape{4, 4, 3});
  CHECK(names_of(back->columns()) == "target, source and label");
  CHECK(read_rows(*back, 2, 1)["target"].to_vector() == read_rows(*tint, 2, 1)["source"].to_vector());
  CHECK(back->hash() != tint->hash());
  CHECK(usage_error("rotate:" + set).empty());
  CHECK(error_of<UsageError>([&] { open_data("rotate:" + set, DataOptions{}); }).empty());
  DataOptions wide;
  wide.height = 4, wide.width = 8;
  CHECK(error_of<UsageError>([&] { open_data("rotate:" + set, wide); }).find("square") != std::string::npos);
}
