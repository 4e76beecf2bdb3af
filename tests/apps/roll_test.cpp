// forger roll: frames from frames, from the command line; and the cycle under noise, which is evaluated alike.
#include <cstdlib>

#include "tests/apps/checks.h"

using namespace program;

namespace {
const Words one_step{"--steps", "1"};
}

TEST_CASE("roll: ten frames beside the truth, as a moving picture and in numbers", "[roll]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "pix2pix", "frames:" + tiny_data(scratch), one_step),
                    out = scratch / "roll.gif";
  const Words words{"roll", run, "--count", "20", "--shown", "3", "--out", out};
  const Result result = forger(words);
  INFO(result.err);
  REQUIRE(result.code == 0);
  const Words table = lines(result.out);
  REQUIRE(table.size() == 12);  // a heading, ten frames, the file
  CHECK(table.front().starts_with("frame   l1 "));
  CHECK(table[10].starts_with("10 "));
  CHECK(table.back() == out + ": 3 films, the truth on the left");
  const std::string film = read_file(out);
  CHECK(film.starts_with("GIF89a"));
  CHECK(forger(words).out == result.out);
  CHECK(read_file(out) == film);
  Words other = words;
  other.insert(other.end(), {"--seed", "1"});
  CHECK(forger(other).code == 0);
  CHECK(read_file(out) != film);  // dropout is its noise

  CHECK(forger({"roll", run, "--out", scratch / "roll.png"}).code == 0);
  CHECK(read_file(scratch / "roll.png").find("acTL") != std::string::npos);
  check_refused({"roll", run, "--out", scratch / "roll.avi"}, "films are .gif, .png (animated) and .mp4");
  check_refused({"roll", run, "--first", "64", "--out", out}, "holds out 64 rows");
  check_refused({"roll", run, "--first", "9223372036854775807", "--out", out}, "holds out 64 rows");
  check_refused({"roll", run, "--view", "sample", "--out", out}, "there are: translate");
}

TEST_CASE("roll, evaluate --steganography: not of a system that has neither frames nor a way back", "[roll]") {
  const Scratch scratch;
  setenv("FORGER_CACHE", (scratch / "cache").c_str(), 1);
  const std::string run = trained(scratch, "pix2pix", "negative:" + tiny_data(scratch), one_step);
  check_refused({"roll", run, "--out", scratch / "roll.gif"}, "makes no next frame from past ones");
  check_refused({"evaluate", run, "--metrics", "parzen", "--count", "20", "--steganography"},
                "this system has: translate");
}

TEST_CASE("evaluate --steganography: curves in the run's folder, a line for each way", "[roll]") {
  const Scratch scratch;
  setenv("FORGER_CACHE", (scratch / "cache").c_str(), 1);
  const std::string run = trained(scratch, "cyclegan", "unpaired:negative:" + tiny_data(scratch), one_step);
  const Result result = forger({"evaluate", run, "--metrics", "parzen", "--count", "40", "--steganography"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out.find("\nsteganography  a-to-b: noise of 0.1 between moves what comes back by ") !=
        std::string::npos);
  CHECK(result.out.find("\nsteganography  b-to-a: ") != std::string::npos);
  CHECK(result.out.find(" a-to-b.broken ") != std::string::npos);
  CHECK(lines(read_file(run + "/steganography.csv")).size() == 1 + 2 * 2 * 9);
  CHECK(read_file(run + "/report.html").find("The cycle under noise") != std::string::npos);
  CHECK(read_file(run + "/evaluation.json").find("b-to-a.broken_visibly") != std::string::npos);
  // The files are the run's own: it is replaced with them.
  CHECK(forger(tiny_training("cyclegan", "unpaired:negative:" + tiny_data(scratch), run, {"--steps", "1", "--force"}))
            .code == 0);
  CHECK(read_file(run + "/steganography.csv").empty());
}
