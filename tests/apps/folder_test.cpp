// Whose files are whose: a run destroys nothing that it did not write, has its folder to itself, and goes on from what
// is whole. Runs that are moved, to another folder or another machine.
#include <sys/stat.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;
namespace fs = std::filesystem;

namespace {

void check_ok(const Result& result) {
  INFO(result.err);
  REQUIRE(result.code == 0);
}

// Refused with one line that holds the words.
void check_refused(const Result& result, int code, const Words& words) {
  INFO(result.err);
  CHECK(result.code == code);
  REQUIRE(errors(result).size() == 1);
  for (const std::string& word : words) {
    INFO(word);
    CHECK(errors(result)[0].find(word) != std::string::npos);
  }
}

std::string quoted(const std::string& word) { return "'" + word + "'"; }

std::string script(const Words& words) {
  std::string line = quoted(binary());
  for (const std::string& word : words) line += " " + quoted(word);
  return line;
}

std::string config_value(const std::string& run, const std::string& key) {
  for (const std::string& line : lines(read_file(run + "/config.toml")))
    if (line.starts_with(key + " = ")) {
      const std::string value = line.substr(key.size() + 3, line.find("  #") - key.size() - 3);
      return value.substr(0, value.find_last_not_of(' ') + 1);
    }
  return "";
}

}  // namespace

TEST_CASE("what is not a run's is neither removed nor written over", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), own = scratch / "own";
  fs::create_directories(own + "/samples");
  fs::create_directories(own + "/checkpoints");
  write_file(own + "/samples/cat.png", "a cat");
  for (const Words& force : {Words{}, Words{"--force"}}) {
    check_refused(forger(tiny_training("dcgan", data, own, force)), 2, {"cat.png", "name another folder"});
    CHECK(read_file(own + "/samples/cat.png") == "a cat");
    CHECK(names_in(own) == Words{"checkpoints", "samples"});
  }
  // Names that a run would take.
  for (const char* name : {"config.toml", "metrics.csv", "log.txt", "report.html", "files.txt"}) {
    const std::string folder = scratch / (std::string("with-") + name);
    fs::create_directories(folder);
    write_file(folder + "/" + name, "mine = 1\n");
    for (const Words& force : {Words{}, Words{"--force"}})
      check_refused(forger(tiny_training("dcgan", data, folder, force)), 2, {name});
    CHECK(read_file(folder + "/" + name) == "mine = 1\n");
    CHECK(names_in(folder) == Words{name});
  }
  // Others do no harm, and stay when the run is replaced.
  const std::string run = scratch / "run";
  fs::create_directories(run);
  write_file(run + "/slurm-17.out", "of the queue");
  check_ok(forger(tiny_training("dcgan", data, run)));
  write_file(run + "/thesis.tex", "years of work");
  check_ok(forger(tiny_training("dcgan", data, run, {"--force", "--steps", "3"})));
  CHECK(read_file(run + "/slurm-17.out") == "of the queue");
  CHECK(read_file(run + "/thesis.tex") == "years of work");
  CHECK(names_in(run + "/checkpoints") == Words{"step-000000.safetensors", "step-000003.safetensors"});
  // A picture among the run's own samples is somebody's too: the run stays.
  write_file(run + "/samples/favourite.png", "the best");
  check_refused(forger(tiny_training("dcgan", data, run, {"--force"})), 2, {"favourite.png", "not of the run"});
  CHECK(newest_checkpoint(run).ends_with("step-000003.safetensors"));
}

TEST_CASE("what is left of a run is not mixed with another", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  check_ok(forger(tiny_training("dcgan", data, run, {"--steps", "9"})));
  const std::string config = read_file(run + "/config.toml"), last = newest_checkpoint(run);
  for (const std::string& left : {std::string(), config.substr(0, config.find("data_hash")), std::string("gone")}) {
    INFO(left);
    left == "gone" ? (void)fs::remove(run + "/config.toml") : write_file(run + "/config.toml", left);
    check_refused(forger(tiny_training("dcgan", data, run)), 2, {"what is left of a run", "--force"});
    check_refused(forger({"train", "--resume", run}), left == "gone" ? 2 : 1, {"config.toml"});
    CHECK(fs::exists(last));
  }
  check_ok(forger(tiny_training("dcgan", data, run, {"--force", "--steps", "3"})));
  CHECK(names_in(run + "/checkpoints") == Words{"step-000000.safetensors", "step-000003.safetensors"});
}

