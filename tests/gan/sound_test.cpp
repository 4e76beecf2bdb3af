// Sounds: files, spectra and the way back, sets of sounds, sounds under noise.
#include <sndfile.h>

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <numbers>
#include <set>

#include "core/ops.h"
#include "core/random.h"
#include "gan/data.h"
#include "gan/data/sound_set.h"
#include "gan/sound_file.h"
#include "gan/sound_translation.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using test::error_of;

namespace {

constexpr Stft stft{128, 64};

Sound sine(double frequency, int64_t samples, double amplitude = 1, int rate = sample_rate) {
  Sound sound;
  for (int64_t n = 0; n < samples; n++)
    sound.push_back(static_cast<float>(
        amplitude * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(n) / static_cast<double>(rate))));
  return sound;
}

Sound noise(int64_t samples, uint64_t seed = 1) {
  const Tensor values = Random(seed).normal({samples}, 0, 0.2);
  return {values.data<float>(), values.data<float>() + samples};
}

double most_off(const Sound& a, const Sound& b) {
  REQUIRE(a.size() == b.size());
  float most = 0;
  for (size_t i = 0; i < a.size(); i++) most = std::max(most, std::abs(a[i] - b[i]));
  return static_cast<double>(most);
}

// A file as libsndfile writes it: format SF_FORMAT_..., every channel the sound times 1, 1/2, ...
std::string written(const test::Scratch& scratch, const std::string& name, const Sound& sound, int format, int rate,
                    int channels = 1) {
  scratch.write(name, "");
  SF_INFO info{};
  info.samplerate = rate, info.channels = channels, info.format = format;
  SNDFILE* file = sf_open(scratch.file(name).c_str(), SFM_WRITE, &info);
  REQUIRE(file != nullptr);
  Sound samples;
  for (const float x : sound)
    for (int c = 0; c < channels; c++) samples.push_back(x / static_cast<float>(c + 1));
  REQUIRE(sf_writef_float(file, samples.data(), std::ssize(sound)) == std::ssize(sound));
  sf_close(file);
  return scratch.file(name);
}

constexpr int wav16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16, wav_float = SF_FORMAT_WAV | SF_FORMAT_FLOAT,
              flac = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, ogg = SF_FORMAT_OGG | SF_FORMAT_VORBIS;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

bool has_espeak() {
  const bool has = std::system("espeak-ng --version >/dev/null 2>&1") == 0;
  if (!has) std::cout << "skipped: no espeak-ng\n";
  return has;
}

std::vector<float> row(const Tensor& rows, int64_t i) {
  const int64_t size = rows.numel() / rows.size(0);
  return {rows.data<float>() + i * size, rows.data<float>() + (i + 1) * size};
}

// Makes of a spectrum what it was given, a tenth of the range brighter; or, wrong at the edges alone, a fifth in the
// first and last quarter of its columns.
class Brighter : public Recipe {
 public:
  explicit Brighter(bool at_edges = false) : Recipe(common_settings()), at_edges_(at_edges) {}
  Readings step(const NextBatch& /*next*/) override { return {}; }
  std::vector<View> views() override {
    return {{.name = "brighter",
             .given = {"source"},
             .make = [this](const Batch& from) { return Batch().add("target", made(from["source"])); },
             .like = "target"}};
  }

 private:
  Tensor made(const Tensor& source) const {
    if (!at_edges_) return source + 0.2;
    const auto columns = [&](int64_t first, int64_t last) { return slice(source, 2, first, last); };
    return concat(std::vector<Tensor>{columns(0, 16) + 0.4, columns(16, 48), columns(48, 64) + 0.4}, 2);
  }
  bool at_edges_;
};

}  // namespace

TEST_CASE("sound: the transform and back, for any length and overlap") {
  for (const Stft each : {Stft{128, 64}, Stft{128, 32}, Stft{64, 20}, Stft{32, 16}})
    for (const int64_t samples : {1, 63, 64, 1000, 4096}) {
      const Sound sound = noise(samples);
      const Spectrum spectrum = each.transform(sound);
      CHECK(std::ssize(spectrum) == each.frames(samples) * each.bins());
      CHECK(most_off(each.inverse(spectrum, samples), sound) < 1e-5);
    }
  CHECK(stft.frames(4096) == 64);
  CHECK_THROWS_AS(stft.inverse(stft.transform(noise(100)), 1000), ShapeError);
}

