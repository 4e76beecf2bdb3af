// Picture files of every format: small ones made here, byte by byte, and thousands compared with what Pillow reads.
#include "gan/picture_file.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>

#include "core/error.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

using Levels = std::vector<uint8_t>;

std::string big(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; i--) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string little(uint32_t value, int bytes) {
  std::string out = big(value, bytes);
  return {out.rbegin(), out.rend()};
}

std::string zeros_of(size_t count) { return std::string(count, '\0'); }

// ---- the formats ----

std::string segment(int marker, const std::string& data) {
  return "\xff" + big(static_cast<uint32_t>(marker), 1) + big(static_cast<uint32_t>(data.size() + 2), 2) + data;
}

// A baseline JPEG of flat blocks of 8x8 pixels: levels (blocks down, blocks across, components). `more`: segments at
// its start.
std::string jpeg_of(uint32_t height, uint32_t width, uint32_t components, const Levels& levels,
                    const std::string& more = "") {
  std::string jpeg = "\xff\xd8" + more + segment(0xdb, zeros_of(1) + std::string(64, '\x01'));  // quantisers of 1
  std::string frame = big(8, 1) + big(height, 2) + big(width, 2) + big(components, 1), scan = big(components, 1);
  for (uint32_t k = 1; k <= components; k++) {
    frame += big(k, 1) + "\x11" + zeros_of(1);
    scan += big(k, 1) + zeros_of(1);
  }
  jpeg += segment(0xc0, frame);
  // Huffman tables: for DC the categories 0 to 11 as codes of 4 bits, for AC the end of the block as the code 0.
  std::string categories;
  for (uint32_t category = 0; category < 12; category++) categories += big(category, 1);
  jpeg += segment(0xc4, zeros_of(4) + "\x0c" + zeros_of(12) + categories);
  jpeg += segment(0xc4, std::string("\x10\x01") + zeros_of(16));
  jpeg += segment(0xda, scan + std::string("\x00\x3f\x00", 3));

  std::vector<int> last(components, 128);
  std::string bits;
  for (size_t i = 0; i < levels.size(); i++) {
    int& previous = last[i % components];
    const int difference = 8 * (levels[i] - previous), size = std::abs(difference);
    previous = levels[i];
    int category = 0;
    while (size >> category) category++;
    const int value = difference < 0 ? difference + (1 << category) - 1 : difference;
    for (int bit = 3; bit >= 0; bit--) bits += category >> bit & 1 ? '1' : '0';
    for (int bit = category - 1; bit >= 0; bit--) bits += value >> bit & 1 ? '1' : '0';
    bits += '0';
  }
  while (bits.size() % 8 != 0) bits += '1';
  for (size_t i = 0; i < bits.size(); i += 8) {
    jpeg += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
    if (jpeg.back() == '\xff') jpeg += '\0';
  }
  return jpeg + "\xff\xd9";
}

std::string orientation_block(uint32_t orientation) {
  return std::string("MM\0*", 4) + big(8, 4) + big(1, 2) + big(0x0112, 2) + big(3, 2) + big(1, 4) +
         big(orientation, 2) + big(0, 2) + big(0, 4);
}

std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big(static_cast<uint32_t>(data.size()), 4) + body + big(static_cast<uint32_t>(crc), 4);
}

