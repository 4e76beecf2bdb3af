// Sounds as pictures, and back. A sound is samples in [-1, 1], one channel, at 8 kHz. Its picture is the magnitude of
// its short-time Fourier transform in decibels; what the magnitude lacks, the phase, is found by Griffin and Lim's
// iteration, from a phase that is near it where there is one (that of the noisy sound, when noise was taken away).
//
//   sound (L) -> transform (frames, bins) complex -> levels (H, W, 1) in [-1, 1] -> magnitude (frames, bins) -> sound (L)
#pragma once
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

namespace forger::gan {

constexpr int sample_rate = 8000;  // Hz: telephone speech, up to 4 kHz

using Sound = std::vector<float>;
using Spectrum = std::vector<std::complex<float>>;  // (frames, bins)
using Magnitude = std::vector<float>;               // (frames, bins)

double rms_of(std::span<const float> sound);  // root of the mean square; 0 for no samples

// Sounds are brought to one loudness before they are looked at: an RMS of -20 dB below 1. Silence stays silent.
constexpr double usual_rms = 0.1;
Sound scaled(std::span<const float> sound, double factor);
double factor_to_usual(std::span<const float> sound);

// The short-time Fourier transform under a Hann window w of n_fft samples (even), a frame every hop <= n_fft / 2:
//
//   X(m, k) = sum_n w(n) x(m hop - pad + n) exp(-2 pi i k n / n_fft)        pad = (n_fft - hop) / 2
//   w(n) = sin^2(pi n / n_fft), k = 0 ... n_fft / 2, x = 0 outside of the sound
//
// so that L samples have ceil(L / hop) frames. The inverse is the sound whose transform is nearest to X in the least
// squares (Griffin and Lim 1984, eq. 6): overlapped, added and divided by sum w^2. Of a transform it is the sound again.
struct Stft {
  int64_t n_fft, hop;

  int64_t bins() const { return n_fft / 2 + 1; }
  int64_t frames(int64_t samples) const { return (samples + hop - 1) / hop; }
  Spectrum transform(std::span<const float> sound) const;
  Sound inverse(std::span<const std::complex<float>> spectrum, int64_t samples) const;
  // The level of a bin: 0 dB is the peak of a sine of amplitude 1. Not below floor_db.
  double decibels(double magnitude) const;
};
constexpr double floor_db = -70;  // what is fainter, nobody hears beside speech

Magnitude magnitude_of(const Spectrum& spectrum);

// That of pictures of `height` bins: n_fft = 2 height, hop = height, so that a picture of H x W pixels is H W samples.
// 64 x 64 is half a second: windows of 16 ms, a column every 8 ms, rows 62.5 Hz apart.
inline Stft stft_of_height(int64_t height) { return {2 * height, height}; }

// The picture: level -1 is floor_db and less, 1 is 0 dB and more; low frequencies at the bottom, time to the right. The
// highest bin, 4 kHz, has no row: recordings have nothing there.
void draw_levels(const Stft& stft, std::span<const float> magnitude, float* picture);  // (frames, bins) -> (H, W, 1)
Magnitude magnitude_of_levels(const Stft& stft, std::span<const float> picture);       // the way back; 0 at 4 kHz

// Griffin and Lim 1984, "Signal estimation from modified short-time Fourier transform", algorithm of section III: begin
// with the phases of `start` and
//
//   repeat: x = inverse(magnitude e^(i phase)); phase = arg transform(x)
//
// Every pass lowers inconsistency(x). No pass at all gives the sound under the phases of `start`.
Sound griffin_lim(const Stft& stft, std::span<const float> magnitude, Spectrum start, int64_t samples, int passes);
// What it lowers: sum over all frames and the n_fft frequencies of (|transform(x)| - magnitude)^2, as a share of
// sum magnitude^2.
double inconsistency(const Stft& stft, std::span<const float> sound, std::span<const float> magnitude);

}  // namespace forger::gan