TEST_CASE("sound: a sine is a line at its frequency and level") {
  const Magnitude magnitude = magnitude_of(stft.transform(sine(1000, 4096, 0.5)));
  std::vector<float> picture(64 * 64);
  draw_levels(stft, magnitude, picture.data());
  constexpr int64_t bin = 1000 / 62.5, line = 63 - bin;
  for (int64_t frame = 1; frame < 63; frame++) {
    CHECK(stft.decibels(static_cast<double>(magnitude[frame * 65 + bin])) == Approx(-6.02).margin(0.02));
    for (int64_t r = 0; r < 64; r++) {
      const float level = picture[static_cast<size_t>(r * 64 + frame)];
      if (r == line) CHECK(level == Approx(1 - 2 * 6.02 / 70).margin(1e-3));
      if (std::abs(r - line) == 1) CHECK(level == Approx(1 - 2 * 12.04 / 70).margin(1e-3));  // Hann's main lobe
      if (std::abs(r - line) > 1) CHECK(level == -1);
    }
  }
}

TEST_CASE("sound: levels and back; what is fainter than 70 dB, or louder than a sine, is clipped") {
  const Magnitude magnitude = magnitude_of(stft.transform(noise(4096)));
  std::vector<float> picture(64 * 64);
  draw_levels(stft, magnitude, picture.data());
  const Magnitude back = magnitude_of_levels(stft, picture);
  REQUIRE(back.size() == magnitude.size());
  const float least = 32 * std::pow(10.0f, -3.5f);
  for (size_t i = 0; i < back.size(); i++) {
    if (i % 65 == 64)
      CHECK(back[i] == 0);  // 4 kHz has no row
    else
      CHECK(back[i] == Approx(std::clamp(magnitude[i], least, 32.0f)).epsilon(1e-4));
  }
  draw_levels(stft, Magnitude(65, 0.0f), picture.data());
  CHECK(picture[0] == -1);
  draw_levels(stft, Magnitude(65, 1e6f), picture.data());
  CHECK(picture[0] == 1);
}

TEST_CASE("sound: every pass of Griffin and Lim is more consistent than the one before") {
  // Magnitudes that no sound has: those of one with holes in it.
  const Sound sound = noise(4096);
  Magnitude magnitude = magnitude_of(stft.transform(sound));
  for (size_t i = 0; i < magnitude.size(); i++)
    if (i / 65 % 4 == 0 || i % 5 == 0) magnitude[i] = 0;
  const Spectrum flat(magnitude.size(), 1), noisy = stft.transform(noise(4096, 2));
  for (const Spectrum& start : {flat, noisy}) {
    double before = std::numeric_limits<double>::infinity();
    for (int passes = 0; passes < 40; passes++) {
      const double now = inconsistency(stft, griffin_lim(stft, magnitude, start, 4096, passes), magnitude);
      CHECK(now <= before * (1 + 1e-6));
      if (passes == 1) CHECK(now < 0.95 * before);
      before = now;
    }
  }
  // True magnitudes under the true phases are the sound, and stay it.
  const Magnitude whole = magnitude_of(stft.transform(sound));
  CHECK(inconsistency(stft, sound, whole) < 1e-10);
  CHECK(most_off(griffin_lim(stft, whole, stft.transform(sound), 4096, 5), sound) < 1e-4);
  // From a phase that is near it comes nearer than from none.
  Sound near = sound;
  for (size_t n = 0; n < near.size(); n++) near[n] += 0.3f * noise(4096, 3)[n];
  CHECK(inconsistency(stft, griffin_lim(stft, whole, stft.transform(near), 4096, 10), whole) <
        0.5 * inconsistency(stft, griffin_lim(stft, whole, flat, 4096, 10), whole));
  CHECK_THROWS_AS(griffin_lim(stft, whole, Spectrum(3), 4096, 1), ShapeError);
}

