#include "gan/sound_translation.h"

#include <algorithm>

#include "gan/data/sound_set.h"

namespace forger::gan {

bool is_spectrum(const Columns& columns, const std::string& column) {
  return find_column(columns, column) != nullptr && find_column(columns, waveform_of(column)) != nullptr;
}

bool translates_sound(const View& view, const Columns& columns) {
  return view.given.size() == 1 && is_spectrum(columns, view.given.front()) && is_spectrum(columns, view.like);
}

Sound translated(Recipe& recipe, const View& view, const Shape& picture, const Sound& sound,
                 const std::function<Batch(int64_t rows)>& drawn, int passes) {
  constexpr int64_t at_once = 64;
  const int64_t height = picture[0], width = picture[1], step = std::max<int64_t>(1, width / 2);
  const Stft stft = stft_of_height(height);
  const double factor = factor_to_usual(sound);
  Sound padded = scaled(sound, factor);
  const int64_t needed = std::max(stft.frames(std::ssize(sound)), width),
                pictures = 1 + (needed - width + step - 1) / step, frames = width + (pictures - 1) * step;
  padded.resize(static_cast<size_t>(frames * stft.hop));
  const Spectrum spectrum = stft.transform(padded);
  std::vector<float> levels(static_cast<size_t>(height * frames)), joined(levels.size()), weight(levels.size());
  draw_levels(stft, magnitude_of(spectrum), levels.data());

  for (int64_t first = 0; first < pictures; first += at_once) {
    const int64_t rows = std::min(at_once, pictures - first);
    const Tensor cut({rows, height, width, 1}, DType::f32);
    const auto each = [&](auto&& f) {  // f(place in the rows, place in the whole, column of the picture)
      for (int64_t i = 0; i < rows; i++)
        for (int64_t row = 0; row < height; row++)
          for (int64_t column = 0; column < width; column++)
            f((i * height + row) * width + column, static_cast<size_t>(row * frames + (first + i) * step + column),
              column);
    };
    each([&](int64_t from, size_t whole, int64_t) { cut.data<float>()[from] = levels[whole]; });
    const Tensor made =
        to(recipe.make(view, drawn(rows).add(view.given.front(), cut)).tensors.front().tensor, Device::cpu);
    each([&](int64_t from, size_t whole, int64_t column) {
      const auto share = static_cast<float>(std::min(column + 1, width - column));
      joined[whole] += share * made.data<float>()[from];
      weight[whole] += share;
    });
  }
  for (size_t i = 0; i < joined.size(); i++) joined[i] /= weight[i];
  Sound clean = griffin_lim(stft, magnitude_of_levels(stft, joined), spectrum, std::ssize(padded), passes);
  clean.resize(sound.size());
  return scaled(clean, 1 / factor);
}

}  // namespace forger::gan
