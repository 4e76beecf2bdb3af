// Images: files there and back, broken files, resizing against hand-made numbers, the layout of a grid.
#include "gan/image.h"

#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <random>

#include "core/ops.h"
#include "gan/picture_file.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

Image noise(int64_t height, int64_t width, int64_t channels, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Image image{height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
  for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(random());
  return image;
}

Image of(int64_t height, int64_t width, std::vector<uint8_t> pixels) { return {height, width, 1, std::move(pixels)}; }

int at(const Image& image, int64_t row, int64_t column, int64_t channel = 0) {
  return image.pixels.at(static_cast<size_t>((row * image.width + column) * image.channels + channel));
}

// Gives every chunk that is whole the checksum of what it now holds.
void mend_checksums(std::string& png) {
  const auto number = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(png[i])); };
  for (size_t at_chunk = 8; png.size() >= at_chunk + 12;) {
    const size_t length =
        number(at_chunk) << 24 | number(at_chunk + 1) << 16 | number(at_chunk + 2) << 8 | number(at_chunk + 3);
    if (length > png.size() - at_chunk - 12) return;
    const uLong crc =
        crc32(0, reinterpret_cast<const Bytef*>(png.data() + at_chunk + 4), static_cast<uInt>(length + 4));
    for (size_t i = 0; i < 4; i++) png[at_chunk + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
    at_chunk += length + 12;
  }
}

// A grey 16x8 JPEG (left half dark, right half light), baseline, as an encoder writes it.
std::string small_jpeg();

}  // namespace

TEST_CASE("image: PNG there and back") {
  const test::Scratch scratch;
  for (const int64_t channels : {1, 3}) {
    for (const auto& [height, width] : {std::pair{1, 1}, {7, 31}, {33, 5}}) {
      const Image image = noise(height, width, channels);
      const std::string path = scratch.file("image.png");
      write_png(path, image);
      CHECK(test::contents(path) == encode_png(image));
      const Image read = read_image(path, static_cast<int>(channels));
      CHECK(read.height == height);
      CHECK(read.width == width);
      CHECK(read.channels == channels);
      CHECK(read.pixels == image.pixels);
    }
  }
  CHECK_THROWS_AS(encode_png({2, 2, 1, {1, 2, 3}}), Error);
  CHECK_THROWS_AS(encode_png({}), Error);
  CHECK_THROWS_AS(write_png(scratch.file("no/such/folder.png"), noise(2, 2, 1)), DataError);
}

TEST_CASE("image: channels are converted while reading") {
  const test::Scratch scratch;
  write_png(scratch.file("grey.png"), of(1, 2, {10, 200}));
  CHECK(read_image(scratch.file("grey.png"), 3).pixels == std::vector<uint8_t>{10, 10, 10, 200, 200, 200});
  write_png(scratch.file("colour.png"), {1, 3, 3, {255, 255, 255, 0, 0, 0, 0, 255, 0}});
  const Image grey = read_image(scratch.file("colour.png"), 1);
  CHECK(at(grey, 0, 0) == 255);
  CHECK(at(grey, 0, 1) == 0);
  CHECK(at(grey, 0, 2) == Approx(0.587 * 255).margin(2));
}

TEST_CASE("image: broken files are refused by name") {
  const test::Scratch scratch;
  const std::string png = encode_png(noise(20, 20, 3));
  const auto error = [&](const std::string& bytes) {
    const std::string path = scratch.write("broken.png", bytes);
    return error_of<DataError>([&] { read_image(path, 3); });
  };
  const std::string prefix = "cannot read '" + scratch.file("broken.png") + "': ";
  for (const size_t length : {8u, 20u, 33u, 100u}) CHECK(error(png.substr(0, length)) == prefix + "truncated PNG");
  CHECK(error(png.substr(0, png.size() - 1)) == prefix + "truncated PNG");
  CHECK(error("GIF89a, not one of ours").find(prefix + "damaged GIF") == 0);
  CHECK(error("a text, not one of ours") == prefix + "not a PNG, JPEG, WebP, GIF or BMP file");
  CHECK(error("").find(prefix) == 0);
  std::string flipped = png;
  flipped[60] = static_cast<char>(flipped[60] ^ 1);
  CHECK(error(flipped) == prefix + "damaged PNG, a checksum does not match");
  CHECK(error_of<DataError>([&] {
          read_image(scratch.file("none.png"), 3);
        }).find("cannot read '" + scratch.file("none.png")) == 0);
  CHECK_THROWS_AS(read_image(scratch.path(), 3), DataError);
}

