#include "gan/film.h"

#include <fcntl.h>
#include <gif_lib.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/file.h"

namespace forger::gan {
namespace fs = std::filesystem;
namespace {

void check_frames(const std::vector<Image>& frames) {
  check<Error>(!frames.empty(), "a film has at least one frame");
  const Image& first = frames.front();
  for (const Image& frame : frames)
    check<Error>(frame.width == first.width && frame.height == first.height && frame.channels == first.channels,
                 "the frames of a film are of one size");
}

// ---- GIF ----

int append(GifFileType* gif, const GifByteType* bytes, int count) {
  static_cast<std::string*>(gif->UserData)->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
  return count;
}

void attempt(int result, const GifFileType* gif) {
  check<Error>(result == GIF_OK, "cannot write a GIF: ", GifErrorString(gif->Error));
}

constexpr int reds = 6, greens = 7, blues = 6;

uint8_t level(int step, int steps) { return static_cast<uint8_t>((255 * step + (steps - 1) / 2) / (steps - 1)); }
int step(uint8_t value, int steps) { return (value * (steps - 1) + 127) / 255; }

GifColorType colour_of(int index, bool grey) {
  if (grey) return {static_cast<uint8_t>(index), static_cast<uint8_t>(index), static_cast<uint8_t>(index)};
  return {level(index / (greens * blues) % reds, reds), level(index / blues % greens, greens),
          level(index % blues, blues)};
}

GifByteType index_of(const uint8_t* pixel, bool grey) {
  if (grey) return *pixel;
  return static_cast<GifByteType>((step(pixel[0], reds) * greens + step(pixel[1], greens)) * blues +
                                  step(pixel[2], blues));
}

// ---- animated PNG ----

void append_number(std::string& bytes, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 255);
}

void append_chunk(std::string& png, const std::string& type, const std::string& data) {
  append_number(png, static_cast<uint32_t>(data.size()));
  const std::string checked = type + data;
  png += checked;
  append_number(png, static_cast<uint32_t>(
                         crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()))));
}

constexpr size_t png_signature = 8;

// f(type, data) for each chunk of a PNG of ours.
template <class F>
void for_chunks(const std::string& png, const F& f) {
  for (size_t at = png_signature; at < png.size();) {
    size_t size = 0;
    for (size_t i = 0; i < 4; i++) size = size << 8 | static_cast<uint8_t>(png[at + i]);
    f(png.substr(at + 4, 4), png.substr(at + 8, size));
    at += size + 12;
  }
}

// ---- MP4 ----

// Runs a program of the PATH and waits; what it says goes into the file `said`. -1 where there is none of that name.
int run_program(std::vector<std::string> words, const std::string& said) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments.front(), &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  int status = 0;
  if (failed != 0 || waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

constexpr const char* no_ffmpeg =
    "MP4 films are made by the program ffmpeg, which is not here; install it with: apt-get install ffmpeg, or name the "
    "film .gif or .png";

}  // namespace

std::string encode_gif(const std::vector<Image>& frames, double per_second) {
  check_frames(frames);
  const auto hundredths = static_cast<int>(std::lround(100 / per_second));
  const Image& first = frames.front();
  constexpr int64_t largest = 65'535;
  check<UsageError>(first.width <= largest && first.height <= largest, "a GIF has at most ", largest,
                    " pixels on a side, not ", first.width, "x", first.height);
  const bool grey = first.channels == 1;
  const int width = static_cast<int>(first.width), height = static_cast<int>(first.height);
  std::string bytes;
  int code = 0;
  const auto close = [](GifFileType* gif) { EGifCloseFile(gif, nullptr); };
  std::unique_ptr<GifFileType, decltype(close)> gif(EGifOpen(&bytes, append, &code), close);
  check<Error>(gif != nullptr, "cannot write a GIF: ", GifErrorString(code));
  EGifSetGifVersion(gif.get(), true);
  constexpr int colours = 256;
  ColorMapObject* const palette = GifMakeMapObject(colours, nullptr);
  for (int i = 0; i < colours; i++) palette->Colors[i] = colour_of(i, grey);
  const int made = EGifPutScreenDesc(gif.get(), width, height, /*bits=*/8, 0, palette);
  GifFreeMapObject(palette);
  attempt(made, gif.get());

  const uint8_t for_ever[] = {1, 0, 0};  // Netscape's extension: how often it is shown
  attempt(EGifPutExtensionLeader(gif.get(), APPLICATION_EXT_FUNC_CODE), gif.get());
  attempt(EGifPutExtensionBlock(gif.get(), 11, "NETSCAPE2.0"), gif.get());
  attempt(EGifPutExtensionBlock(gif.get(), 3, for_ever), gif.get());
  attempt(EGifPutExtensionTrailer(gif.get()), gif.get());
  std::vector<GifByteType> line(static_cast<size_t>(width));
  for (const Image& frame : frames) {
    const uint8_t control[] = {0, static_cast<uint8_t>(hundredths & 255), static_cast<uint8_t>(hundredths >> 8), 0};
    attempt(EGifPutExtension(gif.get(), GRAPHICS_EXT_FUNC_CODE, 4, control), gif.get());
    attempt(EGifPutImageDesc(gif.get(), 0, 0, width, height, false, nullptr), gif.get());
    const uint8_t* pixel = frame.pixels.data();
    for (int row = 0; row < height; row++) {
      for (GifByteType& index : line) index = index_of(pixel, grey), pixel += frame.channels;
      attempt(EGifPutLine(gif.get(), line.data(), width), gif.get());
    }
  }
  check<Error>(EGifCloseFile(gif.release(), &code) == GIF_OK, "cannot write a GIF: ", GifErrorString(code));
  return bytes;
}

