#include "metrics/denoising.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/ops.h"
#include "gan/data.h"
#include "gan/data/sound_set.h"
#include "gan/sound_translation.h"

namespace forger::metrics {
namespace {

constexpr gan::Stft ear{256, 64};  // the same whatever the size of a run's pictures
constexpr uint64_t rows_stream = 0x736f756e64;
constexpr std::array keys{"noisy", "noisy_phase", "griffin_lim", "clean"};  // of the ways

gan::View sound_view(gan::Recipe& recipe, const gan::Columns& columns) {
  for (const gan::View& view : recipe.views())
    if (gan::translates_sound(view, columns)) return view;
  throw UsageError(
      text("denoising is measured where a view makes spectra of sounds from others, as pix2pix does on "
           "--data denoise:speech; this system has: ",
           gan::names_of(recipe.views())));
}

std::span<const float> row_of(const Tensor& rows, int64_t i) {
  const int64_t size = rows.numel() / rows.size(0);
  return {rows.data<float>() + i * size, static_cast<size_t>(size)};
}

}  // namespace

double log_spectral_distance(std::span<const float> made, std::span<const float> clean) {
  const gan::Magnitude a = gan::magnitude_of(ear.transform(made)), b = gan::magnitude_of(ear.transform(clean));
  check<ShapeError>(a.size() == b.size() && !a.empty(), "[log_spectral_distance] sounds of ", made.size(), " and ",
                    clean.size(), " samples");
  const auto bins = static_cast<size_t>(ear.bins());
  double sum = 0;
  for (size_t first = 0; first < a.size(); first += bins) {
    double squares = 0;
    for (size_t k = first; k < first + bins; k++)
      squares += std::pow(ear.decibels(static_cast<double>(a[k])) - ear.decibels(static_cast<double>(b[k])), 2);
    sum += std::sqrt(squares / static_cast<double>(bins));
  }
  return sum / static_cast<double>(a.size() / bins);
}

double si_sdr(std::span<const float> made, std::span<const float> clean) {
  check<ShapeError>(made.size() == clean.size(), "[si_sdr] sounds of ", made.size(), " and ", clean.size(), " samples");
  double product = 0, energy = 0, target = 0, distortion = 0;
  for (size_t n = 0; n < clean.size(); n++) {
    const auto x = static_cast<double>(made[n]), s = static_cast<double>(clean[n]);
    product += x * s, energy += s * s;
  }
  const double a = product / energy;
  for (size_t n = 0; n < clean.size(); n++) {
    const double s = a * static_cast<double>(clean[n]), off = s - static_cast<double>(made[n]);
    target += s * s, distortion += off * off;
  }
  return 10 * std::log10(target / distortion);
}

Denoising denoising(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count, uint64_t seed,
                    const Announcer& announce) {
  constexpr int64_t at_once = 64;
  const gan::View view = sound_view(recipe, held_out.columns());
  const std::string &given = view.given.front(), noisy_name = gan::waveform_of(given),
                    clean_name = gan::waveform_of(view.like);
  const gan::Stft stft = gan::stft_of_height(gan::find_column(held_out.columns(), given)->sample[0]);
  const std::vector<int64_t> order = Random(seed, rows_stream).permutation(held_out.count());
  const int64_t total = std::min(count, held_out.count());
  Denoising found{
      view.name, 0, {{"noisy"}, {view.name + ", noisy phase"}, {view.name + ", Griffin-Lim"}, {"clean, noisy phase"}}};
  Random random(seed, rows_stream + 1);
  for (int64_t first = 0; first < total; first += at_once) {
    const int64_t rows = std::min(at_once, total - first);
    if (announce) announce("denoising sounds", first, total);
    const gan::Batch batch =
        read_rows(held_out, std::span(order).subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
                  {given, noisy_name, clean_name});
    gan::Batch from;
    if (view.draw) from = view.draw(rows, random);
    const Tensor made = to(recipe.make(view, from.add(given, batch[given])).tensors.front().tensor, Device::cpu);
    for (int64_t i = 0; i < rows; i++) {
      const std::span<const float> noisy = row_of(batch[noisy_name], i), clean = row_of(batch[clean_name], i);
      if (gan::rms_of(clean) == 0) continue;
      const int64_t samples = std::ssize(clean);
      const gan::Spectrum start = stft.transform(noisy);
      const gan::Magnitude magnitude = gan::magnitude_of_levels(stft, row_of(made, i)),
                           true_magnitude = gan::magnitude_of(stft.transform(clean));
      const gan::Sound sounds[] = {{noisy.begin(), noisy.end()},
                                   gan::griffin_lim(stft, magnitude, start, samples, 0),
                                   gan::griffin_lim(stft, magnitude, start, samples, griffin_lim_passes),
                                   gan::griffin_lim(stft, true_magnitude, start, samples, 0)};
      for (size_t way = 0; way < found.ways.size(); way++) {
        found.ways[way].lsd += log_spectral_distance(sounds[way], clean);
        found.ways[way].si_sdr += si_sdr(sounds[way], clean);
      }
      found.rows++;
    }
  }
  check<UsageError>(found.rows > 0, held_out.name(), ": in none of ", total, " held-out rows anything is to be heard");
  for (Denoised& way : found.ways)
    way.lsd /= static_cast<double>(found.rows), way.si_sdr /= static_cast<double>(found.rows);
  return found;
}

gan::Scalars numbers_of(const Denoising& found) {
  gan::Scalars numbers;
  for (size_t way = 0; way < found.ways.size(); way++) {
    numbers.push_back({text("denoise.", keys[way], ".lsd"), found.ways[way].lsd});
    numbers.push_back({text("denoise.", keys[way], ".si_sdr"), found.ways[way].si_sdr});
  }
  return numbers;
}

std::vector<std::string> table_of(const Denoising& found) {
  if (found.ways.empty()) return {};
  char line[96];
  std::vector<std::string> lines;
  std::snprintf(line, sizeof line, "%-32s %8s %10s", text(found.rows, " held-out rows").c_str(), "LSD dB", "SI-SDR dB");
  lines.push_back(line);
  for (const Denoised& way : found.ways) {
    std::snprintf(line, sizeof line, "%-32s %8.2f %10.2f", way.name.c_str(), way.lsd, way.si_sdr);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace forger::metrics
