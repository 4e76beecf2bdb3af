// The run folder: names, the newest checkpoint, metrics that survive a kill.
#include "gan/run_folder.h"

#include <fstream>

#include "core/error.h"
#include "gan/metrics_file.h"
#include "tests/catch.h"
#include "tests/gan/scratch.h"

using namespace forger;
using namespace forger::gan;
using forger::test::error_of;
using forger::test::Scratch;

TEST_CASE("checkpoints are found by step, whatever else lies beside them") {
  const Scratch scratch;
  const RunFolder folder(scratch.file("run"));
  CHECK_FALSE(folder.holds_run());
  folder.create();
  CHECK(folder.checkpoint(500).ends_with("checkpoints/step-000500.safetensors"));
  CHECK(folder.checkpoint(1234567).ends_with("step-1234567.safetensors"));
  const auto put = [&](const std::string& file) {
    scratch.write("run/" + std::filesystem::relative(file, folder.path()).string(), "x");
  };
  for (const int64_t step : {1000, 20, 1234567}) put(folder.own(folder.checkpoint(step)));
  for (const char* name : {"step-000030.safetensors.tmp", "step-.safetensors", "step--5.safetensors",
                           "step-1x.safetensors", "step-30.safetensors", "notes"}) {
    scratch.write(std::string("run/checkpoints/") + name, "x");
  }
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{20, 1000, 1234567});
  folder.keep_newest_checkpoints(0);
  CHECK(folder.checkpoint_steps().size() == 3);
  folder.keep_newest_checkpoints(2);
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{1000, 1234567});
  // What a person put there is neither counted nor removed.
  for (const int64_t step : {30, 2000000}) put(folder.checkpoint(step));
  folder.keep_newest_checkpoints(2);
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{30, 1000, 1234567, 2000000});
  folder.keep_newest_checkpoints(1);
  CHECK(folder.checkpoint_steps() == std::vector<int64_t>{30, 1234567, 2000000});
}

namespace {

constexpr const char* config = "recipe = \"dcgan\"\nversion = \"1\"\ndata_hash = \"0\"\ncolumns = \"[]\"\n";

}  // namespace

TEST_CASE("a run is what its own config.toml says it is") {
  const Scratch scratch;
  const RunFolder folder(scratch.path());
  folder.create();
  CHECK_FALSE(folder.holds_run());
  scratch.write("config.toml", "recipe = \"dcgan\"\nsteps = 3\n");  // somebody's settings
  CHECK_FALSE(folder.holds_run());
  CHECK(folder.foreign_file() == folder.config());
  scratch.write("config.toml", "recipe = = 3\n");
  CHECK_FALSE(folder.holds_run());
  scratch.write(folder.own(folder.config()).substr(folder.path().string().size() + 1), config);
  CHECK(folder.holds_run());
  CHECK_FALSE(folder.foreign_file().has_value());
}

TEST_CASE("a list of files with the line ends of another system, or with lines that lead elsewhere") {
  const Scratch scratch;
  const RunFolder folder(scratch.path());
  folder.create();
  CHECK_FALSE(folder.holds_files());
  std::filesystem::create_directory(scratch.file("elsewhere"));
  std::filesystem::create_directory_symlink("elsewhere", scratch.file("link"));
  const std::string mine = scratch.write("elsewhere/mine.txt", "x"), log = scratch.write("log.txt", "x");
  folder.own(folder.config());
  CHECK_FALSE(folder.holds_files());  // killed before it wrote the first one
  std::string list = test::contents(folder.files()) + "log.txt\nlink/mine.txt\nelsewhere/mine.txt\n..\n";
  for (size_t at = 0; (at = list.find('\n', at)) != list.npos; at += 2) list.insert(at, "\r");
  scratch.write("files.txt", list);
  const RunFolder again(scratch.path());
  CHECK(again.holds_files());
  again.clear();
  CHECK_FALSE(std::filesystem::exists(log));
  CHECK(test::contents(mine) == "x");
}

TEST_CASE("force: removes a run's files and no others") {
  const Scratch scratch;
  const RunFolder folder(scratch.path());
  folder.create();
  const auto put = [&](const std::string& path) {
    return scratch.write(std::filesystem::path(path).lexically_relative(folder.path()).string(), config);
  };
  for (const std::string& file : {folder.config(), folder.log(), folder.checkpoint(5), folder.sample(5)})
    put(folder.own(file));
  put(folder.checkpoint(5) + ".0123456789ab.tmp");  // of a process that was killed
  const std::string thesis = scratch.write("thesis.tex", "years of work"), mine = put(folder.sample(7));
  CHECK(folder.holds_run());
  CHECK(folder.foreign_file() == mine);
  folder.clear();
  CHECK_FALSE(folder.holds_run());
  CHECK(test::contents(thesis) == "years of work");
  CHECK(test::contents(mine) == config);
  CHECK_FALSE(std::filesystem::exists(scratch.file("checkpoints")));  // nothing of anybody's was in it
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path()), {}) == 2);
}

TEST_CASE("claims: one process a folder, and what came to nothing is taken back") {
  const Scratch scratch;
  const std::string deep = scratch.file("a/b/c");
  {
    const RunClaim claim = RunClaim::of(deep);
    CHECK(error_of<Error>([&] { RunClaim::of(deep); }).find("in use by another forger") != std::string::npos);
    claim.folder().create();
    CHECK(RunClaim::first_free(deep).folder().path() == deep + "-2");
  }
  CHECK_FALSE(std::filesystem::exists(scratch.file("a/b/c-2")));
  {
    const RunClaim claim = RunClaim::of(deep);
    scratch.write("a/b/c/config.toml", config);
  }
  CHECK(std::filesystem::exists(deep + "/config.toml"));
  CHECK_FALSE(std::filesystem::exists(deep + "/.lock"));
  CHECK(error_of<UsageError>([&] { RunClaim::of_run(scratch.file("none")); }).find("holds no run") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(scratch.file("none")));
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

TEST_CASE("a line that is no row costs no other") {
  const Scratch scratch;
  const std::string path = scratch.write("metrics.csv", "step,seconds,loss_d\n1,1,1\nnote: hello\n2,2,1\n");
  CHECK(MetricsFile(path, 2).last_step() == 2);
  CHECK(test::contents(path) == "step,seconds,loss_d\n1,1,1\n2,2,1\n");
  CHECK(has_rows(path));
  CHECK_FALSE(has_rows(scratch.write("empty.csv", "step,seconds,loss_d\n")));
}

TEST_CASE("metrics that cannot be written are an error") {
  CHECK_THROWS_AS(MetricsFile("/nowhere/metrics.csv", 0), DataError);
}