TEST_CASE("a folder that is removed while a run is in it is not written to any more", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  Process first(tiny_training("dcgan", data, run, {"--steps", "1000000"}));
  REQUIRE(wait_until([&] { return rows(run) > 3; }));
  fs::remove_all(run);
  check_ok(forger(tiny_training("dcgan", data, run, {"--steps", "3"})));
  const Words before = names_in(run + "/checkpoints");
  first.signal(SIGINT);
  const Result result = first.wait();
  CHECK(result.code == 1);
  CHECK(errors(result).back().find("was removed, or replaced") != std::string::npos);
  CHECK(names_in(run + "/checkpoints") == before);
}

TEST_CASE("pictures are not written among those that a run learns from", "[folder]") {
  const Scratch scratch;
  const std::string made = scratch / "made", photos = scratch / "photos", run = photos + "/runs/a";
  check_ok(forger(tiny_training("dcgan", tiny_data(scratch), made)));
  check_ok(forger({"sample", made, "--count", "12", "--each", photos}));
  check_ok(forger(tiny_training("dcgan", "folder:" + photos, run)));
  const Words there = names_in(photos);
  check_refused(forger({"sample", run, "--each", photos, "--force"}), 2, {"--each", "trained on"});
  check_refused(forger({"sample", run, "--each", photos + "/new"}), 2, {"--each", "trained on"});
  check_refused(forger({"interpolate", run, "--frames", photos + "/new"}), 2, {"--frames", "trained on"});
  check_refused(shell("cd " + quoted(photos) + " && " + script({"sample", "runs/a"})), 2,
                {"samples.png", "trained on"});
  CHECK(names_in(photos) == there);
  check_ok(forger({"sample", run, "--count", "2", "--out", run + "/two.png"}));  // a run's folder is left out
  check_ok(forger({"train", "--resume", run, "--steps", "9"}));
  // A folder that bears a picture's name, and pictures that nothing would replace.
  fs::create_directories(scratch / "odd/sample-000001.png");
  check_refused(forger({"sample", made, "--each", scratch / "odd", "--force"}), 2, {"is a folder"});
}

TEST_CASE("a file of statistics replaces nothing else", "[folder]") {
  const Scratch scratch;
  const std::string weights = scratch / "weights.safetensors", bytes("\x02\0\0\0\0\0\0\0{}", 10);
  write_file(weights, bytes);
  check_refused(forger({"stats", "fashion-mnist", "--out", weights}), 2, {"--out", "something else"});
  CHECK((read_file(weights) == bytes));
}

TEST_CASE("a list of files that leads out of the folder is not followed", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  check_ok(forger(tiny_training("dcgan", data, run)));
  write_file(scratch / "precious", "x");
  write_file(run + "/files.txt",
             read_file(run + "/files.txt") + "../precious\n" + (scratch / "precious") + "\nsamples\n");
  check_ok(forger(tiny_training("dcgan", data, run, {"--force", "--steps", "2"})));
  CHECK(read_file(scratch / "precious") == "x");
}

TEST_CASE("standard error that is closed does not end up in a file of the run", "[folder]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  const Words words = tiny_training("dcgan", tiny_data(scratch), run, {"--steps", "6"});
  for (const char* closed : {" 2>&-", " >&- 2>&-", " <&- >&- 2>&-"}) {
    INFO(closed);
    Words again = words;
    again.push_back("--force");
    shell(script(again) + closed);
    CHECK(rows(run) == 7);
    CHECK(read_file(run + "/metrics.csv").find("checkpoint") == std::string::npos);
    CHECK(read_file(run + "/config.toml").starts_with("#"));
  }
}

