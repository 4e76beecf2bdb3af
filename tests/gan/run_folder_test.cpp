// The run folder: names, the newest checkpoint, metrics that survive a kill.
#include "gan/run_folder.h"

#include <fstream>

#include "core/error.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using forger::test::Scratch;

TEST_CASE("checkpoints are found by step, whatever else lies beside them") {
  const Scratch scratch;
  const RunFolder folder(scratch.file("run"));
  CHECK_FALSE(folder.holds_run());
  folder.create();
  CHECK(folder.checkpoint(500).ends_with("checkpoints/step-000500.safetensors"));
  CHECK(folder.checkpoint(1234567).ends_with("step-1234567.safetensors"));
  for (const int64_t step : {1000, 20, 1234567})
    scratch.write("run/" + std::filesystem::relative(folder.checkpoint(step), folder.path()).string(), "x");
  for (const char* name :
       {"step-000030.safetensors.tmp", "step-.safetensors", "step--5.safetensors", "step-1x.safetensors", "notes"}) {
    scratch.write(std::string("run/checkpoints/") + name, "x");
  }
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{20, 1000, 1234567});
  folder.keep_newest_checkpoints(0);
  CHECK(folder.checkpoint_steps().size() == 3);
  folder.keep_newest_checkpoints(2);
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{1000, 1234567});
}

TEST_CASE("force: removes a run's files and no others") {
  const Scratch scratch;
  const RunFolder folder(scratch.path());
  folder.create();
  scratch.write("config.toml", "steps = 1\n");
  const std::string thesis = scratch.write("thesis.tex", "years of work");
  CHECK(folder.holds_run());
  folder.clear();
  CHECK_FALSE(folder.holds_run());
  CHECK(test::contents(thesis) == "years of work");
}

TEST_CASE("metrics are cut back to the checkpoint's step, the half-written row of a killed run included") {
  const Scratch scratch;
  const std::string path = scratch.file("metrics.csv");
  {
    MetricsFile file(path, 0);
    for (int step = 1; step <= 5; step++) file.append(step, 0.5 * step, {{"loss_d", 0.25}, {"loss_g", 1e-7}});
  }
  std::ofstream(path, std::ios::app) << "6,3,0.2";  // no line end: the run was killed here
  MetricsFile resumed(path, 3);
  CHECK(resumed.seconds() == 1.5);
  resumed.append(4, 9, {{"loss_d", 1}, {"loss_g", 2}});
  CHECK(test::contents(path) ==
        "step,seconds,loss_d,loss_g\n1,0.5,0.25,1e-07\n2,1,0.25,1e-07\n3,1.5,0.25,1e-07\n4,9,1,2\n");
}

TEST_CASE("metrics keep the row of the last step when its line is whole") {
  const Scratch scratch;
  const std::string path = scratch.file("metrics.csv");
  { MetricsFile(path, 0).append(1, 1, {{"loss_d", 1}}); }
  MetricsFile resumed(path, 1);
  CHECK(test::contents(path) == "step,seconds,loss_d\n1,1,1\n");
}

TEST_CASE("metrics that cannot be written are an error") {
  CHECK_THROWS_AS(MetricsFile("/nowhere/metrics.csv", 0), DataError);
}