std::string encode_apng(const std::vector<Image>& frames, double per_second) {
  check_frames(frames);
  const Image& size = frames.front();
  std::string film;
  uint32_t sequence = 0;
  for (size_t k = 0; k < frames.size(); k++) {
    const std::string png = encode_png(frames[k]);
    if (k == 0) film = png.substr(0, png_signature);
    for_chunks(png, [&](const std::string& type, const std::string& data) {
      if (type == "IHDR") {
        std::string animation, control;
        append_number(animation, static_cast<uint32_t>(frames.size()));
        append_number(animation, 0);  // how often: for ever
        append_number(control, sequence++);
        append_number(control, static_cast<uint32_t>(size.width));
        append_number(control, static_cast<uint32_t>(size.height));
        control.append(8, 0);  // where: at the left, at the top
        append_number(control, static_cast<uint32_t>(std::lround(1000 / per_second)) << 16 | 1000);
        control.append(2, 0);  // it replaces all that was there
        if (k == 0) append_chunk(film, type, data), append_chunk(film, "acTL", animation);
        append_chunk(film, "fcTL", control);
      } else if (type == "IDAT" && k == 0) {
        append_chunk(film, type, data);
      } else if (type == "IDAT") {
        std::string numbered;
        append_number(numbered, sequence++);
        append_chunk(film, "fdAT", numbered + data);
      }
    });
  }
  append_chunk(film, "IEND", "");
  return film;
}

// ffmpeg reads the frames as an animated PNG, and the film back is a file like any other: the program needs no pipe that
// could break.
std::string encode_mp4(const std::vector<Image>& frames, double per_second) {
  const TemporaryFolder folder("forger-film");
  const std::string from = folder.file("frames.png"), to = folder.file("film.mp4"), said = folder.file("said");
  write_file(from, encode_apng(frames, per_second));
  const int code = run_program({"ffmpeg", "-y", "-v", "error", "-f", "apng", "-i", from, "-vf",
                                "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p", to},
                               said);
  check<Error>(code != -1, no_ffmpeg);
  check<Error>(code == 0 && fs::exists(to), "ffmpeg made no film: ", read_file(said));
  return read_file(to);
}

namespace {

std::string ending_of(const std::string& file) {
  std::string ending = fs::path(file).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending;
}

}  // namespace

void check_film_name(const std::string& option, const std::string& file) {
  const std::string ending = ending_of(file);
  check<UsageError>(ending == ".gif" || ending == ".png" || ending == ".mp4", option, " '", file,
                    "': films are .gif, .png (animated) and .mp4");
  check<UsageError>(ending != ".mp4" || run_program({"ffmpeg", "-version"}, "/dev/null") == 0, option, " '", file,
                    "': ", no_ffmpeg);
}

std::string encode_film(const std::string& file, const std::vector<Image>& frames, double per_second) {
  const std::string ending = ending_of(file);
  return ending == ".mp4"   ? encode_mp4(frames, per_second)
         : ending == ".png" ? encode_apng(frames, per_second)
                            : encode_gif(frames, per_second);
}

}  // namespace forger::gan