TEST_CASE("a run folder is one process's at a time", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  Process first(tiny_training("dcgan", data, run, {"--steps", "1000000", "--seed", "5"}));
  REQUIRE(wait_until([&] { return rows(run) > 3; }));
  check_refused(forger({"train", "--resume", run}), 1, {"in use by another forger", "process "});
  check_refused(forger(tiny_training("dcgan", data, run, {"--force"})), 1, {"in use"});
  check_ok(forger({"sample", run, "--count", "1", "--out", scratch / "x.png"}));  // looking is allowed
  CHECK(first.running());
  CHECK(config_value(run, "seed") == "5");
  first.signal(SIGKILL);
  first.wait();
  check_ok(forger({"train", "--resume", run, "--steps", std::to_string(rows(run) + 5)}));  // the kernel let go

  // Several at once, with and without a name.
  std::vector<std::unique_ptr<Process>> several;
  for (int i = 0; i < 4; i++)
    several.push_back(std::make_unique<Process>(
        tiny_training("dcgan", data, scratch / "same", {"--seed", std::to_string(i), "--steps", "200"})));
  int done = 0;
  for (const auto& process : several) {
    const Result result = process->wait();
    done += result.code == 0;
    if (result.code != 0) CHECK(errors(result).size() == 1);
  }
  CHECK(done == 1);
  std::string all = "cd " + quoted(scratch / "") + "; for i in 1 2 3 4; do ";
  const Words words = tiny_training("dcgan", data, "");
  all += script(Words(words.begin(), std::find(words.begin(), words.end(), "--out"))) + " & done; wait";
  shell(all);
  CHECK(names_in(scratch / "runs") == Words{"dcgan", "dcgan-2", "dcgan-3", "dcgan-4"});
  for (const std::string& name : names_in(scratch / "runs")) CHECK(rows(scratch / "runs/" + name) == 9);
}

TEST_CASE("a run that cannot begin leaves no folder", "[folder]") {
  const Scratch scratch;
  const std::string deep = scratch / "a/b/c";
  CHECK(forger(tiny_training("dcgan", "no-such-data", deep)).code == 2);
  CHECK(forger(tiny_training("dcgan", tiny_data(scratch), deep, {"--evaluate-every", "2", "--evaluate", "fid"})).code !=
        0);
  CHECK_FALSE(fs::exists(scratch / "a"));
}

TEST_CASE("resuming: from what is whole, and never from nothing in silence", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run", whole = scratch / "whole";
  check_ok(forger(tiny_training("dcgan", data, whole, {"--steps", "12"})));
  check_ok(forger(tiny_training("dcgan", data, run, {"--steps", "9", "--checkpoint-every", "3"})));
  const std::string config = read_file(run + "/config.toml"), metrics = read_file(run + "/metrics.csv");
  check_refused(forger({"train", "--resume", run, "--steps", "5"}), 2, {"--steps 5", "has done 9"});
  CHECK(read_file(run + "/config.toml") == config);

  // The newest checkpoint was cut short by whoever copied it: the one before serves.
  const std::string newest = newest_checkpoint(run), bytes = read_file(newest);
  write_file(newest, bytes.substr(0, bytes.size() / 2));
  const Result sampled = forger({"sample", run, "--out", scratch / "x.png"});
  check_ok(sampled);
  CHECK(sampled.err.find("step-000006.safetensors instead") != std::string::npos);
  const Result resumed = forger({"train", "--resume", run, "--steps", "12"});
  check_ok(resumed);
  CHECK(resumed.err.find("step-000006.safetensors instead") != std::string::npos);
  CHECK(timeless_metrics(run) == timeless_metrics(whole));
  CHECK((read_file(newest_checkpoint(run)) == read_file(newest_checkpoint(whole))));
  CHECK(fs::exists(newest) == true);  // made again
  CHECK(fs::exists(newest + ".damaged"));

  // Checkpoints that are gone are not training that never was.
  for (const std::string& name : names_in(run + "/checkpoints")) fs::remove(run + "/checkpoints/" + name);
  check_refused(forger({"train", "--resume", run}), 1, {"no checkpoint", "metrics.csv", "--force"});
  CHECK(rows(run) == 13);

  for (const Words& words : {Words{"train", "--resume", ""}, Words{"train", "--out", ""}, Words{"sample", ""}})
    check_refused(forger(words), 2, {"empty"});
  check_refused(forger({"sample", run, "--out", ""}), 2, {"--out", "empty"});
}

