// How much better a sound is after noise was taken away, where the clean one is known: on what a view makes of the
// spectra of noisy sounds, given back their phases.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "gan/recipe.h"
#include "metrics/evaluate.h"

namespace forger::metrics {

// Log-spectral distance in dB (Gray and Markel 1976), over windows of 32 ms, one every 8 ms:
//
//   mean over frames of sqrt(mean over bins of (20 log10 |A| - 20 log10 |B|)^2)
//
// where a bin is not below gan::floor_db, under which nothing is heard.
double log_spectral_distance(std::span<const float> made, std::span<const float> clean);

// Scale-invariant signal-to-distortion ratio in dB (Le Roux, Wisdom, Erdogan, Hershey 2019, arXiv:1811.02508, eq. 3):
//
//   10 log10(|a s|^2 / |a s - x|^2), a = <x, s> / |s|^2        x what was made, s what is clean
//
// Infinite when x is s, however loud; minus infinity when nothing in x is of s. The clean sound is not silent.
double si_sdr(std::span<const float> made, std::span<const float> clean);

// Means over the rows, of one way to come by a sound.
struct Denoised {
  std::string name;  // "noisy", "translate, Griffin-Lim", ...
  double lsd = 0, si_sdr = 0;
};
struct Denoising {
  std::string view;
  int64_t rows = 0;
  std::vector<Denoised> ways;
};

constexpr int griffin_lim_passes = 32;

// Of the first view that makes sounds from sounds, on up to `count` held-out rows, always the same ones for a seed:
//
//   noisy                      what was given
//   VIEW, noisy phase          the magnitudes that the view made, under the phases of the noisy sound
//   VIEW, Griffin-Lim          the same after griffin_lim_passes, begun there
//   clean, noisy phase         the true magnitudes under the noisy phases: what a perfect view would come to
//
// Rows in which nothing is said are passed over. UsageError when no view makes sounds whose truth is known.
Denoising denoising(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count, uint64_t seed,
                    const Announcer& announce = {});

// "denoise.noisy.lsd", "denoise.griffin_lim.si_sdr", ...
gan::Scalars numbers_of(const Denoising& found);
// A heading and a line for each way.
std::vector<std::string> table_of(const Denoising& found);

}  // namespace forger::metrics