TEST_CASE("sound file: WAV, FLAC and Ogg, one channel or several, any rate") {
  const test::Scratch scratch;
  const Sound sound = sine(440, 8000, 0.5);
  CHECK(most_off(read_sound(written(scratch, "a.wav", sound, wav16, 8000)), sound) < 1e-4);
  CHECK(most_off(read_sound(written(scratch, "a.flac", sound, flac, 8000)), sound) < 1e-4);
  CHECK(most_off(read_sound(written(scratch, "two.wav", sound, wav_float, 8000, 2)), scaled(sound, 0.75)) < 1e-6);
  const Sound lossy = read_sound(written(scratch, "a.ogg", sound, ogg, 8000));
  CHECK(rms_of(lossy) == Approx(rms_of(sound)).epsilon(0.1));
  const Sound down = read_sound(written(scratch, "cd.wav", sine(440, 44100, 0.5, 44100), wav_float, 44100));
  CHECK(std::abs(std::ssize(down) - 8000) <= 1);
  const auto middle = [](const Sound& all) { return Sound(all.begin() + 500, all.begin() + 7500); };
  CHECK(most_off(middle(down), middle(sound)) < 1e-3);
  // What would fold back is not there.
  CHECK(rms_of(read_sound(written(scratch, "high.wav", sine(6000, 44100, 0.5, 44100), wav_float, 44100))) < 0.01);
}

TEST_CASE("sound file: WAV of 16 bits is written whole, clipped, and read back") {
  const test::Scratch scratch;
  Sound sound = noise(1000);
  sound[3] = 7, sound[4] = -7;
  write_wav(scratch.file("a.wav"), sound);
  CHECK(test::contents(scratch.file("a.wav")).size() == 44 + 2000);
  for (float& x : sound) x = std::clamp(x, -1.0f, 1.0f);
  CHECK(most_off(read_sound(scratch.file("a.wav")), sound) < 1.0 / 32000);
  CHECK(encode_wav(sound) == test::contents(scratch.file("a.wav")));
  CHECK_THROWS_AS(write_wav(scratch.path() + "/no/such/folder/a.wav", sound), DataError);
}

TEST_CASE("sound file: what is no sound gets one line with its name") {
  const test::Scratch scratch;
  const auto refusal = [&](const std::string& path) {
    const std::string error = error_of<DataError>([&] { read_sound(path); });
    INFO(path);
    CHECK(error.starts_with("cannot read '" + path + "': "));
    CHECK(!holds(error, "\n"));
    return error;
  };
  const std::string wav = encode_wav(noise(1000));
  CHECK(error_of<DataError>([&] { read_sound(scratch.file("nowhere.wav")); }) ==
        "cannot read " + scratch.file("nowhere.wav") + ": No such file or directory");
  CHECK(holds(refusal(scratch.write("empty.wav", "")), "it is empty"));
  CHECK(holds(refusal(scratch.write("text.wav", "not a sound at all, but a few words")), "ormat"));
  CHECK(holds(refusal(scratch.write("head.wav", encode_wav({}))), "it holds no sound"));
  CHECK(holds(refusal(scratch.write("cut.wav", wav.substr(0, 1500))), "it is cut off: 1500 bytes of 2044"));
  CHECK(holds(refusal(written(scratch, "low.wav", noise(100), wav16, 4000)), "sampled at 4000 Hz, and 8000 Hz are"));
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Sound sound = noise(100);
    sound[17] = odd;
    CHECK(holds(refusal(written(scratch, "odd.wav", sound, wav_float, 8000)), "sample 17 is no number"));
  }
  const std::string whole = test::contents(written(scratch, "a.flac", noise(20000), flac, 8000));
  refusal(scratch.write("cut.flac", whole.substr(0, whole.size() / 2)));
  // Of a head whose length a pipe did not know, all that is there counts.
  std::string piped = wav;
  piped.replace(4, 4, "\x24\xf0\xff\x7f"), piped.replace(40, 4, std::string("\x00\xf0\xff\x7f", 4));
  CHECK(decode_sound(piped, "a pipe").size() == 1000);
  // Whatever is done to a file, it is read or refused.
  Random random(5);
  for (const std::string& file : {wav, whole, test::contents(written(scratch, "a.ogg", noise(4000), ogg, 8000))})
    for (int trial = 0; trial < 200; trial++) {
      std::string damaged = file.substr(0, trial % 2 == 0 ? file.size() : random.below(file.size()));
      for (int k = 0; k < 3 && !damaged.empty(); k++)
        damaged[random.below(trial % 4 == 0 ? std::min<size_t>(64, damaged.size()) : damaged.size())] =
            static_cast<char>(random.below(256));
      try {
        const Sound sound = decode_sound(damaged, "damaged");
        CHECK(!sound.empty());
      } catch (const DataError& error) {
        CHECK(std::string(error.what()).starts_with("cannot read 'damaged': "));
      }
    }
}