TEST_CASE("a run goes where it is taken", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run", lone = scratch / "lone.safetensors";
  check_ok(forger(tiny_training("dcgan", data, run, {"--threads", "1"})));
  auto sampled = [&](Words words) {
    words.insert(words.begin(), "sample");
    words.insert(words.end(), {"--out", scratch / "x.png"});
    const Result result = forger(words);
    check_ok(result);
    return std::pair(read_file(scratch / "x.png"), result.err);
  };
  const auto here = sampled({run});
  fs::copy_file(newest_checkpoint(run), lone);
  CHECK((sampled({lone}).first == here.first));  // a checkpoint says itself what it is of
  CHECK(sampled({run, "--device", "simt", "--count", "2"}).second.empty());
  if (forger({"list", "--json"}).out.find("NVIDIA") == std::string::npos) {
    std::string config = read_file(run + "/config.toml");
    config.replace(config.find("device = \"cpu\""), 14, "device = \"cuda\"");
    write_file(run + "/config.toml", config);
    const auto elsewhere = sampled({run});
    CHECK((elsewhere.first == here.first));
    CHECK(elsewhere.second.find("computing on the CPU") != std::string::npos);
    check_refused(forger({"train", "--resume", run, "--steps", "9"}), 2, {"cuda", "--device cpu"});
  }
  const Result resumed = forger({"train", "--resume", run, "--steps", "9", "--device", "cpu", "--threads", "2"});
  check_ok(resumed);
  CHECK(resumed.err.find("threads was 1 and is 2") != std::string::npos);
  CHECK(config_value(run, "device") == "\"cpu\"");
  CHECK(config_value(run, "threads") == "2");

  // The data was moved.
  fs::rename(scratch / "tiny.idx", scratch / "moved.idx");
  check_refused(forger({"train", "--resume", run, "--steps", "10"}), 1, {"tiny.idx", "--data"});
  check_ok(forger({"train", "--resume", run, "--steps", "10", "--data", "idx:" + scratch / "moved.idx"}));
  check_ok(forger({"train", "--resume", run, "--steps", "11"}));
}

TEST_CASE("a relative path to the data is found from any folder", "[folder]") {
  const Scratch scratch;
  tiny_data(scratch);
  const Words words = tiny_training("dcgan", "idx:tiny.idx", "run");
  check_ok(shell("cd " + quoted(scratch / "") + " && " + script(words)));
  fs::create_directories(scratch / "elsewhere");
  check_ok(
      shell("cd " + quoted(scratch / "elsewhere") + " && " + script({"train", "--resume", "../run", "--steps", "9"})));
  // ... and a project that was moved as a whole is found from within it.
  const Scratch other;
  fs::copy(scratch.path(), other.path(), fs::copy_options::recursive);
  fs::remove(scratch / "tiny.idx");
  check_ok(shell("cd " + quoted(other / "") + " && " + script({"train", "--resume", "run", "--steps", "10"})));
}

TEST_CASE("a run begins with another's weights where they fit", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), first = scratch / "first", second = scratch / "second";
  check_ok(forger(tiny_training("dcgan", data, first, {"--steps", "20"})));
  auto grid = [&](const std::string& file) {
    check_ok(forger({"sample", file, "--out", scratch / "x.png"}));
    return read_file(scratch / "x.png");
  };
  const std::string trained = grid(first);
  for (const std::string& from : {first, newest_checkpoint(first)}) {
    const Result result = forger(tiny_training("dcgan", data, second, {"--init-from", from, "--force", "--seed", "3"}));
    check_ok(result);
    CHECK(result.err.find("begins with ") != std::string::npos);
    CHECK(result.err.find("fresh:") == std::string::npos);
    CHECK((grid(second + "/checkpoints/step-000000.safetensors") == trained));
  }
  // Another latent size: the first layer is fresh, the rest is taken.
  const Result partly =
      forger(tiny_training("dcgan", data, second, {"--init-from", first, "--force", "--latent", "9"}));
  check_ok(partly);
  CHECK(partly.err.find("fresh: g.") != std::string::npos);
  CHECK(partly.err.find(" there, ") != std::string::npos);
  check_refused(forger(tiny_training("dcgan", data, scratch / "none", {"--init-from", scratch / "no"})), 1, {"no"});
  write_file(scratch / "empty.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  check_refused(forger(tiny_training("dcgan", data, scratch / "none", {"--init-from", scratch / "empty.safetensors"})),
                2, {"--init-from", "no tensor"});
  CHECK_FALSE(fs::exists(scratch / "none"));
}

