// forger show and translate: views of a trained system from the command line.
#include <filesystem>

#include "tests/apps/checks.h"

using namespace program;

namespace {

struct Size {
  int width, height;
};
// As a PNG file begins: eight bytes, a chunk's length and name, width and height.
Size size_of(const std::string& file) {
  const std::string bytes = read_file(file);
  REQUIRE(bytes.starts_with("\x89PNG"));
  const auto number = [&](size_t at) {
    int value = 0;
    for (size_t i = at; i < at + 4; i++) value = 256 * value + static_cast<unsigned char>(bytes[i]);
    return value;
  };
  return {number(16), number(20)};
}

}  // namespace

TEST_CASE("show: the views of a run, and each as a picture", "[show]") {
  const Scratch scratch;
  const std::string vae = trained(scratch, "vae", tiny_data(scratch)), out = scratch / "view.png";
  const Result views = forger({"show", vae});
  CHECK(views.code == 0);
  CHECK(views.out == "sample: from noise, like image\nreconstruct: from image, like image\nencode: from image\n");

  REQUIRE(forger({"show", vae, "reconstruct", "--count", "6", "--columns", "3", "--out", out}).code == 0);
  const Size picture = size_of(out);
  CHECK(picture.width == 3 * 34 - 2);  // what went in beside what came out, 2 pixels between the cells
  CHECK(picture.height == 2 * 18 - 2);
  const std::string first = read_file(out);
  REQUIRE(forger({"show", vae, "reconstruct", "--count", "6", "--columns", "3", "--out", out}).code == 0);
  CHECK(read_file(out) == first);
  REQUIRE(forger({"show", vae, "reconstruct", "--count", "6", "--columns", "3", "--first", "6", "--out", out}).code ==
          0);
  CHECK(read_file(out) != first);

  // The other data's pictures, of the size that the run was trained on.
  std::filesystem::create_directories(scratch / "photos");
  std::filesystem::copy(out, scratch / "photos/a.png");
  CHECK(forger(
            {"show", vae, "reconstruct", "--count", "1", "--data", "folder-gray:" + (scratch / "photos"), "--out", out})
            .code == 0);
  check_refused({"show", vae, "reconstruct", "--count", "1", "--data", scratch / "photos", "--out", out},
                "the run was trained on");
  check_refused({"show", vae, "translate", "--out", out},
                "no view 'translate'; there are: sample, reconstruct, encode");
  check_refused({"show", vae, "reconstruct", "--count", "1000", "--out", out}, "holds out 64 rows");
  check_refused({"show", vae, "reconstruct", "--data", "ring8", "--out", out}, "needs image; ring8 has point");
  check_refused({"translate", vae, "--in", scratch / "photos", "--out", scratch / "x", "--view", "sample"},
                "there are: reconstruct");
}

TEST_CASE("translate: a folder of pictures, by their names; nothing is written over", "[show]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "pix2pix", "negative:" + tiny_data(scratch)), in = scratch / "in",
                    out = scratch / "out";
  std::filesystem::create_directories(in + "/deeper");
  REQUIRE(forger({"show", run, "translate", "--count", "1", "--out", in + "/one.png"}).code == 0);
  std::filesystem::copy(in + "/one.png", in + "/deeper/two.png");

  const Result result = forger({"translate", run, "--in", in, "--out", out});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out == out + ": 2 pictures, translate\n");
  for (const char* name : {"/one.png", "/deeper/two.png"}) {
    const Size picture = size_of(out + name);
    CHECK(picture.height == 16);
    CHECK(picture.width == 16);
  }
  const std::string before = read_file(out + "/one.png");
  check_refused({"translate", run, "--in", in, "--out", out}, "is there already");
  CHECK(forger({"translate", run, "--in", in, "--out", out, "--force"}).code == 0);
  CHECK(read_file(out + "/one.png") == before);
  CHECK(forger({"translate", run, "--in", in, "--out", out, "--force", "--seed", "1"}).code == 0);
  CHECK(read_file(out + "/one.png") != before);  // dropout is its noise

  check_refused({"translate", run, "--in", in, "--out", in + "/out"}, "one lies in the other");
  check_refused({"translate", run, "--in", scratch / "nowhere", "--out", out}, "no folder");
  std::filesystem::copy(in + "/one.png", in + "/one.jpg");
  check_refused({"translate", run, "--in", in, "--out", scratch / "other"}, "two pictures");
  CHECK(!std::filesystem::exists(scratch / "other"));
  std::filesystem::create_directories(scratch / "empty");
  check_refused({"translate", run, "--in", scratch / "empty", "--out", out}, "no picture in");
}

TEST_CASE("train --test-every: a system's own numbers as it trains", "[show]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  const Words often{"--test-every", "3", "--test-count", "20"};
  const std::string run = trained(scratch, "pix2pix", "negative:" + data, often);
  const Words table = lines(read_file(run + "/tests.csv"));
  REQUIRE(table.size() == 4);  // steps 3, 6 and the last
  CHECK(table.front() == "step,seconds,l1,l1_identity,psnr,psnr_identity");
  CHECK(table.back().starts_with("8,"));
  CHECK(read_file(run + "/report.html").find("psnr_identity") != std::string::npos);

  // A run that is interrupted has the rows of one that was not.
  const Words part = tiny_training("pix2pix", "negative:" + data, scratch / "part",
                                   {"--test-every", "3", "--test-count", "20", "--steps", "4"});
  REQUIRE(forger(part).code == 0);
  REQUIRE(forger({"train", "--resume", scratch / "part", "--steps", "8"}).code == 0);
  const Words again = lines(read_file(scratch / "part/tests.csv"));
  CHECK(again.size() == 5);  // steps 3, 4 (its first end), 6 and 8
  const auto numbers = [](const std::string& row) { return row.substr(row.find(',', row.find(',') + 1)); };
  CHECK(numbers(again.back()) == numbers(table.back()));

  Words none = tiny_training("dcgan", data, scratch / "none", often);
  check_refused(none, "dcgan has no tests of its own");
  CHECK(!std::filesystem::exists(scratch / "none"));
}