TEST_CASE("sound: a folder of sounds is cut into rows; sub-folders are classes; broken files are named") {
  const test::Scratch scratch;
  written(scratch, "set/high/a.wav", sine(2000, 4096, 0.01), wav16, 8000);
  written(scratch, "set/high/b.flac", sine(2000, 11000), flac, 8000);  // 2.7 rows
  written(scratch, "set/low/c.wav", sine(250, 100), wav16, 8000);
  scratch.write("set/low/notes.txt", "");
  const std::string spec = "sound:" + scratch.file("set");
  const DataSetPtr data = open_data(spec, 64);
  CHECK(data->count() == 1 + 3 + 1);
  CHECK(names_of(data->columns()) == "image, waveform and label");
  CHECK(data->sample() == Shape{64, 64, 1});
  CHECK(data->columns()[1].sample == Shape{4096});
  CHECK(data->class_name(1) == "low");
  CHECK(holds(data->about(),
              "3 sounds of 1 seconds in all, as 5 spectra in 2 classes (high 4, low 1); left out: 1 .txt"));
  const Batch rows = read_rows(*data, 0, 5);
  CHECK(rows["label"].to_vector() == std::vector<double>{0, 0, 0, 0, 1});
  CHECK(rms_of(row(rows["waveform"], 0)) == Approx(usual_rms).epsilon(1e-3));  // however faint the file is
  const Sound last = row(rows["waveform"], 3);
  CHECK(last[11000 - 8192 - 1] != 0);
  CHECK(last[11000 - 8192] == 0);
  std::vector<float> picture(4096);
  draw_levels(stft, magnitude_of(stft.transform(last)), picture.data());
  CHECK(row(rows["image"], 3) == picture);
  CHECK(open_data(spec)->sample() == Shape{64, 64, 1});
  DataOptions wide(32);
  wide.width = 128;
  CHECK(open_data(spec, wide)->columns()[1].sample == Shape{4096});
  CHECK(map_paths("sound:a", [](const std::string& path) { return "/x/" + path; }) == "sound:/x/a");

  scratch.write("set/low/broken.wav", "RIFF");
  const std::string error = error_of<DataError>([&] { open_data(spec, 64); });
  CHECK(holds(error, "1 of 4 sounds in"));
  CHECK(holds(error, "broken.wav': "));
  CHECK(holds(error, "; --skip-broken leaves them out"));
  DataOptions skipping(64);
  skipping.skip_broken = true;
  const DataSetPtr rest = open_data(spec, skipping);
  CHECK(rest->count() == 5);
  REQUIRE(rest->broken().size() == 1);
  CHECK(rest->broken()[0].file == "low/broken.wav");
  CHECK(rest->hash() == data->hash());
  DataOptions without(64);
  without.leave_out = {"low/broken.wav"};
  CHECK(open_data(spec, without)->hash() == data->hash());
  scratch.write("nothing/notes.txt", "");
  CHECK(holds(error_of<DataError>([&] { open_data("sound:" + scratch.file("nothing"), 64); }), "no sound in '"));
  CHECK(holds(error_of<DataError>([&] { open_data("sound:" + scratch.file("nowhere"), 64); }), "no folder '"));
}

