// Systems of sounds, from the command line: trained on noisy ones, translated from file to file, measured.
#include <cmath>
#include <filesystem>

#include "gan/sound_file.h"
#include "tests/apps/checks.h"

using namespace program;
namespace gan = forger::gan;

namespace {

// Three sounds of half a second and more, in a folder.
std::string sounds(const Scratch& scratch) {
  for (int k = 0; k < 3; k++) {
    gan::Sound sound;
    for (int n = 0; n < 3000 + 700 * k; n++)
      sound.push_back(static_cast<float>(0.3 * std::sin(0.2 * (k + 1) * n) * std::sin(0.001 * n)));
    std::filesystem::create_directories(scratch / "sounds");
    gan::write_wav(scratch / ("sounds/" + std::to_string(k) + ".wav"), sound);
  }
  return "sound:" + scratch / "sounds";
}

}  // namespace

TEST_CASE("sound: trained, translated from file to file, measured", "[sound]") {
  const Scratch scratch;
  const std::string set = sounds(scratch),
                    run = trained(scratch, "pix2pix", "denoise:" + set, {"--steps", "2", "--mode", "gan+close"});
  const std::string in = scratch / "in", out = scratch / "out";
  std::filesystem::create_directories(in + "/deep");
  const gan::Sound long_one = gan::read_sound(scratch / "sounds/2.wav");
  gan::write_wav(in + "/deep/a.wav", long_one);
  gan::write_wav(in + "/b.wav", gan::Sound(10, 0.5f));
  const Words words{"translate", run, "--in", in, "--out", out};
  const Result result = program::forger(words);
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out == out + ": 2 sounds, translate\n");
  CHECK(gan::read_sound(out + "/deep/a.wav").size() == long_one.size());
  CHECK(gan::read_sound(out + "/b.wav").size() == 10);
  const std::string bytes = read_file(out + "/deep/a.wav");
  check_refused(words, "is there already");
  Words again = words;
  again.emplace_back("--force");
  CHECK(program::forger(again).code == 0);
  CHECK(read_file(out + "/deep/a.wav") == bytes);
  again.insert(again.end(), {"--passes", "3"});
  CHECK(program::forger(again).code == 0);
  CHECK(read_file(out + "/deep/a.wav") != bytes);

  std::filesystem::create_directories(scratch / "none");
  check_refused({"translate", run, "--in", scratch / "none", "--out", out}, "WAV, FLAC, Ogg; this run is of sounds");
  write_file(in + "/broken.wav", "RIFF");
  const Result broken = program::forger(again);
  CHECK(broken.code == 1);
  REQUIRE(errors(broken).size() == 1);
  CHECK(broken.err.find("cannot read '" + in + "/broken.wav': ") != std::string::npos);

  const Result measured = program::forger({"evaluate", run, "--metrics", "parzen", "--count", "20", "--denoising"});
  INFO(measured.err);
  REQUIRE(measured.code == 0);
  Words table;
  for (const std::string& line : lines(measured.out))
    if (line.starts_with("denoising ")) table.push_back(line);
  REQUIRE(table.size() == 5);
  CHECK(table[0].find("held-out rows") != std::string::npos);
  CHECK(table[1].find(" noisy ") != std::string::npos);
  CHECK(table[3].find("translate, Griffin-Lim") != std::string::npos);
  CHECK(read_file(run + "/evaluation.json").find("denoise.griffin_lim.si_sdr") != std::string::npos);
}

TEST_CASE("sound: what has no sounds is refused", "[sound]") {
  const Scratch scratch;
  check_refused(tiny_training("pix2pix", "denoise:" + tiny_data(scratch), scratch / "run"),
                "and noise goes over sounds");
  const std::string run = trained(scratch, "pix2pix", "negative:" + tiny_data(scratch), {"--steps", "1"});
  check_refused({"evaluate", run, "--metrics", "parzen", "--count", "20", "--denoising"},
                "denoising is measured where a view makes spectra of sounds");
}
