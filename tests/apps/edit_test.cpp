// forger edit, and sample --temperature: what is found again, what moves, what is refused.
#include <cstdlib>

#include "tests/apps/checks.h"

using namespace program;

namespace {
const Words few{"--steps", "20"};
}

TEST_CASE("edit: a sample is projected, moved along a direction, and shown", "[edit]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_classes(scratch), few), out = scratch / "edit.png";
  REQUIRE(forger({"sample", run, "--count", "1", "--each", scratch / "own"}).code == 0);
  const std::string own = scratch / "own/sample-000000.png";
  const Words words{"edit", run, "--image", own, "--out", out};
  const Result result = forger(words);
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(lines(result.out).size() == 2);
  const size_t psnr = result.out.find("PSNR ");
  REQUIRE(psnr != std::string::npos);
  CHECK(std::atof(result.out.c_str() + psnr + 5) > 30);
  const std::string picture = read_file(out);
  CHECK(forger(words).code == 0);
  CHECK(read_file(out) == picture);

  CHECK(forger({"edit", run, "--direction", "2", "--count", "3", "--out", out}).code == 0);
  const std::string along = read_file(out);
  CHECK(along != picture);
  CHECK(forger({"edit", run, "--direction", "2", "--count", "3", "--amount", "1", "--out", out}).code == 0);
  CHECK(read_file(out) != along);
}

TEST_CASE("edit: a page holds all that it shows", "[edit]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch), few), page = scratch / "edit.html";
  const Result result = forger({"edit", run, "--count", "1", "--page", page, "--out", scratch / "edit.png"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  const std::string html = read_file(page);
  size_t frames = 0;
  for (size_t at = 0; (at = html.find("data:image/png;base64,", at)) != html.npos; at++) frames++;
  CHECK(frames == 8 * 13);
  CHECK(html.find("http") == html.npos);
}

TEST_CASE("edit --towards: a class that the judge knows", "[edit]") {
  const Scratch scratch;
  setenv("FORGER_CACHE", (scratch / "cache").c_str(), 1);
  const std::string run = trained(scratch, "cgan", tiny_classes(scratch), few), out = scratch / "edit.png";
  check_refused({"edit", run, "--towards", "9", "--out", out}, "has no class '9'");
  // A direction takes samples of the class and of others, which so short a training need not make.
  const Result result = forger({"edit", run, "--towards", "1", "--count", "5", "--out", out});
  INFO(result.err << result.out);
  if (result.code == 0) CHECK(result.out.starts_with("1: the judge finds it in "));
  if (result.code != 0) CHECK(result.err.find("a direction towards it takes at least 5") != std::string::npos);
}

TEST_CASE("edit: what there is no noise for is refused", "[edit]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "dcgan", tiny_data(scratch), few), points = trained(scratch, "gan", "ring8");
  check_refused({"edit", run}, "nothing is asked for");
  check_refused({"edit", run, "--direction", "9"}, "z has 8 dimensions: there is no direction 9");
  check_refused({"edit", points, "--direction", "1"}, "this run makes no pictures");
  check_refused({"edit", run, "--direction", "1", "--towards", "1"}, "excludes");
  check_refused({"edit", run, "--direction", "1", "--out", "edit.jpg"}, "pictures are written as PNG");
  const Result missing = forger({"edit", run, "--image", scratch / "none.png"});
  CHECK(missing.code == 1);
  CHECK(errors(missing).size() == 1);
}

TEST_CASE("sample --temperature: at 0 all are alike, at 1 nothing changes", "[edit]") {
  const Scratch scratch;
  const std::string run = trained(scratch, "flow", tiny_data(scratch), few);
  const auto sampled = [&](const std::string& t) {
    const std::string folder = scratch / t;
    CHECK(forger({"sample", run, "--count", "2", "--temperature", t, "--each", folder}).code == 0);
    return Words{read_file(folder + "/sample-000000.png"), read_file(folder + "/sample-000001.png")};
  };
  const Words none = sampled("0"), whole = sampled("1"), less = sampled("0.7");
  CHECK(none[0] == none[1]);
  CHECK(whole[0] != whole[1]);
  CHECK(whole[0] != less[0]);
  CHECK(forger({"sample", run, "--count", "2", "--each", scratch / "plain"}).code == 0);
  CHECK(read_file(scratch / "plain/sample-000000.png") == whole[0]);
  check_refused({"sample", run, "--temperature", "-1"}, "--temperature");
}
