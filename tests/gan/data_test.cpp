// Data sets: the real one, small made ones of every format, and broken files of every kind.
#include "gan/data.h"

#include <zlib.h>
#include <fstream>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "gan/data/idx.h"
#include "gan/image.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

std::vector<float> sample(const DataSet& data, int64_t i) {
  std::vector<float> values(static_cast<size_t>(data.sample().numel()));
  data.read(i, values.data());
  return values;
}

float level(int pixel) { return static_cast<float>(pixel) / 127.5f - 1; }

std::string data_error(const std::string& spec, int64_t size = 0, Subset subset = Subset::train) {
  return error_of<DataError>([&] { open_data(spec, size, subset); });
}

// Sets an environment variable for the length of a scope.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// ---- IDX ----

std::string idx(const std::vector<uint32_t>& sizes, const std::string& elements, char type = 8) {
  std::string bytes{'\0', '\0', type, static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes + elements;
}

std::string gzipped(const std::string& bytes, const std::string& path) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return test::contents(path);
}

std::string parse_error(const std::string& bytes) {
  return error_of<DataError>([&] { parse_idx(std::as_bytes(std::span(bytes)), "memory"); });
}

}  // namespace

TEST_CASE("data: Fashion-MNIST", "[fashion-mnist]") {
  const DataSetPtr train = open_data("fashion-mnist", 0), padded = open_data("fashion-mnist", 32);
  CHECK(train->count() == 60'000);
  CHECK(train->sample() == Shape{28, 28, 1});
  CHECK(padded->sample() == Shape{32, 32, 1});
  CHECK(train->classes() == 10);
  CHECK(train->class_name(0) == "T-shirt/top");
  CHECK(train->class_name(9) == "Ankle boot");
  CHECK(train->label(0) == 9);  // the first picture is an ankle boot
  CHECK(train->hash().size() == 16);
  CHECK(train->hash() == padded->hash());
  CHECK(train->name() == "fashion-mnist");

  std::map<int64_t, int> per_class;
  for (int64_t i = 0; i < train->count(); i++) per_class[train->label(i)]++;
  CHECK(per_class.size() == 10);
  for (const auto& [label, n] : per_class) CHECK(n == 6000);

  float low = 1, high = -1;
  for (int64_t i = 0; i < 200; i++) {
    const std::vector<float> native = sample(*train, i), framed = sample(*padded, i);
    for (int64_t row = 0; row < 32; row++)
      for (int64_t column = 0; column < 32; column++) {
        const bool inside = row >= 2 && row < 30 && column >= 2 && column < 30;
        const float expected = inside ? native[static_cast<size_t>((row - 2) * 28 + column - 2)] : -1.0f;
        REQUIRE(framed[static_cast<size_t>(row * 32 + column)] == expected);
      }
    low = std::min(low, *std::min_element(native.begin(), native.end()));
    high = std::max(high, *std::max_element(native.begin(), native.end()));
  }
  CHECK(low == -1.0f);
  CHECK(high == 1.0f);

  const DataSetPtr test = open_data("fashion-mnist", 64, Subset::test);
  CHECK(test->count() == 10'000);
  CHECK(test->sample() == Shape{64, 64, 1});
  CHECK(test->hash() != train->hash());
  const std::vector<float> large = sample(*test, 0);
  for (int64_t column = 0; column < 64; column++)
    for (const int64_t row : {0, 1, 2, 61, 62, 63}) CHECK(large[static_cast<size_t>(row * 64 + column)] == -1.0f);
}

TEST_CASE("data: Fashion-MNIST that is not installed") {
  const test::Scratch scratch;
  const Environment elsewhere("FORGER_DATA", scratch.path());
  CHECK(data_error("fashion-mnist") == "fashion-mnist: no train-images-idx3-ubyte.gz in " + scratch.path() +
                                           "; install it with: apt-get install dataset-fashion-mnist");
  scratch.write("t10k-images-idx3-ubyte.gz", idx({2, 28, 28}, std::string(2 * 28 * 28, 'x')));
  CHECK(data_error("fashion-mnist", 0, Subset::test).find("no t10k-labels-idx1-ubyte.gz") != std::string::npos);
  scratch.write("t10k-labels-idx1-ubyte.gz", idx({2}, "\x03\x0a"));
  CHECK(data_error("fashion-mnist", 0, Subset::test).find("label 10, but there are only 10 classes") !=
        std::string::npos);
  scratch.write("t10k-labels-idx1-ubyte.gz", idx({2}, "\x03\x09"));
  CHECK(open_data("fashion-mnist", 0, Subset::test)->count() == 2);
}

TEST_CASE("data: idx, plain and gzip") {
  const test::Scratch scratch;
  const std::string images = idx({3, 2, 3}, "abcdefghijklmnopqr"), labels = idx({3}, std::string("\x02\x00\x02", 3));
  const std::string plain = "idx:" + scratch.write("i", images) + "," + scratch.write("l", labels);
  gzipped(images, scratch.file("i.gz"));
  gzipped(labels, scratch.file("l.gz"));
  const std::string zipped = "idx:" + scratch.file("i.gz") + "," + scratch.file("l.gz");
  for (const std::string& spec : {plain, zipped}) {
    const DataSetPtr data = open_data(spec, 0);
    CHECK(data->count() == 3);
    CHECK(data->sample() == Shape{2, 3, 1});
    CHECK(data->classes() == 3);
    CHECK(data->label(0) == 2);
    CHECK(data->label(1) == 0);
    CHECK(sample(*data, 1) ==
          std::vector<float>{level('g'), level('h'), level('i'), level('j'), level('k'), level('l')});
  }
  CHECK(open_data(plain, 0)->hash() == open_data(zipped, 0)->hash());
  const DataSetPtr unlabelled = open_data("idx:" + scratch.file("i.gz"), 0);
  CHECK(unlabelled->classes() == 0);
  CHECK(unlabelled->hash() != open_data(plain, 0)->hash());
  CHECK_THROWS_AS(open_data("idx:", 0), UsageError);
}

TEST_CASE("data: broken IDX in memory") {
  CHECK(parse_error("") == "memory: truncated IDX header, the file has 0 bytes");
  CHECK(parse_error(std::string("\0\0\x08", 3)) == "memory: truncated IDX header, the file has 3 bytes");
  CHECK(parse_error(idx({2, 2}, "").substr(0, 10)) == "memory: truncated IDX header, the file has 10 bytes");
  CHECK(parse_error("PNG? no") == "memory: not an IDX file, it should begin with two zero bytes, not 80 and 78");
  CHECK(parse_error(idx({1}, "x", 0x0d)) == "memory: IDX elements should be unsigned bytes (type 8), the type is 13");
  CHECK(parse_error(idx({}, "x")) == "memory: IDX with 1 to 4 axes expected, it says 0");
  CHECK(parse_error(idx({1, 1, 1, 1, 1}, "x")) == "memory: IDX with 1 to 4 axes expected, it says 5");
  CHECK(parse_error(idx({2, 0, 2}, "")) == "memory: IDX axis 1 has size 0");
  const uint32_t huge = 0xffffffff;
  CHECK(parse_error(idx({huge, huge, huge, huge}, "x")).find("promises more than") != std::string::npos);
  CHECK(parse_error(idx({huge, 255}, "x")) == "memory: the IDX header promises 1095216660237 bytes, the file has 13");
  CHECK(parse_error(idx({2, 2}, "abc")) == "memory: the IDX header promises 16 bytes, the file has 15");
  CHECK(parse_error(idx({2, 2}, "abcde")) == "memory: the IDX header promises 16 bytes, more follow");
  CHECK(parse_error(idx({2, 2}, "abcd")).empty());
}

TEST_CASE("data: broken IDX files") {
  const test::Scratch scratch;
  const auto error = [&](const std::string& images, const std::string& labels = "") {
    std::string spec = "idx:" + scratch.write("images", images);
    if (!labels.empty()) spec += "," + scratch.write("labels", labels);
    return data_error(spec);
  };
  const std::string images = scratch.file("images") + ": ", labels = scratch.file("labels") + ": ";
  CHECK(data_error("idx:" + scratch.file("none")) == "cannot open '" + scratch.file("none") + "'");
  CHECK_FALSE(data_error("idx:" + scratch.path()).empty());
  CHECK(error("") == images + "truncated IDX header, the file has 0 bytes");
  CHECK(error(idx({2, 2, 2}, "1234567")) == images + "the IDX header promises 24 bytes, the file has 23");
  CHECK(error(idx({2, 2, 2}, "123456789")) == images + "the IDX header promises 24 bytes, more follow");
  CHECK(error(idx({4'000'000'000, 16, 16}, "123")) ==
        images + "the IDX header promises 1024000000016 bytes, the file has 19");
  CHECK(error(idx({2, 2}, "1234")) == images + "images have 3 axes (count, height, width), this file has 2");
  const std::string sound = idx({2, 2, 2}, "12345678");
  CHECK(error(sound, idx({3}, "abc")) == labels + "3 labels for the 2 images of " + scratch.file("images"));
  CHECK(error(sound, idx({2, 1}, "ab")) == labels + "labels have 1 axis, this file has 2");
  CHECK(error(sound, idx({2}, "ab", 0x0c)) ==
        labels + "IDX elements should be unsigned bytes (type 8), the type is 12");
}

TEST_CASE("data: broken gzip files") {
  const test::Scratch scratch;
  std::string elements(200'000, '\0');
  std::mt19937_64 random(5);
  for (char& c : elements) c = static_cast<char>(random() % 16);
  const std::string whole = gzipped(idx({200, 100, 10}, elements), scratch.file("whole.gz"));
  CHECK(data_error("idx:" + scratch.file("whole.gz")).empty());
  for (const size_t length : {whole.size() / 2, whole.size() - 9, whole.size() - 1}) {
    INFO("cut to " << length << " of " << whole.size() << " bytes");
    CHECK(data_error("idx:" + scratch.write("cut.gz", whole.substr(0, length))).find("truncated gzip file") !=
          std::string::npos);
  }
  CHECK_FALSE(data_error("idx:" + scratch.write("cut.gz", whole.substr(0, 12))).empty());
  std::string flipped = whole;
  flipped[whole.size() - 6] = static_cast<char>(flipped[whole.size() - 6] ^ 1);  // the checksum
  CHECK(data_error("idx:" + scratch.write("flipped.gz", flipped)).find("data") != std::string::npos);
  // A small file that unpacks to far more than its header promises is not unpacked to the end.
  gzipped(idx({1, 2, 2}, std::string(50'000'000, '\0')), scratch.file("bomb.gz"));
  CHECK(data_error("idx:" + scratch.file("bomb.gz")) ==
        scratch.file("bomb.gz") + ": the IDX header promises 20 bytes, more follow");
}

namespace {

void mutate_idx(int rounds, uint64_t seed) {
  const std::string sound = idx({3, 4, 5}, std::string(60, 'x'));
  std::mt19937_64 random(seed);
  int accepted = 0;
  for (int round = 0; round < rounds; round++) {
    std::string bytes = sound;
    for (uint64_t edits = random() % 4; edits > 0 && !bytes.empty(); edits--) {
      const size_t at = random() % (random() % 2 ? std::min<size_t>(bytes.size(), 16) : bytes.size());
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.resize(at);
          break;
        default:
          bytes.insert(at, random() % 8, static_cast<char>(random() % 4));
      }
    }
    try {
      const Idx parsed = parse_idx(std::as_bytes(std::span(bytes)), "mutant");
      size_t elements = 1;
      for (const int64_t size : parsed.sizes) elements *= static_cast<size_t>(size);
      REQUIRE(parsed.values.size() == elements);
      accepted++;
    } catch (const DataError& error) {
      REQUIRE(std::string(error.what()).find("mutant: ") == 0);
    }
  }
  CHECK(accepted > 0);
  CHECK(accepted < rounds);
}

// ---- CIFAR-10 ----

std::string record(int label, int shift) {
  std::string bytes(3073, '\0');
  bytes[0] = static_cast<char>(label);
  for (size_t i = 0; i < 3072; i++) bytes[1 + i] = static_cast<char>((i / 1024 * 50 + i % 1024 / 32 + shift) % 256);
  return bytes;
}

}  // namespace

TEST_CASE("data: mutated IDX never does harm") { mutate_idx(5000, 1); }
TEST_CASE("data: mutated IDX never does harm, at length", "[long]") { mutate_idx(100'000, 2); }

TEST_CASE("data: CIFAR-10") {
  const test::Scratch scratch;
  for (int i = 1; i <= 5; i++)
    scratch.write("data_batch_" + std::to_string(i) + ".bin", record(i, i) + record(9 - i, 10 * i));
  scratch.write("test_batch.bin", record(0, 7));
  const DataSetPtr data = open_data("cifar10:" + scratch.path(), 32);
  CHECK(data->count() == 10);
  CHECK(data->sample() == Shape{32, 32, 3});
  CHECK(data->label(3) == 7);
  CHECK(data->class_name(data->label(3)) == "horse");
  const std::vector<float> image = sample(*data, 3);  // the second record of the second file: shift 20
  for (int row = 0; row < 32; row++)
    for (int column = 0; column < 32; column++)
      for (int channel = 0; channel < 3; channel++)
        REQUIRE(image[static_cast<size_t>((row * 32 + column) * 3 + channel)] == level(channel * 50 + row + 20));
  CHECK(open_data("cifar10:" + scratch.path(), 32, Subset::test)->count() == 1);
  CHECK(open_data("cifar10:" + scratch.path(), 16)->sample() == Shape{16, 16, 3});

  const auto error_with = [&](const std::string& bytes) {
    scratch.write("test_batch.bin", bytes);
    return data_error("cifar10:" + scratch.path(), 32, Subset::test);
  };
  const std::string file = scratch.file("test_batch.bin") + ": ";
  CHECK(error_with(record(0, 0) + "x") == file + "3074 bytes are not a whole number of records of 3073");
  CHECK(error_with(record(0, 0).substr(1)) == file + "3072 bytes are not a whole number of records of 3073");
  CHECK(error_with("") == file + "0 bytes are not a whole number of records of 3073");
  CHECK(error_with(record(0, 0) + record(10, 0)) == file + "record 1 has label 10, there are 10 classes");
  CHECK(data_error("cifar10:" + scratch.file("none")) ==
        "cifar10: cannot open '" + scratch.file("none") + "/data_batch_1.bin'");
}

// ---- folders ----

namespace {

Image flat(int64_t height, int64_t width, uint8_t r, uint8_t g, uint8_t b) {
  Image image{height, width, 3, {}};
  for (int64_t i = 0; i < height * width; i++) image.pixels.insert(image.pixels.end(), {r, g, b});
  return image;
}

}  // namespace

TEST_CASE("data: a folder of pictures") {
  const test::Scratch scratch;
  Image wide = flat(10, 20, 255, 0, 0);  // red; 5 columns on each side, which are cut off, are blue
  for (size_t i = 0; i < 200; i++)
    if (i % 20 < 5 || i % 20 >= 15) wide.pixels[3 * i] = 0, wide.pixels[3 * i + 2] = 255;
  scratch.write("dogs/b.PNG", encode_png(wide));
  scratch.write("cats/deep/a.png", encode_png(flat(8, 8, 0, 255, 0)));
  scratch.write("cats/.hidden.png", "not looked at");
  scratch.write("cats/notes.txt", "not a picture");
  for (const std::string& spec : {scratch.path(), "folder:" + scratch.path()}) {
    const DataSetPtr data = open_data(spec, 4);
    REQUIRE(data->count() == 2);
    CHECK(data->sample() == Shape{4, 4, 3});
    CHECK(data->classes() == 2);
    CHECK(data->class_name(data->label(0)) == "cats");
    CHECK(data->class_name(data->label(1)) == "dogs");
    for (int pass = 0; pass < 2; pass++) {  // decoded, then from memory
      const std::vector<float> green = sample(*data, 0);
      CHECK(green.size() == 48);
      CHECK(std::vector<float>(green.begin(), green.begin() + 3) == std::vector<float>{-1, 1, -1});
      const std::vector<float> red = sample(*data, 1);
      for (size_t i = 0; i < red.size(); i++) CHECK(red[i] == (i % 3 == 0 ? 1.0f : -1.0f));
    }
  }
  CHECK(open_data(scratch.path(), 0)->sample() == Shape{8, 8, 3});  // the first picture's side
  const DataSetPtr grey = open_data("folder-gray:" + scratch.path(), 4);
  CHECK(grey->sample() == Shape{4, 4, 1});
  CHECK(sample(*grey, 0)[0] == Approx(2 * 0.587 - 1).margin(0.01));

  const std::string before = grey->hash();
  scratch.write("top.png", encode_png(flat(4, 4, 1, 2, 3)));
  const DataSetPtr mixed = open_data(scratch.path(), 4);
  CHECK(mixed->count() == 3);
  CHECK(mixed->classes() == 0);  // not every picture lies in a class's folder
  CHECK(mixed->hash() != before);
}

TEST_CASE("data: a folder that is split in train and test") {
  const test::Scratch scratch;
  scratch.write("train/a.png", encode_png(flat(4, 4, 1, 2, 3)));
  scratch.write("train/b.png", encode_png(flat(4, 4, 1, 2, 3)));
  scratch.write("test/c.png", encode_png(flat(4, 4, 1, 2, 3)));
  CHECK(open_data(scratch.path(), 4, Subset::train)->count() == 2);
  CHECK(open_data(scratch.path(), 4, Subset::test)->count() == 1);
}

TEST_CASE("data: broken folders") {
  const test::Scratch scratch;
  CHECK(data_error(scratch.path()) == "no picture in '" + scratch.path() + "' (PNG, JPEG, WebP, GIF, BMP)");
  CHECK(data_error("folder:" + scratch.file("none")) == "no folder '" + scratch.file("none") + "'");
  const std::string png = encode_png(flat(9, 9, 3, 2, 1));
  scratch.write("a.png", png);
  const std::string cut = scratch.write("b.png", png.substr(0, png.size() / 2));
  const DataSetPtr data = open_data(scratch.path(), 4);
  CHECK_NOTHROW(sample(*data, 0));
  CHECK(error_of<DataError>([&] { sample(*data, 1); }) == "cannot read '" + cut + "': truncated PNG");
  std::filesystem::remove(scratch.file("b.png"));
  CHECK(error_of<DataError>([&] { sample(*data, 1); }).find("cannot read '" + cut) == 0);
}

// ---- the plane ----

TEST_CASE("data: points of mixtures lie where they should") {
  struct Mixture {
    const char* spec;
    int64_t modes;
    double stddev;
  };
  for (const Mixture& mixture : {Mixture{"ring8", 8, 0.02}, Mixture{"grid25", 25, 0.05}}) {
    const DataSetPtr data = open_data(mixture.spec, 32);
    INFO(mixture.spec);
    CHECK(data->count() == 100'000);
    CHECK(data->sample() == Shape{2});
    CHECK(data->classes() == mixture.modes);
    std::vector<double> n(static_cast<size_t>(mixture.modes)), x(n), y(n);
    double variance = 0;
    const auto centre = [&](size_t m) {
      constexpr double pi = 3.14159265358979323846;
      const double angle = 2 * pi * static_cast<double>(m) / 8;
      return mixture.modes == 8 ? std::pair(2 * std::cos(angle), 2 * std::sin(angle))
                                : std::pair(2.0 * static_cast<double>(m % 5) - 4, 2.0 * static_cast<double>(m / 5) - 4);
    };
    for (int64_t i = 0; i < data->count(); i++) {
      const auto m = static_cast<size_t>(data->label(i));
      const std::vector<float> point = sample(*data, i);
      n[m]++;
      x[m] += point[0];
      y[m] += point[1];
      variance += std::pow(point[0] - centre(m).first, 2) + std::pow(point[1] - centre(m).second, 2);
    }
    CHECK(std::sqrt(variance / 200'000) == Approx(mixture.stddev).epsilon(0.01));
    for (size_t m = 0; m < n.size(); m++) {
      CHECK(n[m] == 100'000.0 / static_cast<double>(mixture.modes));
      CHECK(x[m] / n[m] == Approx(centre(m).first).margin(0.005));
      CHECK(y[m] / n[m] == Approx(centre(m).second).margin(0.005));
    }
  }
}

TEST_CASE("data: the curves, and what all points share") {
  const DataSetPtr roll = open_data("swiss-roll", 0), moons = open_data("moons", 0);
  CHECK(roll->classes() == 0);
  CHECK(moons->classes() == 2);
  for (int64_t i = 0; i < 2000; i++) {
    const std::vector<float> r = sample(*roll, i), m = sample(*moons, i);
    const double radius = std::hypot(r[0], r[1]) * 7.5;
    CHECK(radius > 1.5 * 3.14 - 1.5);
    CHECK(radius < 4.5 * 3.15 + 1.5);
    const double sign = moons->label(i) == 0 ? 1 : -1;  // back on the circle of its moon
    CHECK(std::hypot(m[0] * sign + 0.5, m[1] * sign + 0.25) == Approx(1).margin(0.3));
  }
  for (const char* spec : {"ring8", "grid25", "swiss-roll", "moons"}) {
    const DataSetPtr again = open_data(spec, 0), other = open_data(spec, 64), fresh = open_data(spec, 0, Subset::test);
    CHECK(again->hash() == other->hash());
    CHECK(again->hash() != fresh->hash());
    CHECK(sample(*again, 77) == sample(*other, 77));
  }
}

// ---- the registry ----

TEST_CASE("data: the sources") {
  std::vector<std::string> names;
  for (const DataSource& source : data_sources()) {
    names.push_back(source.name);
    CHECK(source.help.find(source.name) == 0);
  }
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::set<std::string>(names.begin(), names.end()) ==
        std::set<std::string>{
            "blur",          "captions",   "cifar10", "denoise",     "domains", "edges",    "emoji",  "emoji-pairs",
            "fashion-mnist", "few-labels", "folder",  "folder-gray", "frames",  "glyphs",   "grid25", "idx",
            "moons",         "negative",   "noisy",   "only",        "pairs",   "ring8",    "rotate", "small",
            "sound",         "speech",     "swap",    "swiss-roll",  "tint",    "unpaired", "words"});
}

TEST_CASE("data: specs that are nothing") {
  CHECK(
      error_of<UsageError>([] { open_data("fashion-mnits", 32); }) ==
      "data 'fashion-mnits' is neither a folder nor a data set; there are: blur, captions, cifar10, denoise, domains, "
      "edges, emoji, emoji-pairs, fashion-mnist, few-labels, folder, folder-gray, frames, glyphs, grid25, idx, moons, "
      "negative, noisy, only, pairs, ring8, rotate, small, sound, speech, swap, swiss-roll, tint, unpaired, words");
  CHECK_THROWS_AS(open_data("", 32), UsageError);
  CHECK_THROWS_AS(open_data("/no/such/folder", 32), UsageError);
  CHECK_THROWS_AS(open_data("ring8", -1), UsageError);
}

TEST_CASE("data: sizes that need a frame or a resize") {
  const test::Scratch scratch;
  const auto shown = [&](uint32_t side, int64_t size) {  // a white image of that side
    const std::string spec = "idx:" + scratch.write("i", idx({1, side, side}, std::string(side * side, '\xff')));
    const DataSetPtr data = open_data(spec, size);
    CHECK(data->sample() == Shape{size, size, 1});
    return sample(*data, 0);
  };
  const auto white = [](const std::vector<float>& image) { return std::count(image.begin(), image.end(), 1.0f); };
  CHECK(white(shown(28, 32)) == 28 * 28);
  CHECK(white(shown(24, 32)) == 24 * 24);
  CHECK(white(shown(23, 32)) == 32 * 32);  // more than 4 pixels a side: resized
  CHECK(white(shown(28, 64)) == 54 * 54);  // frame, then twice the size: one blurred pixel on each side
  CHECK(white(shown(32, 64)) == 64 * 64);
  CHECK(white(shown(28, 48)) == 48 * 48);
  CHECK(white(shown(40, 32)) == 32 * 32);
  const std::vector<float> odd = shown(29, 32);  // 1 above and left, 2 below and right
  CHECK(odd[33] == 1.0f);
  CHECK(odd[32] == -1.0f);
  CHECK(odd[32 * 29 + 29] == 1.0f);
  CHECK(odd[32 * 30 + 30] == -1.0f);
}

TEST_CASE("data: pairs made from a set") {
  const test::Scratch scratch;
  std::string images{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 16}, labels{0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
  for (int i = 0; i < 2; i++)  // the right half is white, or light grey
    for (int pixel = 0; pixel < 256; pixel++) images += static_cast<char>(pixel % 16 < 8 ? 0 : i == 0 ? 255 : 200);
  for (const auto& [name, bytes] : {std::pair{"i.idx", images}, {"l.idx", labels}})
    std::ofstream(scratch.file(name), std::ios::binary) << bytes;
  const std::string set = "idx:" + scratch.file("i.idx") + "," + scratch.file("l.idx");
  const DataSetPtr plain = open_data(set);
  const Tensor image = read_rows(*plain, 0, 2, {"image"})["image"];
  std::set<std::string> hashes{plain->hash()};
  for (const char* kind : {"edges", "negative", "blur", "noisy", "small"}) {
    INFO(kind);
    const DataSetPtr pairs = open_data(std::string(kind) + ":" + set);
    CHECK(hashes.insert(pairs->hash()).second);
    CHECK(pairs->count() == 2);
    CHECK(names_of(pairs->columns()) == "source, target and label");
    CHECK(pairs->label(0) == 1);
    CHECK(pairs->class_name(1) == "1");
    const Batch rows = read_rows(*pairs, 0, 2);
    CHECK(rows["target"].to_vector() == image.to_vector());
    CHECK(rows["source"].to_vector() != image.to_vector());
    CHECK(rows["source"].to_vector() == read_rows(*pairs, 0, 2, {"source"})["source"].to_vector());  // always the same
    for (const double x : rows["source"].to_vector()) CHECK((x >= -1 && x <= 1));
  }
  const auto at = [&](const char* kind, int64_t column) {
    return read_rows(*open_data(std::string(kind) + ":" + set), 0, 1)["source"]
        .to_vector()[static_cast<size_t>(16 * 5 + column)];
  };
  CHECK(at("negative", 0) == 1);
  CHECK(at("negative", 15) == -1);
  CHECK(at("edges", 2) == -1);  // black where nothing changes
  CHECK(at("edges", 7) == 1);
  CHECK(at("edges", 8) == 1);
  CHECK(at("edges", 13) == -1);
  CHECK(at("blur", 7) < 0);
  CHECK(at("blur", 7) > -1);
  CHECK(at("blur", 8) == Approx(-at("blur", 7)).margin(1e-5));  // a step is blurred evenly
  CHECK(paths_in("edges:" + set) == std::vector<std::string>{scratch.file("i.idx"), scratch.file("l.idx")});
  CHECK(absolute_spec("blur:small:" + set) == "blur:small:" + set);
  CHECK(error_of<UsageError>([] { open_data("edges:ring8"); }) ==
        "edges:ring8: ring8 has point and label, and pairs are made from images");
  CHECK_THROWS_AS(open_data("edges:"), UsageError);
  CHECK_THROWS_AS(open_data("edges:edges:" + set), UsageError);
}