TEST_CASE("image: a mutated PNG is read or refused, never worse") {
  const test::Scratch scratch;
  const std::string png = encode_png(noise(9, 9, 3));
  std::mt19937_64 random(3);
  int accepted = 0;
  for (int round = 0; round < 3000; round++) {
    std::string bytes = png;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (random() % 2 == 0) mend_checksums(bytes);  // so that the damage reaches the decoder
    const std::string path = scratch.write("mutant.png", bytes);
    const std::string error = error_of<DataError>([&] {
      const Image image = read_image(path, 3);
      REQUIRE(image.pixels.size() == static_cast<size_t>(image.height * image.width * 3));
    });
    accepted += error.empty();
  }
  CHECK(accepted > 10);
  CHECK(accepted < 900);
}

TEST_CASE("image: JPEG is read, a cut one refused") {
  const test::Scratch scratch;
  const std::string jpeg = small_jpeg();
  const Image image = read_image(scratch.write("a.jpg", jpeg), 1);
  REQUIRE(image.height == 8);
  REQUIRE(image.width == 16);
  CHECK(at(image, 4, 2) < 40);
  CHECK(at(image, 4, 13) > 215);
  const std::string cut = scratch.write("cut.jpg", jpeg.substr(0, jpeg.size() - 4));
  CHECK(error_of<DataError>([&] { read_image(cut, 1); }) == "cannot read '" + cut + "': truncated JPEG");
}