TEST_CASE("denoise: sounds under noise of a known level, always the same") {
  const test::Scratch scratch;
  for (int k = 0; k < 5; k++)
    written(scratch, "set/" + std::to_string(k) + ".wav", sine(300 + 100 * k, 4096), wav16, 8000);
  const std::string spec = "denoise:sound:" + scratch.file("set");
  const DataSetPtr train = open_data(spec, 64), held_out = open_data(spec, 64, Subset::test);
  CHECK(train->count() == 40);
  CHECK(held_out->count() == 5);
  CHECK(names_of(train->columns()) == "source, target, source_waveform and target_waveform");
  CHECK(holds(train->about(),
              "5 sounds of 2 seconds in all, as 5 spectra without classes, under 8 noises each at 0 to 10 dB"));
  const Batch rows = read_rows(*train, 0, 40);
  std::set<int> levels, colours;
  std::set<float> starts;
  for (int64_t i = 0; i < 40; i++) {
    const Sound noisy = row(rows["source_waveform"], i), clean = row(rows["target_waveform"], i);
    Sound off = noisy;
    for (size_t n = 0; n < off.size(); n++) off[n] -= clean[n];
    const double snr = 20 * std::log10(rms_of(clean) / rms_of(off));
    CHECK(snr > -0.001);
    CHECK(snr < 10.001);
    CHECK(rms_of(noisy) == Approx(usual_rms).epsilon(1e-4));
    levels.insert(static_cast<int>(snr));
    // Where half of its energy lies says which noise it is.
    const Magnitude magnitude = magnitude_of(stft.transform(off));
    double all = 0, below = 0;
    for (size_t k = 0; k < magnitude.size(); k++)
      (k % 65 < 16 ? below : all) += static_cast<double>(magnitude[k] * magnitude[k]);
    colours.insert(static_cast<int>(10 * below / (all + below)));
    std::vector<float> picture(4096);
    draw_levels(stft, magnitude_of(stft.transform(noisy)), picture.data());
    CHECK(row(rows["source"], i) == picture);
    draw_levels(stft, magnitude_of(stft.transform(clean)), picture.data());
    CHECK(row(rows["target"], i) == picture);
    // Row i is sound i mod 5, moved round: the same samples in another order.
    const auto in_order = [](Sound sound) {
      std::ranges::sort(sound);
      return sound;
    };
    const Sound whole = sine(300 + 100 * static_cast<double>(i % 5), 4096);
    CHECK(most_off(in_order(scaled(clean, rms_of(whole) / rms_of(clean))), in_order(whole)) < 1e-3);
    starts.insert(clean.front());
  }
  CHECK(levels.size() >= 8);
  CHECK(starts.size() > 30);
  CHECK(colours.contains(2));  // white: a quarter lies below 1 kHz
  CHECK(colours.contains(8));  // pink
  CHECK(colours.contains(9));  // hum, and babble of these sines
  const Batch again = read_rows(*open_data(spec, 64), 17, 1, {"source"});
  CHECK(row(again["source"], 0) == row(rows["source"], 17));
  CHECK(row(rows["source"], 0) != row(rows["source"], 5));                        // another noise
  CHECK(row(read_rows(*held_out, 0, 1)["source"], 0) != row(rows["source"], 0));  // and yet another
  CHECK(train->hash() != open_data("sound:" + scratch.file("set"), 64)->hash());
  CHECK(map_paths("denoise:sound:a", [](const std::string& path) { return "/x/" + path; }) == "denoise:sound:/x/a");
  CHECK(error_of<UsageError>([] { open_data("denoise:ring8"); }) ==
        "denoise:ring8: ring8 has point and label, and noise goes over sounds: denoise:speech, denoise:sound:DIR");
}

TEST_CASE("denoise: silence is under noise, too; one sound alone has no babble") {
  const test::Scratch scratch;
  written(scratch, "set/a.wav", Sound(4096), wav16, 8000);
  const DataSetPtr data = open_data("denoise:sound:" + scratch.file("set"), 64);
  const Batch rows = read_rows(*data, 0, 8);
  for (int64_t i = 0; i < 8; i++) {
    CHECK(rms_of(row(rows["source_waveform"], i)) == Approx(usual_rms).epsilon(1e-4));
    CHECK(rms_of(row(rows["target_waveform"], i)) == 0);
  }
}

