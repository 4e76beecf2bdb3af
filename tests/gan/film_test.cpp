// Films: GIF, animated PNG, and what ffmpeg makes of one.
#include "gan/film.h"

#include <zlib.h>

#include <cstdlib>
#include <filesystem>

#include "gan/picture_file.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

Image ramp(int64_t height, int64_t width, int64_t channels, int step) {
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; i++) image.pixels.push_back(static_cast<uint8_t>(step * i));
  return image;
}

std::string bytes_of(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}
uint32_t number_at(const std::string& bytes, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; i++) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}
uint32_t checksum(const std::string& bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}
std::string chunk(const std::string& type, const std::string& data) {
  return bytes_of(static_cast<uint32_t>(data.size())) + type + data + bytes_of(checksum(type + data));
}

struct Animation {
  std::vector<std::string> stills;    // each frame as a PNG of its own
  std::vector<std::string> controls;  // what its fcTL says after the number in the sequence
};

// As the specification tells it: checksums and the order of things included.
Animation read_apng(const std::string& film) {
  Animation found;
  std::string head = film.substr(0, 8);
  uint32_t sequence = 0, announced = 0;
  for (size_t at = 8; at < film.size();) {
    const std::string type = film.substr(at + 4, 4), data = film.substr(at + 8, number_at(film, at));
    CHECK(number_at(film, at + 8 + data.size()) == checksum(type + data));
    if (type == "fcTL" || type == "fdAT") CHECK(number_at(data, 0) == sequence++);
    if (type == "IHDR") head += chunk(type, data);
    if (type == "acTL") {
      announced = number_at(data, 0);
      CHECK(number_at(data, 4) == 0);  // for ever
    }
    if (type == "fcTL") found.stills.push_back(head), found.controls.push_back(data.substr(4));
    if (type == "IDAT") CHECK(found.stills.size() == 1);
    if (type == "IDAT") found.stills.back() += chunk(type, data);
    if (type == "fdAT") found.stills.back() += chunk("IDAT", data.substr(4));
    at += data.size() + 12;
  }
  CHECK(film.ends_with(chunk("IEND", "")));
  CHECK(announced == found.stills.size());
  for (std::string& still : found.stills) still += chunk("IEND", "");
  return found;
}

// A program of that name, for as long as this lives, and no other.
class Path {
 public:
  explicit Path(const std::string& folder) : old_(std::getenv("PATH")) { setenv("PATH", folder.c_str(), 1); }
  ~Path() { setenv("PATH", old_.c_str(), 1); }
  Path(const Path&) = delete;

 private:
  std::string old_;
};

void write_program(const test::Scratch& scratch, const std::string& script) {
  std::filesystem::permissions(scratch.write("ffmpeg", "#!/bin/sh\n" + script), std::filesystem::perms::owner_all);
}

}  // namespace

TEST_CASE("film: frames as GIF, grey as it is, colours rounded") {
  Image grey{3, 5, 1, {}}, other = grey;
  for (int i = 0; i < 15; i++) grey.pixels.push_back(static_cast<uint8_t>(17 * i));
  other.pixels.assign(15, 7);
  const std::string bytes = encode_gif({grey, other, other}, 1 / 3.0);
  const Image back = decode_image(bytes, 1, "the film");  // its first frame
  CHECK(back.height == 3);
  CHECK(back.pixels == grey.pixels);
  CHECK(bytes.find("NETSCAPE2.0") != bytes.npos);
  const std::string control{'\x21', '\xf9', 4, 0, 44, 1, 0, 0};
  CHECK(bytes.find(control) != bytes.npos);
  CHECK(bytes.find(control, bytes.rfind(control)) == bytes.rfind(control));

  const Image colour{1, 2, 3, {255, 0, 128, 10, 255, 0}};
  CHECK(decode_image(encode_gif({colour}, 10), 3, "the film").pixels == std::vector<uint8_t>{255, 0, 153, 0, 255, 0});
  CHECK_THROWS_AS(encode_gif({grey, colour}, 10), Error);
  CHECK_THROWS_AS(encode_gif({}, 10), Error);
}

TEST_CASE("film: an animated PNG has every pixel of every frame") {
  for (const int64_t channels : {1, 3}) {
    const std::vector<Image> frames{ramp(5, 7, channels, 3), ramp(5, 7, channels, 11), ramp(5, 7, channels, 0)};
    const std::string film = encode_apng(frames, 25);
    CHECK(decode_image(film, static_cast<int>(channels), "the film").pixels == frames[0].pixels);
    const Animation found = read_apng(film);
    REQUIRE(found.stills.size() == 3);
    for (size_t k = 0; k < 3; k++) {
      CHECK(decode_image(found.stills[k], static_cast<int>(channels), "a frame").pixels == frames[k].pixels);
      CHECK(found.controls[k] == bytes_of(7) + bytes_of(5) + bytes_of(0) + bytes_of(0) + bytes_of(40 << 16 | 1000) +
                                     std::string(2, 0));  // 40 ms, and each replaces the one before
    }
  }
  CHECK_THROWS_AS(encode_apng({}, 10), Error);
  CHECK_THROWS_AS(encode_apng({ramp(5, 7, 1, 1), ramp(5, 6, 1, 1)}, 10), Error);
}

TEST_CASE("film: an MP4 is what ffmpeg makes of the frames") {
  const test::Scratch scratch;
  const std::vector<Image> frames{ramp(5, 7, 1, 3), ramp(5, 7, 1, 11)};
  const Path path(scratch.path());
  CHECK(error_of<UsageError>([] { check_film_name("--film", "a/walk.mp4"); }) ==
        "--film 'a/walk.mp4': MP4 films are made by the program ffmpeg, which is not here; install it with: apt-get "
        "install ffmpeg, or name the film .gif or .png");
  CHECK(error_of<Error>([&] { encode_mp4(frames, 25); }).starts_with("MP4 films are made by the program ffmpeg"));

  // What comes before the last word is what it reads: -i FILE.
  write_program(scratch,
                "[ $# -gt 1 ] || exit 0; while [ $# -gt 1 ]; do [ $1 != -i ] || in=$2; shift; done\n"
                "/bin/cp $in $1");
  check_film_name("--film", "walk.MP4");
  CHECK(encode_film("walk.mp4", frames, 25) == encode_apng(frames, 25));
  write_program(scratch, "echo no such codec >&2; exit 3");
  CHECK(error_of<Error>([&] { encode_mp4(frames, 25); }) == "ffmpeg made no film: no such codec\n");
}

TEST_CASE("film: the name says which") {
  const std::vector<Image> frames{ramp(5, 7, 1, 3)};
  CHECK(encode_film("x/walk.gif", frames, 25) == encode_gif(frames, 25));
  CHECK(encode_film("walk.PNG", frames, 25) == encode_apng(frames, 25));
  check_film_name("--film", "walk.gif");
  CHECK(error_of<UsageError>([] { check_film_name("--film", "walk.avi"); }) ==
        "--film 'walk.avi': films are .gif, .png (animated) and .mp4");
}
