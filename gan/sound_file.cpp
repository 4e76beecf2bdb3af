#include "gan/sound_file.h"

#include <samplerate.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "core/file.h"

namespace forger::gan {
namespace {

// A file in memory, as libsndfile asks for it: of `given` bytes when it is read, `made` when it is written.
struct Memory {
  std::string_view given = {};
  std::string made = {};
  sf_count_t at = 0;

  sf_count_t size() const { return std::ssize(given.empty() ? std::string_view(made) : given); }
};

Memory& memory(void* user) { return *static_cast<Memory*>(user); }

sf_count_t size_of_file(void* user) { return memory(user).size(); }
sf_count_t seek(sf_count_t offset, int whence, void* user) {
  Memory& file = memory(user);
  const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at : file.size();
  return file.at = std::max<sf_count_t>(0, from + offset);
}
sf_count_t read(void* into, sf_count_t count, void* user) {
  Memory& file = memory(user);
  count = std::clamp<sf_count_t>(file.size() - file.at, 0, count);
  if (count == 0) return 0;
  std::memcpy(into, file.given.data() + file.at, static_cast<size_t>(count));
  file.at += count;
  return count;
}
sf_count_t write(const void* from, sf_count_t count, void* user) {
  Memory& file = memory(user);
  file.made.resize(static_cast<size_t>(std::max(file.size(), file.at + count)));
  std::memcpy(file.made.data() + file.at, from, static_cast<size_t>(count));
  file.at += count;
  return count;
}
sf_count_t tell(void* user) { return memory(user).at; }

using File = std::unique_ptr<SNDFILE, int (*)(SNDFILE*)>;

File opened(Memory& memory, int mode, SF_INFO& info) {
  SF_VIRTUAL_IO callbacks{size_of_file, seek, read, write, tell};
  return {sf_open_virtual(&callbacks, mode, &info, &memory), sf_close};
}

// libsndfile takes a WAV file that was cut off for a shorter one: the length that its head gives is believed here.
// Programs that write into a pipe give one that none can have.
void check_whole(std::string_view bytes, const std::string& origin) {
  constexpr uint64_t unknown = 0x7fff0000;
  if (!bytes.starts_with("RIFF") || bytes.size() < 8) return;
  uint64_t length = 8;
  for (size_t i = 0; i < 4; i++) length += uint64_t{static_cast<uint8_t>(bytes[4 + i])} << 8 * i;
  check<DataError>(bytes.size() >= length || length >= unknown, "cannot read '", origin,
                   "': it is cut off: ", bytes.size(), " bytes of ", length);
}

Sound resampled(const Sound& sound, int rate, const std::string& origin) {
  if (rate == sample_rate) return sound;
  const double ratio = static_cast<double>(sample_rate) / rate;
  Sound out(static_cast<size_t>(std::ceil(static_cast<double>(sound.size()) * ratio)) + 1);
  SRC_DATA data{.data_in = sound.data(),
                .data_out = out.data(),
                .input_frames = std::ssize(sound),
                .output_frames = std::ssize(out),
                .input_frames_used = 0,
                .output_frames_gen = 0,
                .end_of_input = 1,
                .src_ratio = ratio};
  const int error = src_simple(&data, SRC_SINC_MEDIUM_QUALITY, /*channels=*/1);
  check<DataError>(error == 0, "cannot read '", origin, "': from ", rate, " Hz to ", sample_rate,
                   " Hz: ", src_strerror(error));
  out.resize(static_cast<size_t>(data.output_frames_gen));
  return out;
}

}  // namespace

Sound decode_sound(std::string_view bytes, const std::string& origin) {
  const std::string cannot = "cannot read '" + origin + "': ";
  check<DataError>(!bytes.empty(), cannot, "it is empty");
  Memory memory{.given = bytes};
  SF_INFO info{};
  const File file = opened(memory, SFM_READ, info);
  check<DataError>(file != nullptr, cannot, sf_strerror(nullptr));
  check_whole(bytes, origin);
  check<DataError>(info.samplerate >= sample_rate, cannot, "it is sampled at ", info.samplerate, " Hz, and ",
                   sample_rate, " Hz are the least: what is above its ", info.samplerate / 2, " Hz is not there");
  constexpr sf_count_t at_once = 4096;
  const auto channels = static_cast<size_t>(info.channels);
  std::vector<float> block(static_cast<size_t>(at_once) * channels);
  Sound sound;
  for (sf_count_t got = 0; (got = sf_readf_float(file.get(), block.data(), at_once)) > 0;) {
    for (size_t i = 0; i < static_cast<size_t>(got); i++) {
      float sum = 0;
      for (size_t c = 0; c < channels; c++) sum += block[i * channels + c];
      sound.push_back(sum / static_cast<float>(channels));
    }
  }
  check<DataError>(sf_error(file.get()) == SF_ERR_NO_ERROR, cannot, sf_strerror(file.get()));
  check<DataError>(!sound.empty(), cannot, "it holds no sound");
  check<DataError>(std::ssize(sound) >= info.frames, cannot, "it is damaged: ", sound.size(), " of ", info.frames,
                   " samples are there");
  const auto odd = std::ranges::find_if(sound, [](float x) { return !std::isfinite(x); });
  check<DataError>(odd == sound.end(), cannot, "sample ", odd - sound.begin(), " is no number");
  sound = resampled(sound, info.samplerate, origin);
  check<DataError>(!sound.empty(), cannot, "it holds less than a sample at ", sample_rate, " Hz");
  return sound;
}

Sound read_sound(const std::string& path) { return decode_sound(read_file(path), path); }

std::string encode_wav(const Sound& sound) {
  Memory memory;
  SF_INFO info{};
  info.samplerate = sample_rate, info.channels = 1, info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  File file = opened(memory, SFM_WRITE, info);
  check<Error>(file != nullptr, "[encode_wav] ", sf_strerror(nullptr));
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  const sf_count_t written = sf_writef_float(file.get(), sound.data(), std::ssize(sound));
  check<Error>(written == std::ssize(sound), "[encode_wav] ", sf_strerror(file.get()));
  file.reset();  // the head is written last
  return std::move(memory.made);
}

void write_wav(const std::string& path, const Sound& sound) { write_file(path, encode_wav(sound)); }

}  // namespace forger::gan