TEST_CASE("signals: a checkpoint on request, an end on hang-up, and nohup", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  Process process(tiny_training("dcgan", data, run, {"--steps", "1000000"}));
  REQUIRE(wait_until([&] { return rows(run) > 3; }));
  process.signal(SIGUSR1);
  REQUIRE(wait_until([&] { return names_in(run + "/checkpoints").size() > 1; }));
  const size_t before = rows(run);
  REQUIRE(wait_until([&] { return rows(run) > before; }));  // it went on
  process.signal(SIGHUP);
  const Result result = process.wait();
  CHECK(result.code == 130);
  CHECK(errors(result).back().find("go on with") != std::string::npos);

  Process deaf(
      {"-c", "trap '' HUP; exec " + script(tiny_training("dcgan", data, scratch / "deaf", {"--steps", "1000000"}))}, {},
      "/bin/sh");
  REQUIRE(wait_until([&] { return rows(scratch / "deaf") > 3; }));
  deaf.signal(SIGHUP);
  const size_t then = rows(scratch / "deaf");
  REQUIRE(wait_until([&] { return rows(scratch / "deaf") > then + 3; }));
  deaf.signal(SIGINT);
  CHECK(deaf.wait().code == 130);
}

TEST_CASE("names that are not UTF-8 go through everything", "[folder]") {
  const Scratch scratch;
  tiny_data(scratch);
  fs::create_directories(scratch / "caf\xe9");
  fs::rename(scratch / "tiny.idx", scratch / "caf\xe9/tiny.idx");
  const std::string run = scratch / "run\xe9";
  const Result result = forger(tiny_training("dcgan", "idx:" + scratch / "caf\xe9/tiny.idx", run, {"--json"}));
  check_ok(result);
  CHECK(nlohmann::json::parse(lines(result.out).back()).at("run").get<std::string>().ends_with("run\\xe9"));
  check_ok(forger({"train", "--resume", run, "--steps", "9"}));
  const Result scores = forger({"evaluate", run, "--metrics", "collapse,parzen", "--count", "20", "--json"});
  check_ok(scores);
  CHECK(nlohmann::json::parse(scores.out).contains("parzen"));
  CHECK(nlohmann::json::parse(read_file(run + "/evaluation.json")).at("scores").contains("parzen"));
}

TEST_CASE("data and run are kept apart, wherever they lie", "[folder]") {
  const Scratch scratch;
  const std::string photos = scratch / "photos";
  fs::create_directories(photos + "/more");
  const std::string made = scratch / "made";
  check_ok(forger(tiny_training("dcgan", tiny_data(scratch), made)));
  check_ok(forger({"sample", made, "--count", "12", "--each", photos}));
  check_ok(forger({"sample", made, "--count", "4", "--each", photos + "/more"}));
  const auto training = [&](const std::string& data, const std::string& out) {
    Words words = tiny_training("dcgan", "folder:" + data, out);
    return "cd " + quoted(photos) + " && " + script(words);
  };
  for (const std::string& out : {std::string("."), photos, std::string("more"), std::string("../photos/more")})
    check_refused(shell(training(".", out)), 2, {"name a folder for the run alone"});
  check_refused(shell(training("../made/samples", "../made") + " --force"), 2, {"name a folder for the run alone"});
  CHECK(names_in(photos).size() == 13);

  // A run inside the data is no part of it.
  check_ok(shell(training(".", "runs/a")));
  const std::string run = photos + "/runs/a";
  CHECK(config_value(run, "data_about").find("16 pictures without classes") != std::string::npos);
  const Result again = shell("cd " + quoted(photos) + " && " + script({"train", "--resume", "runs/a", "--steps", "9"}));
  check_ok(again);
  check_ok(forger({"evaluate", run, "--metrics", "parzen", "--count", "10"}));
  check_ok(shell(training(".", "runs/b")));
  CHECK(config_value(photos + "/runs/b", "data_about").find("left out: 1 run of forger") != std::string::npos);
}