TEST_CASE("image: the middle square") {
  CHECK(centre_crop(of(1, 4, {1, 2, 3, 4}), 1, 1).pixels == std::vector<uint8_t>{2});
  CHECK(centre_crop(of(4, 2, {1, 2, 3, 4, 5, 6, 7, 8}), 1, 1).pixels == std::vector<uint8_t>{3, 4, 5, 6});
  const Image colour = centre_crop({1, 3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, 1, 1);
  CHECK(colour.pixels == std::vector<uint8_t>{4, 5, 6});
  const Image square = noise(5, 5, 3);
  CHECK(centre_crop(square, 1, 1).pixels == square.pixels);
}

TEST_CASE("image: resizing") {
  // Twice the size: new centres lie a quarter of a pixel beside the old ones.
  CHECK(resize(of(1, 2, {0, 100}), 1, 4).pixels == std::vector<uint8_t>{0, 25, 75, 100});
  // Half the size: a triangle of half-width 2 over [100 0 | 0 0]: weights 3 3 1 over the first three pixels, of 7.
  CHECK(resize(of(1, 4, {100, 0, 0, 0}), 1, 2).pixels == std::vector<uint8_t>{43, 0});
  CHECK(resize(of(2, 1, {0, 100}), 4, 1).pixels == std::vector<uint8_t>{0, 25, 75, 100});
  const Image image = noise(6, 7, 3);
  CHECK(resize(image, 6, 7).pixels == image.pixels);
  for (const uint8_t level :
       {uint8_t{0}, uint8_t{77}, uint8_t{255}}) {  // weights sum to 1 everywhere, also at the border
    const Image flat = resize(Image{13, 5, 3, std::vector<uint8_t>(13 * 5 * 3, level)}, 4, 9);
    CHECK(flat.pixels == std::vector<uint8_t>(4 * 9 * 3, level));
  }
  // Antialiasing: a fine checkerboard becomes grey, not one of its colours.
  Image board = of(64, 64, std::vector<uint8_t>(64 * 64));
  for (size_t i = 0; i < board.pixels.size(); i++) board.pixels[i] = (i / 64 + i) % 2 ? 255 : 0;
  const Image small = resize(board, 8, 8);
  for (const uint8_t pixel : small.pixels) CHECK(pixel == Approx(127.5).margin(2));
  CHECK_THROWS_AS(resize(image, 0, 3), ShapeError);
}

TEST_CASE("image: the grid") {
  // Three images of 1x2 pixels in two columns: rows of 1 and a border of 2.
  const std::vector<double> values = {-1, 1, 0, -3, 5, std::nan("")};
  const Image picture = grid(from_values({3, 1, 2, 1}, values), 2);
  CHECK(picture.height == 4);
  CHECK(picture.width == 6);
  CHECK(picture.channels == 1);
  const int w = 255;
  const std::vector<int> expected = {0,   255, w, w, 128, 0,  //
                                     w,   w,   w, w, w,   w,  //
                                     w,   w,   w, w, w,   w,  //
                                     255, 0,   w, w, w,   w};
  CHECK(std::vector<int>(picture.pixels.begin(), picture.pixels.end()) == expected);

  const Image colour = grid(from_values({1, 1, 1, 3}, std::vector<double>{-1, 0, 1}), 8);
  CHECK(colour.pixels == std::vector<uint8_t>{0, 128, 255});
  CHECK(grid(from_values({1, 1, 1, 1}, std::vector<double>{1}, DType::f64), 1).pixels == std::vector<uint8_t>{255});

  CHECK_THROWS_AS(grid(zeros({2, 3, 3, 2}), 2), ShapeError);
  CHECK_THROWS_AS(grid(zeros({0, 3, 3, 1}), 2), ShapeError);
  CHECK_THROWS_AS(grid(zeros({2, 3, 3, 1}), 0), ShapeError);
  CHECK_THROWS_AS(grid(zeros({2, 2}), 2), ShapeError);
}

TEST_CASE("image: every 8-bit level survives a tensor") {
  std::vector<double> values(256);
  for (size_t i = 0; i < 256; i++) values[i] = static_cast<float>(i) / 127.5f - 1;
  std::vector<uint8_t> levels(256);
  std::iota(levels.begin(), levels.end(), uint8_t{0});
  CHECK(grid(from_values({1, 16, 16, 1}, values), 1).pixels == levels);
}

TEST_CASE("image: a picture made of batches is the picture of all of them") {
  const Tensor images = test::random_tensor({7, 4, 5, 3}, 1, DType::f32);
  for (const int64_t columns : {0, 1, 3, 9}) {
    PictureBuilder builder(7, columns);
    builder.add(slice(images, 0, 0, 2));
    builder.add(slice(images, 0, 2, 7));
    CHECK(builder.picture().pixels == picture(images, columns).pixels);
    CHECK(builder.picture().width == picture(images, columns).width);
  }
  PictureBuilder large(int64_t{1} << 26);
  CHECK(error_of<UsageError>([&] { large.add(images); }).find("too much for one picture") != std::string::npos);
}

TEST_CASE("image: the scatter plot") {
  const std::vector<double> values = {-1.9, 1.9, 5, 0, std::nan(""), 0, 0.1, -0.1, 0.1, -0.1};
  const Image picture = scatter(from_values({5, 2}, values), 2, 40);
  CHECK(picture.height == 40);
  CHECK(picture.channels == 3);
  CHECK(at(picture, 1, 1) < 255);  // (-1.9, 1.9): top left, y goes up
  CHECK(at(picture, 38, 1) == 255);
  CHECK(at(picture, 21, 21) < at(picture, 1, 1));  // two points are darker than one
  int tinted = 0;
  for (size_t i = 0; i < picture.pixels.size(); i += 3) tinted += picture.pixels[i] < 255;
  CHECK(tinted == 18);  // two dots of 3x3: points outside and NaN are left out
  CHECK_THROWS_AS(scatter(zeros({4, 3}), 1), ShapeError);
  CHECK_THROWS_AS(scatter(zeros({4, 2}), 0), ShapeError);
}

namespace {

std::string small_jpeg() {
  // SOI; DQT (all 1); SOF0 8x16, one component; DHT DC (categories 0 and 11), DHT AC (end of block only); SOS; scan;
  // EOI.
  std::string jpeg("\xff\xd8\xff\xdb\x00\x43\x00", 7);
  jpeg.append(64, '\x01');
  jpeg += std::string("\xff\xc0\x00\x0b\x08\x00\x08\x00\x10\x01\x01\x11\x00", 13);
  jpeg += std::string("\xff\xc4\x00\x15\x00\x00\x02", 7) + std::string(14, '\0') + std::string("\x0a\x0b", 2);
  jpeg += std::string("\xff\xc4\x00\x14\x10\x01", 6) + std::string(15, '\0') + std::string(1, '\0');
  jpeg += std::string("\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00", 10);
  // Codes: DC category 10 = 00, 11 = 01; AC end of block = 0. A level v is a DC of 8*(v - 128) at quantiser 1.
  // Block 1: -1000 in category 10 is 1023 - 1000 = 0000010111; block 2: +2000 in category 11 is 11111010000.
  std::string bits =
      "00"
      "0000010111"
      "0"
      "01"
      "11111010000"
      "0";
  while (bits.size() % 8 != 0) bits += '1';
  for (size_t i = 0; i < bits.size(); i += 8) jpeg += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
  return jpeg + "\xff\xd9";
}

}  // namespace