// rows: each with its filter's byte in front.
std::string png_of(uint32_t height, uint32_t width, uint32_t depth, uint32_t colour, const std::string& rows,
                   const std::string& more = "") {
  std::string body(compressBound(rows.size()), '\0');
  uLongf size = body.size();
  compress(reinterpret_cast<Bytef*>(body.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  const std::string header = big(width, 4) + big(height, 4) + big(depth, 1) + big(colour, 1) + zeros_of(3);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + more + png_chunk("IDAT", body.substr(0, size)) +
         png_chunk("IEND", "");
}

// A frame of 2x2 pixels with the colours 1 2 / 0 3, at (left, 0) on a screen of 3x2.
std::string small_gif(uint32_t left = 0) {
  const std::string palette("\x0a\x14\x1e\xff\x00\x00\x00\xff\x00\x00\x00\xff", 12);
  // Codes, from the lowest bit up: clear 4, 1, 2, 0 of 3 bits; then the table has grown to 8, and they have 4: 3,
  // end 5.
  const uint32_t codes = 4 | 1 << 3 | 2 << 6 | 0 << 9 | 3 << 12 | 5 << 16;
  return "GIF89a" + little(3, 2) + little(2, 2) + "\x81" + zeros_of(2) + palette + "," + little(left, 2) + zeros_of(2) +
         little(2, 2) + little(2, 2) + zeros_of(1) + "\x02\x03" + little(codes, 3) + zeros_of(1) + ";";
}

// Lossless, 1x1: a header of 40 bits, no transforms, no cache, five codes of one symbol each: green, red, blue, alpha,
// distance.
std::string small_webp() {
  std::string bits;
  const auto put = [&](uint32_t value, int count) {
    for (int i = 0; i < count; i++) bits += value >> i & 1 ? '1' : '0';
  };
  put(0x2f, 8);
  put(0, 14), put(0, 14), put(0, 1), put(0, 3);  // width - 1, height - 1, alpha, version
  put(0, 1), put(0, 1), put(0, 1);               // no transform, no cache, no meta codes
  for (const uint32_t symbol : {20, 10, 30, 255}) put(1, 1), put(0, 1), put(1, 1), put(symbol, 8);
  put(1, 1), put(0, 1), put(0, 1), put(0, 1);
  while (bits.size() % 16 != 0) bits += '0';
  std::string body;
  for (size_t i = 0; i < bits.size(); i += 8) {
    int byte = 0;
    for (size_t k = 0; k < 8; k++) byte |= (bits[i + k] - '0') << k;
    body += static_cast<char>(byte);
  }
  const std::string chunk = "WEBPVP8L" + little(static_cast<uint32_t>(body.size()), 4) + body;
  return "RIFF" + little(static_cast<uint32_t>(chunk.size()), 4) + chunk;
}

std::string bmp_of(int32_t height, int32_t width, uint32_t bits, const std::string& rows, uint32_t compression = 0,
                   const std::string& palette = "") {
  const auto at = static_cast<uint32_t>(54 + palette.size());
  return "BM" + little(0, 4) + zeros_of(4) + little(at, 4) + little(40, 4) + little(static_cast<uint32_t>(width), 4) +
         little(static_cast<uint32_t>(height), 4) + little(1, 2) + little(bits, 2) + little(compression, 4) +
         zeros_of(20) + palette + rows;
}

Image decoded(const std::string& bytes, int channels = 3) { return decode_image(bytes, channels, "x"); }

std::string refusal(const std::string& bytes, int channels = 3) {
  const std::string prefix = "cannot read 'x': ";
  const std::string error = error_of<DataError>([&] { decoded(bytes, channels); });
  REQUIRE((error.empty() || error.starts_with(prefix)));
  return error.empty() ? "" : error.substr(prefix.size());
}

std::string bytes_of(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

}  // namespace

// ---- JPEG ----

TEST_CASE("picture file: what stands behind a JPEG's end is not looked at") {
  const std::string jpeg = jpeg_of(8, 16, 1, {0, 250});
  const Levels pixels = decoded(jpeg, 1).pixels;
  CHECK(pixels[3] == 0);
  CHECK(pixels[12] == 250);
  const std::string markers = "\xff\xda a scan that is none", film(5000, '\x17');
  for (const std::string& trailer : {std::string(1, '\0'), film, markers, jpeg, jpeg.substr(0, 60)})
    CHECK(decoded(jpeg + trailer, 1).pixels == pixels);
  const std::string stray = jpeg.substr(0, 2) + segment(0xfe, "a comment") + zeros_of(3) + jpeg.substr(2);
  CHECK(decoded(stray, 1).pixels == pixels);
}

TEST_CASE("picture file: a JPEG that is cut anywhere, or damaged, is refused") {
  const std::string jpeg = jpeg_of(16, 16, 3, {9, 128, 128, 200, 100, 128, 50, 60, 128, 255, 128, 90});
  for (size_t length = 3; length < jpeg.size(); length++) CHECK(refusal(jpeg.substr(0, length)) == "truncated JPEG");
  std::string damaged = jpeg;
  damaged[damaged.size() - 9] = '\xff';  // not followed by a zero: a marker among the blocks
  CHECK(refusal(damaged).starts_with("damaged JPEG: "));
  std::string lossless = jpeg;
  lossless[lossless.find("\xff\xc0") + 1] = '\xc3';
  CHECK(refusal(lossless).starts_with("JPEG of a kind that is not supported: "));
  CHECK(refusal(jpeg_of(8, 8, 2, {1, 2})) == "JPEG of 2 components is not supported");
}

TEST_CASE("picture file: a JPEG of endless scans is refused") {
  // Progressive: the mean of the block, then scan upon scan of one coefficient, each ten bytes that say "none".
  std::string jpeg = jpeg_of(8, 8, 1, {9});
  jpeg[jpeg.find("\xff\xc0") + 1] = '\xc2';
  const size_t selection = jpeg.find(std::string("\x00\x3f\x00", 3));
  jpeg.replace(selection, 3, zeros_of(3));
  std::string scans;
  for (const uint32_t precision : {0x01u, 0x10u})  // all but the last bit, the last bit
    for (uint32_t coefficient = 1; coefficient < 64; coefficient++)
      scans +=
          segment(0xda, "\1\1" + zeros_of(1) + big(coefficient, 1) + big(coefficient, 1) + big(precision, 1)) + "\x7f";
  const auto with = [&](size_t bytes) { return jpeg.substr(0, jpeg.size() - 2) + scans.substr(0, bytes) + "\xff\xd9"; };
  CHECK(decoded(with(scans.size() / 2), 1).pixels == Levels(64, 9));
  CHECK(refusal(with(scans.size())) == "JPEG of more than 100 scans");
}

TEST_CASE("picture file: JPEG as wide as it may be") {
  const Image image = decoded(jpeg_of(2, 65500, 1, Levels(8188, 77)), 1);
  CHECK(image.width == 65500);
  CHECK(image.pixels == Levels(2 * 65500, 77));
  CHECK(!refusal(jpeg_of(2, 65520, 1, Levels(8190, 77))).empty());
}

TEST_CASE("picture file: four inks, with and without Adobe's mark") {
  // Inverted: 255 is no ink. A pixel of little red ink and half black; one of white.
  const Levels inks = {200, 255, 255, 128, 255, 255, 255, 255};
  const Levels expected = {100, 128, 128};  // 128 - 55 * 128 / 255, rounded
  const auto adobe = [](char transform) {
    return segment(0xee, "Adobe" + std::string("\0\x64\0\0\0\0", 6) + transform);
  };
  for (const std::string& mark : {std::string(), adobe(0)}) {
    const Image image = decoded(jpeg_of(8, 16, 4, inks, mark));
    CHECK(std::equal(expected.begin(), expected.end(), image.pixels.begin()));
    CHECK(image.pixels.back() == 255);
  }
  // As luma, chroma, chroma, black: neutral chroma is three equal inks, kept the other way round.
  const Image image = decoded(jpeg_of(8, 8, 4, {55, 128, 128, 255}, adobe(2)));
  CHECK(image.pixels[0] == 200);
  CHECK(image.pixels[1] == 200);
}

TEST_CASE("picture file: a grey reader gets a JPEG's luma") {
  const std::string jpeg = jpeg_of(8, 8, 3, {90, 255, 20});
  CHECK(decoded(jpeg, 1).pixels == Levels(64, 90));
  const Image grey = decoded(jpeg_of(8, 8, 1, {90}), 3);
  CHECK(grey.pixels == Levels(192, 90));
}

// ---- orientation ----

TEST_CASE("picture file: every orientation of EXIF comes out upright") {
  // Stored "abc / def"; what a viewer shows of it. JPEG and WebP turn by the same function.
  const std::string shown[] = {"abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"};
  const std::string rows = zeros_of(1) + "abc" + zeros_of(1) + "def";
  for (uint32_t orientation = 1; orientation <= 8; orientation++) {
    const std::string png = png_of(2, 3, 8, 0, rows, png_chunk("eXIf", orientation_block(orientation)));
    const Image image = decoded(png, 1);
    CHECK(image.height == (orientation <= 4 ? 2 : 3));
    CHECK(image.width == (orientation <= 4 ? 3 : 2));
    CHECK(bytes_of(image) == shown[orientation - 1]);
  }
  for (const uint32_t nonsense : {0u, 9u, 65535u})
    CHECK(bytes_of(decoded(png_of(2, 3, 8, 0, rows, png_chunk("eXIf", orientation_block(nonsense))), 1)) == "abcdef");
  const std::string block = orientation_block(6);
  for (size_t length = 0; length < block.size(); length++)  // broken EXIF does not break a picture
    CHECK(
        decoded(jpeg_of(8, 8, 1, {9}, segment(0xe1, std::string("Exif\0\0", 6) + block.substr(0, length))), 1).pixels ==
        Levels(64, 9));

  const std::string xmp = segment(0xe1, "http://ns.adobe.com/xap/1.0/");
  const Image image = decoded(jpeg_of(8, 16, 1, {0, 250}, xmp + segment(0xe1, std::string("Exif\0\0", 6) + block)), 1);
  REQUIRE(image.height == 16);
  REQUIRE(image.width == 8);
  CHECK(image.pixels.front() == 0);
  CHECK(image.pixels.back() == 250);
}

// ---- the others ----

TEST_CASE("picture file: PNG with sixteen bits, a short palette, more than it needs") {
  const std::string grey16 = std::string("\0\x12\xff\xfe\x01", 5);
  CHECK(decoded(png_of(1, 2, 16, 0, grey16), 1).pixels == Levels{0x12, 0xfe});
  const std::string palette = png_chunk("PLTE", "abcdef");
  CHECK(bytes_of(decoded(png_of(1, 3, 8, 3, std::string("\0\0\1\7", 4), palette))) == "abcdef" + zeros_of(3));
  const std::string swollen = png_of(1, 1, 8, 0, std::string(1 << 22, '\0'));  // 4 MiB behind the only row
  CHECK(decoded(swollen, 1).pixels == Levels{0});
  CHECK(refusal(png_of(2, 3, 8, 0, zeros_of(4))).starts_with("damaged PNG: "));  // a row is missing
}

TEST_CASE("picture file: GIF, WebP and BMP") {
  const Image gif = decoded(small_gif(1));
  REQUIRE(gif.height == 2);
  REQUIRE(gif.width == 3);
  CHECK(gif.pixels == Levels{10, 20, 30, 255, 0, 0, 0, 255, 0, 10, 20, 30, 10, 20, 30, 0, 0, 255});
  CHECK(decoded(small_gif(7)).width == 9);
  CHECK(decoded(small_webp()).pixels == Levels{10, 20, 30});

  CHECK(bytes_of(decoded(bmp_of(2, 1, 24, "cba" + zeros_of(1) + "fed" + zeros_of(1)))) == "defabc");
  CHECK(bytes_of(decoded(bmp_of(-2, 1, 24, "cba" + zeros_of(1) + "fed" + zeros_of(1)))) == "abcdef");
  CHECK(bytes_of(decoded(bmp_of(1, 1, 32, "cba?"))) == "abc");
  CHECK(decoded(bmp_of(1, 1, 16, little(31 << 10 | 28, 4))).pixels == Levels{255, 0, 230});
  const std::string two_colours = "cba" + zeros_of(1) + "fed" + zeros_of(1);
  CHECK(bytes_of(decoded(bmp_of(1, 3, 1, "\x40" + zeros_of(3), 0, two_colours))) == "abcdefabc");
  CHECK(refusal(bmp_of(1, 1, 8, zeros_of(4), 1, zeros_of(1024))) ==
        "BMP with run-length encoding is not supported; convert it to PNG");
  CHECK(refusal(bmp_of(1, 1, 2, zeros_of(4))) == "BMP of 2 bits and compression 0 is not supported; convert it to PNG");
}

TEST_CASE("picture file: what is cut short is refused, in every format") {
  const struct {
    std::string name, bytes;
    size_t tail;  // bytes that may go: they hold nothing of the picture
  } files[] = {
      {"GIF", small_gif(), 1},
      {"WebP", small_webp(), 0},
      {"BMP", bmp_of(2, 1, 24, zeros_of(8)), 0},
      {"PNG", png_of(1, 2, 8, 0, zeros_of(3)), 0},
  };
  for (const auto& [name, bytes, tail] : files) {
    for (size_t length = 0; length < bytes.size() - tail; length++) CHECK(!refusal(bytes.substr(0, length)).empty());
    CHECK(refusal(bytes.substr(0, bytes.size() - tail - 1)) == "truncated " + name);
    CHECK(refusal(bytes) == "");
    CHECK(refusal(bytes + std::string(99, 'x')) == "");
  }
}

TEST_CASE("picture file: other formats are named, the file's name does not count") {
  CHECK(refusal("") == "the file is empty");
  CHECK(refusal("a letter") == "not a PNG, JPEG, WebP, GIF or BMP file");
  CHECK(refusal("BMW is a maker of cars") == "not a PNG, JPEG, WebP, GIF or BMP file");
  const std::pair<std::string, std::string> foreign[] = {
      {std::string("II*\0\x08", 5), "TIFF"},
      {std::string("\0\0\0\x1c", 4) + "ftypheic", "HEIC"},
      {std::string("\0\0\0\x1c", 4) + "ftypavif", "AVIF"},
      {"8BPS", "PSD"},
      {std::string("\0\0\0\x18", 4) + "ftypmp42", "video"},
      {"\xff\x0a", "JPEG XL"},
  };
  for (const auto& [bytes, name] : foreign) CHECK(refusal(bytes) == name + " is not supported; convert it to PNG");

  const test::Scratch scratch;
  CHECK(read_image(scratch.write("a.jpg", small_gif()), 3).width == 3);
  CHECK(read_image(scratch.write("a.txt", small_webp()), 3).width == 1);
  const std::string tiff = scratch.write("a.png", std::string("MM\0*\0\0\0\x08", 8));
  CHECK(error_of<DataError>([&] { read_image(tiff, 3); }) ==
        "cannot read '" + tiff + "': TIFF is not supported; convert it to PNG");
}

TEST_CASE("picture file: too many pixels are refused by the header alone") {
  CHECK(refusal(png_of(65500, 65500, 8, 0, zeros_of(3))) == "65500x65500 pixels are too many");
  CHECK(refusal(png_of(1, 70000, 8, 0, zeros_of(3))) == "70000x1 pixels are too many");
  CHECK(refusal(bmp_of(30000, 30000, 24, "")) == "30000x30000 pixels are too many");
  CHECK(refusal(bmp_of(0, 1, 24, "")) == "1x0 pixels are none");
  CHECK(refusal(jpeg_of(40000, 40000, 1, {1})) == "40000x40000 pixels are too many");
  std::string gif = small_gif();
  gif.replace(6, 4, "\xff\x7f\xff\x7f");
  CHECK(refusal(gif) == "32767x32767 pixels are too many");
}

// ---- mutations ----

TEST_CASE("picture file: a mutated picture is read or refused, never worse") {
  const std::string exif = std::string("Exif\0\0", 6) + orientation_block(6);
  const std::string files[] = {
      jpeg_of(16, 16, 3, {9, 128, 128, 200, 100, 128, 50, 60, 128, 255, 128, 90}, segment(0xe1, exif)),
      jpeg_of(8, 16, 4, {200, 255, 255, 128, 255, 255, 255, 255}),
      png_of(2, 3, 8, 0, zeros_of(8), png_chunk("eXIf", orientation_block(6))),
      small_gif(1),
      small_webp(),
      bmp_of(2, 1, 24, zeros_of(8)),
      bmp_of(1, 3, 1, zeros_of(4), 0, zeros_of(8)),
      bmp_of(1, 2, 16, zeros_of(4)),
  };
  std::mt19937_64 random(5);
  int read = 0, refused = 0;
  for (const std::string& file : files) {
    for (int round = 0; round < 1500; round++) {
      std::string bytes = file;
      for (uint64_t changes = 1 + random() % 3; changes > 0; changes--)
        bytes[random() % bytes.size()] = static_cast<char>(random());
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
      const int channels = random() % 2 == 0 ? 1 : 3;
      const std::string error = error_of<DataError>([&] {
        const Image image = decoded(bytes, channels);
        REQUIRE(image.pixels.size() == static_cast<size_t>(image.height * image.width * channels));
      });
      (error.empty() ? read : refused)++;
    }
  }
  CHECK(read > 1000);
  CHECK(refused > 1000);
}

// ---- beside Pillow ----

namespace {

struct Expected {
  std::string name;
  char verdict = '!';
  int64_t height = 0, width = 0;
  std::string pixels, luma;
};

// tests/golden/make_pictures.py tells the format.
std::vector<Expected> read_expected(const std::string& path) {
  const std::string bytes = test::contents(path);
  size_t at = 0;
  const auto take = [&](size_t count) {
    REQUIRE(count <= bytes.size() - at);
    at += count;
    return bytes.substr(at - count, count);
  };
  const auto number = [&] {
    uint32_t value = 0;
    std::memcpy(&value, take(4).data(), 4);
    return size_t{value};
  };
  std::vector<Expected> all;
  while (at < bytes.size()) {
    Expected one;
    one.name = take(number());
    one.verdict = take(1)[0];
    const size_t height = number(), width = number();
    one.height = static_cast<int64_t>(height), one.width = static_cast<int64_t>(width);
    one.pixels = take(height * width * 3);
    if (take(1)[0] != 0) one.luma = take(height * width);
    all.push_back(std::move(one));
  }
  return all;
}

// The words that start a Python with Pillow; "" when there is none.
std::string python_with_pillow() {
  for (const std::string python : {"/usr/bin/python3", "python3"})
    if (std::system((python + " -c 'from PIL import ImageCms, _webp' >/dev/null 2>&1").c_str()) == 0) return python;
  return "";
}

void compare_with_pillow(int count) {
  const std::string python = python_with_pillow();
  if (python.empty()) {
    std::cout << "skipped: no Python with Pillow (Debian: python3-pil)\n";
    return;
  }
  const test::Scratch scratch;
  const std::string script = std::string(GOLDEN_DIR) + "/make_pictures.py";
  REQUIRE(std::system(text(python, " -W ignore '", script, "' '", scratch.path(), "' ", count).c_str()) == 0);
  int same = 0, refused = 0, damaged_same = 0, damaged_refused = 0, pillow_refused = 0;
  for (const Expected& expected : read_expected(scratch.file("expected.bin"))) {
    INFO(expected.name);
    Image image;
    const std::string error = error_of<DataError>([&] { image = read_image(scratch.file(expected.name), 3); });
    INFO(error);
    if (expected.verdict == '!') {
      CHECK(!error.empty());
      refused += !error.empty();
      continue;
    }
    if (expected.verdict == '?' && !error.empty()) {
      damaged_refused++;
      continue;
    }
    REQUIRE(error.empty());
    if (expected.verdict == '?' && expected.height == 0) {
      pillow_refused++;
      continue;
    }
    const bool equal =
        image.height == expected.height && image.width == expected.width && bytes_of(image) == expected.pixels;
    CHECK(equal);
    (expected.verdict == '?' ? damaged_same : same) += equal;
    if (expected.verdict == '?') continue;
    const Image grey = read_image(scratch.file(expected.name), 1);
    CHECK(bytes_of(grey) == (expected.luma.empty() ? bytes_of(with_channels(image, 1)) : expected.luma));
  }
  std::cout << count << " files: " << same << " sound ones as Pillow reads them, " << refused
            << " refused as they must be; "
            << "of damage that may pass " << damaged_refused << " refused, " << damaged_same << " read as Pillow does, "
            << pillow_refused << " read where Pillow refuses\n";
  CHECK(same > count / 2);
}

}  // namespace

TEST_CASE("picture file: thousands of files as Pillow reads them") { compare_with_pillow(2000); }
TEST_CASE("picture file: tens of thousands of files as Pillow reads them", "[long]") { compare_with_pillow(40000); }
