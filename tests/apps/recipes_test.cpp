// What interruptions leave of a run is the same for every recipe: nothing that it knows is missing in its checkpoints.
#include <csignal>

#include "tests/apps/recipes.h"
#include "tests/catch.h"

using namespace program;

namespace {

// Killed, gone on with, interrupted, gone on with: the run that was left alone.
void check_survival(const forger::test::RecipeCase& row) {
  INFO(row.name);
  const Scratch scratch;
  const std::string run = scratch / "run", whole = scratch / "whole";
  const auto training_of = [&](const std::string& steps, const std::string& out) {
    Words words = training(row, tiny_classes(scratch), {"--checkpoint-every", "2", "--steps", steps});
    words.insert(words.end(), {"--out", out});
    return words;
  };
  Process killed(training_of("100000", run));
  REQUIRE(wait_until([&] { return rows(run) > 3; }));
  killed.signal(SIGKILL);
  CHECK(killed.wait().code == 137);

  const size_t reached = rows(run);
  Process interrupted({"train", "--resume", run});
  REQUIRE(wait_until([&] { return rows(run) > reached + 2; }));
  interrupted.signal(SIGINT);
  const Result result = interrupted.wait();
  INFO(result.err);
  CHECK(result.code == 130);

  const std::string steps = std::to_string(rows(run) + 2);
  for (const Words& words : {Words{"train", "--resume", run, "--steps", steps}, training_of(steps, whole)}) {
    const Result done = program::forger(words);
    INFO(done.err);
    REQUIRE(done.code == 0);
  }
  CHECK((read_file(newest_checkpoint(run)) == read_file(newest_checkpoint(whole))));
  CHECK(timeless_metrics(run) == timeless_metrics(whole));
}

}  // namespace

TEST_CASE("kill -9 and an interruption change nothing of any recipe: first part", "[train]") {
  forger::test::for_each_recipe(check_survival, 0, 2);
}
TEST_CASE("kill -9 and an interruption change nothing of any recipe: second part", "[train]") {
  forger::test::for_each_recipe(check_survival, 1, 2);
}

TEST_CASE("a run in float64 begins with one in float32, and its checkpoint alone is sampled from", "[train]") {
  const Scratch scratch;
  const auto done = [](const Words& words) {
    const Result result = program::forger(words);
    INFO(result.err);
    REQUIRE(result.code == 0);
    return result;
  };
  const std::string data = tiny_data(scratch), narrow = scratch / "narrow", wide = scratch / "wide";
  done(tiny_training("dcgan", data, narrow));
  const Result begun = done(tiny_training("dcgan", data, wide, {"--dtype", "float64", "--init-from", narrow}));
  CHECK(begun.err.find("begins with") != std::string::npos);
  CHECK(begun.err.find("fresh:") == std::string::npos);
  std::filesystem::copy(newest_checkpoint(wide), scratch / "alone.safetensors");
  std::string pictures[2];
  for (const std::string& from : {wide, scratch / "alone.safetensors"}) {
    done({"sample", from, "--out", scratch / "x.png"});
    std::string& picture = pictures[from == wide ? 0 : 1];
    picture = read_file(scratch / "x.png");
    CHECK(picture.starts_with("\x89PNG"));
  }
  CHECK((pictures[0] == pictures[1]));
}
