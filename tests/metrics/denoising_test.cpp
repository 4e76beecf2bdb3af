// Distances between sounds, beside what comes out by hand; and the table of what a system makes of noisy ones.
#include <cmath>
#include <limits>
#include <numbers>

#include "gan/data/sound_set.h"
#include "gan/sound.h"
#include "metrics/denoising.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::metrics;
using test::error_of;

namespace {

gan::Sound sine(double frequency, int64_t samples, double amplitude) {
  gan::Sound sound;
  for (int64_t n = 0; n < samples; n++)
    sound.push_back(static_cast<float>(
        amplitude * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(n) / gan::sample_rate)));
  return sound;
}

// Rows of 64 x 64: clean sines, and the same under another one that is a tenth as strong. Row 3 is silent.
class Sines : public gan::DataSet {
 public:
  Sines() {
    for (const char* column : {"source", "target"}) columns_.push_back({.name = column, .sample = {64, 64, 1}});
    for (const char* column : {"source", "target"}) columns_.push_back(gan::waveform_column(column, {64, 64, 1}));
  }
  int64_t count() const override { return 6; }
  const gan::Columns& columns() const override { return columns_; }
  void read_row(int64_t i, std::span<void* const> cells) const override {
    const gan::Sound clean = sine(500 + 100 * static_cast<double>(i), 4096, i == 3 ? 0 : 0.4),
                     hum = sine(2000, 4096, 0.04);
    gan::Sound noisy = clean;
    for (size_t n = 0; n < noisy.size(); n++) noisy[n] += hum[n];
    const gan::Stft stft = gan::stft_of_height(64);
    for (size_t k = 0; k < 4; k++) {
      if (cells[k] == nullptr) continue;
      const gan::Sound& sound = k % 2 == 0 ? noisy : clean;
      auto* out = static_cast<float*>(cells[k]);
      if (k < 2)
        draw_levels(stft, gan::magnitude_of(stft.transform(sound)), out);
      else
        std::ranges::copy(sound, out);
    }
  }
  std::string name() const override { return "sines"; }
  std::string hash() const override { return "0"; }

 private:
  gan::Columns columns_;
};

// Leaves a spectrum as it is, or knows the clean one: nothing above 1.4 kHz.
class Filter : public gan::Recipe {
 public:
  explicit Filter(bool knows) : Recipe(gan::common_settings()), knows_(knows) {}
  gan::Readings step(const gan::NextBatch& /*next*/) override { return {}; }
  std::vector<gan::View> views() override {
    return {{.name = "filter",
             .given = {"source"},
             .make =
                 [this](const gan::Batch& from) {
                   const Tensor made = clone(from["source"]);
                   float* level = made.data<float>();
                   for (int64_t i = 0; i < made.numel(); i++)
                     if (knows_ && i / 64 % 64 < 41) level[i] = -1;  // rows from the top, 62.5 Hz each
                   return gan::Batch().add("target", made);
                 },
             .like = "target"}};
  }

 private:
  bool knows_;
};

}  // namespace

TEST_CASE("denoising: SI-SDR by hand") {
  const gan::Sound clean{1, 1, 1, 1}, made{2, 2, 2, 0};
  // a = 6/4; |a s|^2 = 9, |a s - x|^2 = 3/4 + 9/4 = 3
  CHECK(si_sdr(made, clean) == Approx(10 * std::log10(3.0)));
  CHECK(si_sdr(gan::scaled(made, -7), clean) == Approx(10 * std::log10(3.0)));
  CHECK(si_sdr(gan::Sound{1, -1, 1, -1}, clean) == -std::numeric_limits<double>::infinity());
  CHECK(si_sdr(gan::scaled(clean, 0.5), clean) == std::numeric_limits<double>::infinity());
  // Noise of a tenth of the amplitude, at right angles: 20 dB.
  gan::Sound sound = sine(500, 8000, 0.5);
  const gan::Sound truth = sound, hum = sine(1000, 8000, 0.05);
  for (size_t n = 0; n < sound.size(); n++) sound[n] += hum[n];
  CHECK(si_sdr(sound, truth) == Approx(20).margin(1e-3));
  CHECK_THROWS_AS(si_sdr(clean, gan::Sound{1}), ShapeError);
}

TEST_CASE("denoising: log-spectral distance by hand") {
  // White enough that hardly a bin is below the floor: half the amplitude is 6.02 dB in every bin.
  const gan::Sound sound = [] {
    const Tensor values = Random(3).normal({8000}, 0, 0.2);
    return gan::Sound(values.data<float>(), values.data<float>() + 8000);
  }();
  CHECK(log_spectral_distance(sound, sound) == 0);
  CHECK(log_spectral_distance(gan::scaled(sound, 0.5), sound) == Approx(20 * std::log10(2.0)).epsilon(1e-3));
  CHECK(log_spectral_distance(sound, gan::scaled(sound, 0.5)) == Approx(20 * std::log10(2.0)).epsilon(1e-3));
  // Of a sine three bins are not at the floor: half, all and half of its amplitude. Of 1, that is 64, 70 and 64 dB
  // from silence in 129 bins; at the ends a frame lies over the edge.
  const double by_hand = std::sqrt((2 * std::pow(70 - 20 * std::log10(2), 2) + 70 * 70) / 129);
  const gan::Sound line = sine(1000, 64 * 400, 1), silence(line.size());
  CHECK(log_spectral_distance(line, silence) == Approx(by_hand).epsilon(0.02));
  CHECK(log_spectral_distance(silence, silence) == 0);
}

TEST_CASE("denoising: who knows what is noise comes near to the truth, who leaves it is where he was") {
  const Sines data;
  Filter idle(false), knowing(true);
  const Denoising left = denoising(idle, data, 100, 0), cleaned = denoising(knowing, data, 100, 0);
  CHECK(left.view == "filter");
  CHECK(left.rows == 5);  // one is silent
  REQUIRE(left.ways.size() == 4);
  CHECK(left.ways[0].si_sdr == Approx(20).margin(0.1));
  CHECK(left.ways[1].si_sdr == Approx(20).margin(0.5));
  CHECK(left.ways[2].si_sdr == Approx(20).margin(0.5));
  CHECK(left.ways[1].lsd == Approx(left.ways[0].lsd).margin(2));
  CHECK(cleaned.ways[0].lsd == left.ways[0].lsd);
  for (const size_t way : {1, 2, 3}) {
    CHECK(cleaned.ways[way].si_sdr > 30);
    CHECK(cleaned.ways[way].lsd < 0.5 * left.ways[0].lsd);
  }
  CHECK(denoising(idle, data, 2, 0).rows <= 2);
  const gan::Scalars numbers = numbers_of(left);
  REQUIRE(numbers.size() == 8);
  CHECK(numbers[5].name == "denoise.griffin_lim.si_sdr");
  CHECK(numbers[5].value == left.ways[2].si_sdr);
  CHECK(table_of(left).size() == 5);
  CHECK(table_of({}).empty());
}
