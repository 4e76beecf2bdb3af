#include "gan/data/sound_set.h"

#include <algorithm>

#include "gan/data/images.h"

namespace forger::gan {

Column waveform_column(const std::string& column, const Shape& picture) {
  return {.name = waveform_of(column), .sample = {picture[0] * picture[1]}};
}

SoundSet::SoundSet(std::string name, std::vector<Recording> recordings, const Columns& words, std::string hash,
                   const DataOptions& options)
    : name_(std::move(name)), hash_(std::move(hash)), recordings_(std::move(recordings)) {
  constexpr int64_t usual = 64;
  const Shape picture{options.height > 0 ? options.height : usual, options.height > 0 ? options.width : usual, 1};
  columns_ = {{.name = "image", .sample = picture}, waveform_column("image", picture)};
  columns_.insert(columns_.end(), words.begin(), words.end());
  const auto length = static_cast<size_t>(picture.numel());
  for (size_t k = 0; k < recordings_.size(); k++) {
    Sound& sound = recordings_[k].sound;
    sound = scaled(sound, factor_to_usual(sound));
    const size_t rows = std::max<size_t>(1, (sound.size() + length / 2) / length);
    for (size_t row = 0; row < rows; row++) rows_.push_back({k, row * length});
  }
}

void SoundSet::read_row(int64_t i, std::span<void* const> cells) const {
  const Row& row = rows_[static_cast<size_t>(i)];
  const Recording& recording = recordings_[row.recording];
  const Shape& picture = columns_[0].sample;
  if (cells[0] != nullptr || cells[1] != nullptr) {
    const auto length = static_cast<size_t>(picture.numel());
    Sound sound(recording.sound.begin() + static_cast<ptrdiff_t>(row.begin),
                recording.sound.begin() + static_cast<ptrdiff_t>(std::min(row.begin + length, recording.sound.size())));
    sound.resize(length);
    const Stft stft = stft_of_height(picture[0]);
    if (cells[0] != nullptr) draw_levels(stft, magnitude_of(stft.transform(sound)), static_cast<float*>(cells[0]));
    if (cells[1] != nullptr) std::ranges::copy(sound, static_cast<float*>(cells[1]));
  }
  for (size_t k = 2; k < cells.size(); k++)
    if (cells[k] != nullptr) *static_cast<int64_t*>(cells[k]) = recording.words[k - 2];
}

std::string SoundSet::about() const {
  size_t samples = 0;
  for (const Recording& recording : recordings_) samples += recording.sound.size();
  const auto seconds = static_cast<int64_t>(samples / sample_rate);
  return text(recordings_.size(), recordings_.size() == 1 ? " sound" : " sounds", " of ", seconds,
              " seconds in all, as ", count(), count() == 1 ? " spectrum " : " spectra ", about_classes(*this));
}

}  // namespace forger::gan
