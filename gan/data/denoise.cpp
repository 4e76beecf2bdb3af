// denoise:SOUNDS: pairs made from any set of sounds, from a sound under noise to the sound.
//
//   source, target (H, W, 1)                      levels of their spectra
//   source_waveform, target_waveform (H W)        their samples
//   and the words of the sound
//
// The noise is white, pink, the hum of the mains, or babble: other sounds of the set, several at a time. Its level is
// that of a signal-to-noise ratio between 0 and 10 dB, of the energies over the whole row (under silence, the usual
// loudness). Then both are scaled so that the noisy sound has that loudness, as a recording would be that is to be
// cleaned. Before that the sound is moved round by some time: one that always begins with the row teaches nothing of
// those that do not. All of it is a function of the row and the subset. In training each sound comes under eight noises:
// row i is sound i mod n.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/random.h"
#include "gan/data/images.h"
#include "gan/data/sound_set.h"

namespace forger::gan {
namespace {

const std::string prefix = "denoise:";
constexpr int64_t noises_of_each = 8;
constexpr double least_snr = 0, most_snr = 10;  // dB

double uniform(Random& random, double low, double high) { return random.uniform({1}, low, high).item(); }

// ---- noises: samples of no particular level -------------------------------------------------------------------------

Sound white(int64_t samples, Random& random) {
  const Tensor noise = random.normal({samples});
  return {noise.data<float>(), noise.data<float>() + samples};
}

// 1/f: white noise through three poles, Paul Kellet's economy filter (musicdsp.org, 1999).
Sound pink(int64_t samples, Random& random) {
  Sound sound = white(samples, random);
  float a = 0, b = 0, c = 0;
  for (float& x : sound) {
    a = 0.99765f * a + 0.0990460f * x;
    b = 0.96300f * b + 0.2965164f * x;
    c = 0.57000f * c + 1.0526913f * x;
    x = a + b + c + 0.1848f * x;
  }
  return sound;
}

// 50 or 60 Hz and its overtones up to the sixteenth, the k-th at 1/sqrt(k).
Sound hum(int64_t samples, Random& random) {
  const double frequency = random.below(2) == 0 ? 50 : 60;
  Sound sound(static_cast<size_t>(samples));
  for (int k = 1; k <= 16; k++) {
    const double phase = uniform(random, 0, 2 * std::numbers::pi),
                 step = 2 * std::numbers::pi * k * frequency / sample_rate;
    for (size_t n = 0; n < sound.size(); n++)
      sound[n] += static_cast<float>(std::sin(step * static_cast<double>(n) + phase) / std::sqrt(k));
  }
  return sound;
}

class Denoise : public DataSet {
 public:
  Denoise(DataSetPtr sounds, std::string name, Subset subset)
      : sounds_(std::move(sounds)), name_(std::move(name)), subset_(subset) {
    const Columns& given = sounds_->columns();
    const bool are_sounds =
        find_column(given, "image") != nullptr && find_column(given, waveform_of("image")) != nullptr;
    check<UsageError>(are_sounds, name_, ": ", sounds_->name(), " has ", names_of(given),
                      ", and noise goes over sounds: denoise:speech, denoise:sound:DIR");
    const Shape& picture = find_column(given, "image")->sample;
    columns_ = {{.name = "source", .sample = picture},
                {.name = "target", .sample = picture},
                waveform_column("source", picture),
                waveform_column("target", picture)};
    for (const Column& column : given)
      if (column.name != "image" && column.name != waveform_of("image")) columns_.push_back(column);
  }