TEST_CASE("broken pictures: found before the first step, left out on request, survived when they come later",
          "[folder]") {
  const Scratch scratch;
  const std::string made = scratch / "made", photos = scratch / "photos", run = scratch / "run";
  check_ok(forger(tiny_training("dcgan", tiny_data(scratch), made)));
  check_ok(forger({"sample", made, "--count", "100", "--each", photos}));
  write_file(photos + "/sample-000090.png", "no picture");
  const std::string data = "folder-gray:" + photos;
  const Words more{"--steps", "4", "--batch", "8", "--size", "16"};
  check_refused(forger(tiny_training("dcgan", data, run, more)), 1, {"1 of 100", "sample-000090.png", "--skip-broken"});
  CHECK_FALSE(fs::exists(run));
  Words skipping = more;
  skipping.push_back("--skip-broken");
  const Result result = forger(tiny_training("dcgan", data, run, skipping));
  check_ok(result);
  CHECK(result.err.find("data: folder-gray:") != std::string::npos);
  CHECK(result.err.find("cannot be read: 1") != std::string::npos);
  CHECK(result.err.find("left out: cannot read") != std::string::npos);
  CHECK(config_value(run, "data_left_out") == "\"sample-000090.png\"");
  check_ok(forger({"train", "--resume", run, "--steps", "5"}));
  check_ok(forger({"evaluate", run, "--metrics", "parzen", "--count", "10"}));

  // One breaks while the run goes on, without changing its name or size: the steps before it are kept.
  const std::string victim = photos + "/sample-000050.png", whole = read_file(victim);
  write_file(victim, std::string(whole.size(), 'x'));
  const Result stopped = forger({"train", "--resume", run, "--steps", "40"});
  check_refused(stopped, 1, {"stopped after step ", "sample-000050.png", "--resume", "--skip-broken"});
  const size_t done = rows(run) - 1;
  CHECK(newest_checkpoint(run).ends_with("0000" + std::to_string(done + 100).substr(1) + ".safetensors"));
  check_refused(forger({"train", "--resume", run}), 1, {"sample-000050.png"});
  const Result resumed = forger({"train", "--resume", run, "--skip-broken"});
  check_ok(resumed);
  CHECK(resumed.err.find("no longer what the run began with") != std::string::npos);
  CHECK(config_value(run, "data_left_out") == "\"sample-000090.png//sample-000050.png\"");
  CHECK(rows(run) == 41);
}

TEST_CASE("pictures that are not square", "[folder]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  for (const char* recipe : {"dcgan", "wgan-gp", "sngan"}) {
    const std::string run = scratch / recipe;
    check_ok(forger(tiny_training(recipe, data, run, {"--size", "16x24", "--fit", "pad", "--steps", "3"})));
    check_ok(forger({"train", "--resume", run, "--steps", "4"}));
    CHECK(config_value(run, "columns").find("[16,24,1]") != std::string::npos);
    check_ok(forger({"evaluate", run, "--metrics", "parzen,collapse", "--count", "10"}));
    check_ok(forger({"sample", run, "--count", "4", "--out", scratch / "x.png"}));
    CHECK(read_file(scratch / "x.png").substr(16, 8) == std::string("\0\0\0\x32\0\0\0\x22", 8));  // 50 x 34
  }
  check_refused(forger(tiny_training("dcgan", data, scratch / "no", {"--size", "16x25"})), 2, {"not 16x25", "64x96"});
  check_refused(forger(tiny_training("sngan", data, scratch / "no", {"--size", "16x20"})), 2, {"multiples of 8"});
  check_refused(forger(tiny_training("dcgan", data, scratch / "no", {"--size", "big"})), 2, {"--size", "64x96", "big"});
}
