#include "gan/sound.h"

#include <kissfft/kiss_fftr.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "core/error.h"

namespace forger::gan {
namespace {

using Plan = std::unique_ptr<kiss_fftr_state, void (*)(void*)>;
// Each caller's own: a plan has memory that it works in.
Plan plan_of(int64_t n_fft, bool inverse) {
  Plan plan(kiss_fftr_alloc(static_cast<int>(n_fft), inverse ? 1 : 0, nullptr, nullptr),
            [](void* p) { kiss_fftr_free(p); });
  check<Error>(plan != nullptr, "[stft] no Fourier transform of ", n_fft, " samples");
  return plan;
}

std::vector<float> hann(int64_t n_fft) {
  std::vector<float> window;
  for (int64_t n = 0; n < n_fft; n++)
    window.push_back(static_cast<float>(
        std::pow(std::sin(std::numbers::pi * static_cast<double>(n) / static_cast<double>(n_fft)), 2)));
  return window;
}

}  // namespace

double rms_of(std::span<const float> sound) {
  double sum = 0;
  for (const float x : sound) sum += static_cast<double>(x) * static_cast<double>(x);
  return sound.empty() ? 0 : std::sqrt(sum / static_cast<double>(sound.size()));
}

Sound scaled(std::span<const float> sound, double factor) {
  Sound out(sound.begin(), sound.end());
  for (float& x : out) x = static_cast<float>(factor * static_cast<double>(x));
  return out;
}

double factor_to_usual(std::span<const float> sound) {
  const double rms = rms_of(sound);
  return rms > 0 ? usual_rms / rms : 1;
}

Spectrum Stft::transform(std::span<const float> sound) const {
  const int64_t pad = (n_fft - hop) / 2, count = frames(std::ssize(sound));
  const Plan plan = plan_of(n_fft, false);
  const std::vector<float> window = hann(n_fft);
  std::vector<float> frame(window.size());
  std::vector<kiss_fft_cpx> bins_of_frame(static_cast<size_t>(bins()));
  Spectrum spectrum;
  spectrum.reserve(static_cast<size_t>(count * bins()));
  for (int64_t m = 0; m < count; m++) {
    for (int64_t n = 0; n < n_fft; n++) {
      const int64_t at = m * hop - pad + n;
      const bool inside = at >= 0 && at < std::ssize(sound);
      frame[static_cast<size_t>(n)] = inside ? window[static_cast<size_t>(n)] * sound[static_cast<size_t>(at)] : 0.0f;
    }
    kiss_fftr(plan.get(), frame.data(), bins_of_frame.data());
    for (const kiss_fft_cpx& bin : bins_of_frame) spectrum.emplace_back(bin.r, bin.i);
  }
  return spectrum;
}

Sound Stft::inverse(std::span<const std::complex<float>> spectrum, int64_t samples) const {
  const int64_t pad = (n_fft - hop) / 2, count = frames(samples);
  check<ShapeError>(std::ssize(spectrum) == count * bins(), "[stft] ", samples, " samples have ", count, " frames of ",
                    bins(), " bins, the spectrum has ", spectrum.size(), " numbers");
  const Plan plan = plan_of(n_fft, true);
  const std::vector<float> window = hann(n_fft);
  std::vector<float> frame(window.size()), weight(static_cast<size_t>(samples));
  std::vector<kiss_fft_cpx> bins_of_frame(static_cast<size_t>(bins()));
  Sound sound(static_cast<size_t>(samples));
  for (int64_t m = 0; m < count; m++) {
    for (int64_t k = 0; k < bins(); k++) {
      const std::complex<float> bin = spectrum[static_cast<size_t>(m * bins() + k)];
      bins_of_frame[static_cast<size_t>(k)] = {bin.real(), bin.imag()};
    }
    kiss_fftri(plan.get(), bins_of_frame.data(), frame.data());  // n_fft times as large
    for (int64_t n = 0; n < n_fft; n++) {
      const int64_t at = m * hop - pad + n;
      if (at < 0 || at >= samples) continue;
      const float w = window[static_cast<size_t>(n)];
      sound[static_cast<size_t>(at)] += w * frame[static_cast<size_t>(n)] / static_cast<float>(n_fft);
      weight[static_cast<size_t>(at)] += w * w;
    }
  }
  for (size_t i = 0; i < sound.size(); i++) sound[i] /= weight[i];
  return sound;
}

double Stft::decibels(double magnitude) const {
  const double of_full_scale = static_cast<double>(n_fft) / 4;  // half the sum of the window
  return 20 * std::log10(std::max(magnitude / of_full_scale, std::pow(10, floor_db / 20)));
}

Magnitude magnitude_of(const Spectrum& spectrum) {
  Magnitude magnitude;
  magnitude.reserve(spectrum.size());
  for (const std::complex<float>& bin : spectrum) magnitude.push_back(std::abs(bin));
  return magnitude;
}

void draw_levels(const Stft& stft, std::span<const float> magnitude, float* picture) {
  const int64_t height = stft.bins() - 1, width = std::ssize(magnitude) / stft.bins();
  for (int64_t m = 0; m < width; m++)
    for (int64_t k = 0; k < height; k++) {
      const double db = stft.decibels(static_cast<double>(magnitude[static_cast<size_t>(m * stft.bins() + k)]));
      picture[(height - 1 - k) * width + m] = static_cast<float>(std::min(1 - 2 * db / floor_db, 1.0));
    }
}

Magnitude magnitude_of_levels(const Stft& stft, std::span<const float> picture) {
  const int64_t height = stft.bins() - 1, width = std::ssize(picture) / height;
  Magnitude magnitude(static_cast<size_t>(width * stft.bins()));
  for (int64_t m = 0; m < width; m++)
    for (int64_t k = 0; k < height; k++) {
      const auto level = static_cast<double>(picture[static_cast<size_t>((height - 1 - k) * width + m)]);
      const double db = floor_db * (1 - level) / 2;
      magnitude[static_cast<size_t>(m * stft.bins() + k)] =
          static_cast<float>(std::pow(10, db / 20) * static_cast<double>(stft.n_fft) / 4);
    }
  return magnitude;
}

Sound griffin_lim(const Stft& stft, std::span<const float> magnitude, Spectrum start, int64_t samples, int passes) {
  check<ShapeError>(magnitude.size() == start.size(), "[griffin_lim] ", magnitude.size(), " magnitudes, but ",
                    start.size(), " phases to start from");
  const auto with_phases_of = [&](Spectrum spectrum) {
    for (size_t i = 0; i < spectrum.size(); i++) {
      constexpr float none = 1e-20f;  // less than that has no phase to speak of
      const float now = std::abs(spectrum[i]);
      spectrum[i] = now > none ? spectrum[i] * (magnitude[i] / now) : std::complex<float>(magnitude[i]);
    }
    return stft.inverse(spectrum, samples);
  };
  Sound sound = with_phases_of(std::move(start));
  for (int pass = 0; pass < passes; pass++) sound = with_phases_of(stft.transform(sound));
  return sound;
}

double inconsistency(const Stft& stft, std::span<const float> sound, std::span<const float> magnitude) {
  const Spectrum spectrum = stft.transform(sound);
  double off = 0, all = 0;
  for (size_t i = 0; i < spectrum.size(); i++) {
    const size_t k = i % static_cast<size_t>(stft.bins());
    const double times = k == 0 || static_cast<int64_t>(k) == stft.bins() - 1 ? 1 : 2;  // +k and -k
    const auto asked = static_cast<double>(magnitude[i]), found = static_cast<double>(std::abs(spectrum[i]));
    off += times * (found - asked) * (found - asked);
    all += times * asked * asked;
  }
  return all > 0 ? off / all : off;
}

}  // namespace forger::gan