  int64_t count() const override { return sounds_->count() * (subset_ == Subset::train ? noises_of_each : 1); }
  const Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    Sound clean(static_cast<size_t>(columns_[2].sample.numel()));
    const bool wanted = std::ranges::any_of(cells.first(own), [](const void* cell) { return cell != nullptr; });
    sounds_->read_row(i % sounds_->count(), cells_of_sound(wanted ? clean.data() : nullptr, cells.subspan(own)));
    if (!wanted) return;
    constexpr uint64_t stream = 0x6e6f697365;
    Random random(static_cast<uint64_t>(i), stream + static_cast<uint64_t>(subset_));
    move_round(clean, random);
    Sound noisy = with_noise(clean, i, random);
    const double factor = factor_to_usual(noisy);
    noisy = scaled(noisy, factor), clean = scaled(clean, factor);
    const Stft stft = stft_of_height(columns_[0].sample[0]);
    const auto give = [&](const Sound& sound, void* picture, void* waveform) {
      if (picture != nullptr) draw_levels(stft, magnitude_of(stft.transform(sound)), static_cast<float*>(picture));
      if (waveform != nullptr) std::ranges::copy(sound, static_cast<float*>(waveform));
    };
    give(noisy, cells[0], cells[2]);
    give(clean, cells[1], cells[3]);
  }
  std::string name() const override { return name_; }
  std::string about() const override {
    return text(sounds_->about(), ", under ", subset_ == Subset::train ? text(noises_of_each, " noises each") : "noise",
                " at ", least_snr, " to ", most_snr, " dB");
  }
  std::vector<Broken> broken() const override { return sounds_->broken(); }
  std::string hash() const override { return hash_of({"denoise", sounds_->hash()}); }

 private:
  static constexpr size_t own = 4;  // of the columns: those that are made here

  // The cells of a row of the sounds: its waveform, and what words are asked for.
  std::vector<void*> cells_of_sound(float* waveform, std::span<void* const> words) const {
    std::vector<void*> cells;
    size_t word = 0;
    for (const Column& column : sounds_->columns())
      cells.push_back(column.name == "image"                ? nullptr
                      : column.name == waveform_of("image") ? waveform
                                                            : words[word++]);
    return cells;
  }

  static void move_round(Sound& sound, Random& random) {
    std::ranges::rotate(sound, sound.begin() + static_cast<ptrdiff_t>(random.below(sound.size())));
  }
  Sound with_noise(const Sound& clean, int64_t row, Random& random) const {
    const double snr = uniform(random, least_snr, most_snr), level = rms_of(clean);
    const Sound noise = drawn(std::ssize(clean), row, random);
    const double asked = (level > 0 ? level : usual_rms) * std::pow(10, -snr / 20), found = rms_of(noise);
    Sound noisy = clean;
    for (size_t n = 0; n < noisy.size() && found > 0; n++) noisy[n] += static_cast<float>(asked / found) * noise[n];
    return noisy;
  }
  Sound drawn(int64_t samples, int64_t row, Random& random) const {
    switch (random.below(4)) {
      case 0:
        return white(samples, random);
      case 1:
        return pink(samples, random);
      case 2:
        return hum(samples, random);
      default:
        return sounds_->count() > 1 ? babble(samples, row % sounds_->count(), random) : pink(samples, random);
    }
  }
  // Four others of the set, each moved round by some time.
  Sound babble(int64_t samples, int64_t own_sound, Random& random) const {
    Sound sum(static_cast<size_t>(samples)), other(sum.size());
    for (int k = 0; k < 4; k++) {
      const auto others = static_cast<uint64_t>(sounds_->count() - 1);
      const int64_t which = (own_sound + 1 + static_cast<int64_t>(random.below(others))) % sounds_->count();
      std::vector<void*> no_words(columns_.size() - own);
      sounds_->read_row(which, cells_of_sound(other.data(), no_words));
      move_round(other, random);
      for (size_t n = 0; n < sum.size(); n++) sum[n] += other[n];
    }
    return sum;
  }

  DataSetPtr sounds_;
  std::string name_;
  Subset subset_;
  Columns columns_;
};

const RegisterDataSource registered{{
    .name = "denoise",
    .help = "denoise:SOUNDS: pairs, from the spectra of sounds under noise to those of the sounds (denoise:speech)",
    .gives = {"source", "target", "label"},
    .accepts = [](const std::string& spec) { return spec.starts_with(prefix); },
    .open = [](const std::string& spec, const DataOptions& options, Subset subset) -> DataSetPtr {
      return std::make_shared<Denoise>(open_data(spec.substr(prefix.size()), options, subset), spec, subset);
    },
    .map_paths = [](const std::string& spec,
                    const DataSource::OnPath& f) { return prefix + map_paths(spec.substr(prefix.size()), f); },
}};

}  // namespace
}  // namespace forger::gan