TEST_CASE("sound translation: a sound of any length, cut, joined, as loud as it was") {
  const Columns columns{{.name = "source", .sample = {64, 64, 1}},
                        {.name = "target", .sample = {64, 64, 1}},
                        waveform_column("source", {64, 64, 1}),
                        waveform_column("target", {64, 64, 1})};
  Brighter recipe;
  const View view = view_of(recipe, "brighter");
  CHECK(translates_sound(view, columns));
  CHECK(!translates_sound(view, {columns[0], columns[1]}));
  const double louder = std::pow(10, 0.1 * 70 / 20);  // 0.2 of a range of 2, which is 70 dB
  for (const int64_t samples : {500, 4096, 4097, 50000}) {
    const Sound sound = scaled(noise(samples), 0.05),
                made = translated(recipe, view, columns[0].sample, sound, [](int64_t) { return Batch(); });
    REQUIRE(made.size() == sound.size());
    Sound off = made;
    for (size_t n = 0; n < off.size(); n++) off[n] -= static_cast<float>(louder) * sound[n];
    CHECK(rms_of(off) < 0.2 * rms_of(made));  // what is lost: 4 kHz, and the edge of what was padded
  }
  // Where pictures overlap, the one counts whose middle is nearer: of 7 dB everywhere a good half is left.
  Brighter at_edges(/*at_edges=*/true);
  const Sound sound = scaled(noise(50000), 0.05),
              made = translated(at_edges, view_of(at_edges, "brighter"), columns[0].sample, sound,
                                [](int64_t) { return Batch(); });
  CHECK(20 * std::log10(rms_of(made) / rms_of(sound)) == Approx(4.6).margin(0.5));
}

TEST_CASE("speech: forty words, two voices of fourteen held out, the same again from the cache") {
  if (!has_espeak()) return;
  const test::Scratch scratch;
  setenv("FORGER_CACHE", scratch.path().c_str(), 1);
  const DataSetPtr train = open_data("speech", 64), held_out = open_data("speech", 64, Subset::test);
  CHECK(train->count() == 12 * 40);
  CHECK(held_out->count() == 2 * 40);
  CHECK(names_of(train->columns()) == "image, waveform, label and voice");
  CHECK(train->classes() == 40);
  CHECK(train->columns()[3].words == held_out->columns()[3].words);
  const Batch rows = read_rows(*train, 0, train->count()), others = read_rows(*held_out, 0, held_out->count());
  const auto voices = [](const Batch& batch) {
    const std::vector<double> all = batch["voice"].to_vector();
    return std::set<double>(all.begin(), all.end());
  };
  CHECK(voices(rows).size() == 12);
  CHECK(voices(others) == std::set<double>{12, 13});
  for (int64_t i = 0; i < train->count(); i++) {
    const Sound word = row(rows["waveform"], i);
    CHECK(rms_of(word) > 0.05);
    CHECK(rms_of(std::span(word).last(40)) < 0.02);  // all of it fits
  }
  const std::string kept = [&] {
    for (const auto& file : std::filesystem::directory_iterator(scratch.path())) return file.path().string();
    return std::string();
  }();
  REQUIRE(holds(kept, "speech-"));
  const Batch cached = read_rows(*open_data("speech", 64), 0, train->count());
  CHECK(cached["image"].to_vector() == rows["image"].to_vector());
  // A damaged cache is made again, to the same bytes.
  const std::string bytes = test::contents(kept);
  scratch.write(std::filesystem::path(kept).filename(), bytes.substr(0, 5000));
  CHECK(read_rows(*open_data("speech", 64), 0, train->count())["image"].to_vector() == rows["image"].to_vector());
  CHECK(test::contents(kept) == bytes);
}

TEST_CASE("speech: without espeak-ng one line says what to install") {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const std::string error = error_of<DataError>([] { open_data("denoise:speech", 64); });
  setenv("PATH", path.c_str(), 1);
  CHECK(error == "speech: no espeak-ng, the program that says the words; install it with: apt-get install espeak-ng");
}
