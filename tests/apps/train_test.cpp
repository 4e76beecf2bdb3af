// Runs from outside: what a run folder holds, and that no interruption of any kind loses or changes anything.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;
namespace fs = std::filesystem;

namespace {

void check_same_run(const std::string& a, const std::string& b) {
  INFO(a << " and " << b);
  REQUIRE(!newest_checkpoint(a).empty());
  CHECK(fs::path(newest_checkpoint(a)).filename() == fs::path(newest_checkpoint(b)).filename());
  CHECK((read_file(newest_checkpoint(a)) == read_file(newest_checkpoint(b))));
  CHECK(timeless_metrics(a) == timeless_metrics(b));
}

void check_ok(const Result& result) {
  INFO(result.err);
  REQUIRE(result.code == 0);
}

// Nothing but whole files under their final names.
void check_no_leftovers(const std::string& run) {
  for (const std::string& name : names_in(run + "/checkpoints")) CHECK(name.ends_with(".safetensors"));
  for (const std::string& name : names_in(run + "/samples")) CHECK(name.ends_with(".png"));
  for (const std::string& name : names_in(run)) {
    INFO(name);
    const Words known{"checkpoints", "config.toml", "files.txt", "log.txt", "metrics.csv", "report.html", "samples"};
    CHECK(std::find(known.begin(), known.end(), name) != known.end());
  }
}

}  // namespace

TEST_CASE("a run leaves everything of itself in its folder", "[train]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  const Result result = forger(
      tiny_training("dcgan", tiny_data(scratch), run, {"--checkpoint-every", "4", "--preview-every", "4", "--json"}));
  check_ok(result);
  check_no_leftovers(run);
  CHECK(names_in(run + "/samples").back() == "step-000008.png");
  CHECK(newest_checkpoint(run).ends_with("step-000008.safetensors"));
  CHECK(rows(run) == 9);
  CHECK(read_file(run + "/config.toml").find("recipe = \"dcgan\"") != std::string::npos);
  CHECK(read_file(run + "/report.html").find("loss_d") != std::string::npos);

  const auto json = nlohmann::json::parse(lines(result.out).back());
  CHECK(json.at("run") == run);
  CHECK(json.at("step") == 8);
  CHECK(json.at("complete") == true);
  CHECK(json.at("samples") == run + "/samples/step-000008.png");
  CHECK(json.at("scalars").at("loss_d").is_number());
}

TEST_CASE("what is typed wins over the file, which wins over the recipe", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), first = scratch / "first", second = scratch / "second";
  check_ok(forger(tiny_training("wgan-gp", data, first, {"--n-critic", "2", "--set", "lambda=7", "--no-fused"})));
  // Another run's config.toml is a complete --config, its recipe included.
  check_ok(forger({"train", "--config", first + "/config.toml", "--steps", "5", "--out", second}));
  const std::string config = read_file(second + "/config.toml");
  for (const char* line : {"recipe = \"wgan-gp\"", "n_critic = 2 ", "lambda = 7.0", "fused = false", "steps = 5 "}) {
    INFO(line);
    CHECK(config.find(line) != std::string::npos);
  }
}

TEST_CASE("the newcomer's folders number themselves", "[train]") {
  const Scratch scratch;
  const fs::path before = fs::current_path();
  const Words words = tiny_training("dcgan", tiny_data(scratch), "", {"--steps", "2"});
  const Words without_out(words.begin(), std::find(words.begin(), words.end(), "--out"));
  fs::current_path(scratch.path());
  for (int i = 0; i < 2; i++) CHECK(forger(without_out).code == 0);
  fs::current_path(before);
  CHECK(names_in(scratch / "runs") == Words{"dcgan", "dcgan-2"});
}

TEST_CASE("force: replaces a run", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  check_ok(forger(tiny_training("dcgan", data, run, {"--steps", "9"})));
  check_ok(forger(tiny_training("dcgan", data, run, {"--steps", "3", "--force"})));
  CHECK(newest_checkpoint(run).ends_with("step-000003.safetensors"));
  CHECK(rows(run) == 4);
}

TEST_CASE("60 steps are 25 and 35 more, byte for byte", "[train]") {
  for (const char* recipe : {"dcgan", "wgan-gp"}) {
    for (const char* threads : {"1", "2"}) {
      INFO(recipe << ", " << threads << " threads");
      const Scratch scratch;
      const std::string data = tiny_data(scratch), whole = scratch / "whole", parts = scratch / "parts";
      check_ok(forger(tiny_training(recipe, data, whole, {"--steps", "60", "--threads", threads})));
      check_ok(forger(tiny_training(recipe, data, parts, {"--steps", "25", "--threads", threads})));
      check_ok(forger({"train", "--resume", parts, "--steps", "60"}));
      check_same_run(whole, parts);
    }
  }
}

// Wide enough for Winograd, which must stay with a run that began with it.
TEST_CASE("a run keeps its way of convolving, and resumes byte for byte", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  std::vector<std::string> ends;
  for (const char* method : {"direct", "winograd"}) {
    INFO(method);
    const std::string whole = scratch / ("whole-" + std::string(method)),
                      parts = scratch / ("parts-" + std::string(method));
    const Words wide{"--width", "16", "--conv", method, "--steps"};
    const auto run = [&](const std::string& out, const char* steps) {
      Words words = wide;
      words.push_back(steps);
      check_ok(forger(tiny_training("dcgan", data, out, words)));
    };
    run(whole, "12");
    run(parts, "5");
    check_ok(forger({"train", "--resume", parts, "--steps", "12"}));
    check_same_run(whole, parts);
    CHECK(read_file(whole + "/config.toml").find("conv = \"" + std::string(method) + "\"") != std::string::npos);
    ends.push_back(read_file(newest_checkpoint(whole)));
  }
  CHECK(ends[0] != ends[1]);
}

TEST_CASE("an interruption checkpoints, says how to go on, and changes nothing", "[train]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Scratch scratch;
    const std::string data = tiny_data(scratch), run = scratch / "run", whole = scratch / "whole";
    Process process(tiny_training("dcgan", data, run, {"--steps", "100000"}));
    REQUIRE(wait_until([&] { return rows(run) > 3; }));
    process.signal(signal);
    const Result result = process.wait();
    INFO(result.err);
    CHECK(result.code == 130);
    REQUIRE(errors(result).size() == 1);
    CHECK(errors(result)[0].find("forger train --resume " + run) != std::string::npos);
    check_no_leftovers(run);

    const std::string steps = std::to_string(rows(run) + 5);
    check_ok(forger({"train", "--resume", run, "--steps", steps}));
    check_ok(forger(tiny_training("dcgan", data, whole, {"--steps", steps})));
    check_same_run(whole, run);
  }
}

TEST_CASE("an interruption while the judge learns ends the program, and leaves nothing", "[train][fashion-mnist]") {
  const Scratch scratch;
  setenv("FORGER_CACHE", (scratch / "cache").c_str(), 1);
  Process process({"train", "--size", "16", "--width", "4", "--evaluate-every", "5", "--out", scratch / "run"});
  std::this_thread::sleep_for(std::chrono::seconds(1));
  process.signal(SIGINT);
  const auto start = std::chrono::steady_clock::now();
  const Result result = process.wait();
  INFO(result.err);
  CHECK(result.code == 130);
  CHECK(errors(result) == Words{"forger: interrupted"});
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(8));  // the judge takes longer
  CHECK(names_in(scratch / "") == Words{});
  unsetenv("FORGER_CACHE");
}

TEST_CASE("an evaluation that is interrupted is made up for", "[train][fashion-mnist]") {
  const Scratch scratch;
  const std::string run = scratch / "run", whole = scratch / "whole";
  const auto words = [&](const std::string& out) {
    return tiny_training("dcgan", "fashion-mnist", out,
                         {"--steps", "4", "--evaluate-every", "2", "--evaluate", "parzen", "--evaluate-count", "2000"});
  };
  Process process(words(run));
  REQUIRE(wait_until([&] { return rows(run) == 3; }));
  process.signal(SIGINT);
  const Result result = process.wait();
  INFO(result.err);
  CHECK(result.code == 130);
  CHECK(newest_checkpoint(run).ends_with("step-000002.safetensors"));
  CHECK(lines(read_file(run + "/scores.csv")).empty());
  check_ok(forger({"train", "--resume", run}));
  check_ok(forger(words(whole)));
  check_same_run(run, whole);
  const auto without_time = [](const std::string& file) {
    std::string kept;
    for (const std::string& line : lines(read_file(file))) {
      const size_t first = line.find(','), second = line.find(',', first + 1);
      kept += line.substr(0, first) + line.substr(second) + "\n";
    }
    return kept;
  };
  CHECK(without_time(run + "/scores.csv") == without_time(whole + "/scores.csv"));
}

TEST_CASE("a write that fails leaves the earlier checkpoint whole", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run", whole = scratch / "whole";
  check_ok(forger(tiny_training("dcgan", data, run)));
  const std::string checkpoint = newest_checkpoint(run), bytes = read_file(checkpoint);
  // No file may be as large as a checkpoint is: the next one fails half-way.
  const Result result =
      Process({"train", "--resume", run, "--steps", "16"}, {.file_limit = static_cast<int64_t>(bytes.size()) - 100})
          .wait();
  INFO(result.err);
  CHECK(result.code == 1);
  REQUIRE(errors(result).size() == 1);
  CHECK(errors(result)[0].find("step-000016.safetensors") != std::string::npos);
  CHECK(newest_checkpoint(run) == checkpoint);
  CHECK((read_file(checkpoint) == bytes));
  check_no_leftovers(run);

  check_ok(forger({"train", "--resume", run, "--steps", "16"}));
  check_ok(forger(tiny_training("dcgan", data, whole, {"--steps", "16"})));
  check_same_run(whole, run);
}

TEST_CASE("a full disk", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), disk = scratch / "disk", run = disk + "/run", probe = scratch / "probe";
  check_ok(forger(tiny_training("dcgan", data, probe)));
  const size_t room = 5 * read_file(newest_checkpoint(probe)).size() / 2;  // two checkpoints and a half
  fs::create_directories(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, ("size=" + std::to_string(room)).c_str()) != 0) {
    std::cout << "skipped: mounting a small file system for this test needs root" << std::endl;
    return;
  }
  const Result result = forger(
      tiny_training("dcgan", data, run, {"--steps", "40", "--checkpoint-every", "5", "--set", "keep_checkpoints=0"}));
  const std::string saved = scratch / "saved";
  fs::copy(run, saved, fs::copy_options::recursive);
  umount(disk.c_str());

  INFO(result.err);
  CHECK(result.code == 1);
  REQUIRE(errors(result).size() == 1);
  CHECK(errors(result)[0].find(disk) != std::string::npos);
  REQUIRE(!newest_checkpoint(saved).empty());
  check_ok(forger({"train", "--resume", saved}));
  CHECK(newest_checkpoint(saved).ends_with("step-000040.safetensors"));
}

TEST_CASE("on a terminal progress is one line that fits its width", "[train]") {
  const Scratch scratch;
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(grantpt(terminal) == 0);
  REQUIRE(unlockpt(terminal) == 0);
  const std::string device = ptsname(terminal);
  const int other_end = open(device.c_str(), O_RDWR | O_NOCTTY);
  constexpr unsigned short width = 72;
  const winsize size{24, width, 0, 0};
  REQUIRE(ioctl(other_end, TIOCSWINSZ, &size) == 0);
  setenv("TERM", "xterm", 1);
  setenv("LC_ALL", "C", 1);
  setenv("NO_COLOR", "1", 1);
  Process process(tiny_training("dcgan", tiny_data(scratch), scratch / "run", {"--steps", "40"}), {.err = device});
  std::string shown;
  char piece[4096];
  // Read while it runs: a full terminal would block it. The end of the last line is the end of the run.
  while (shown.find("40/40") == shown.npos || process.running()) {
    const ssize_t count = read(terminal, piece, sizeof piece);
    REQUIRE(count > 0);
    shown.append(piece, static_cast<size_t>(count));
    if (shown.find("40/40") != shown.npos && shown.ends_with("\n")) break;
  }
  CHECK(process.wait().code == 0);
  close(other_end);
  close(terminal);
  INFO(shown);
  CHECK(shown.find("\r\x1b[K#") != std::string::npos);
  CHECK(shown.find("\x1b[3") == std::string::npos);  // no colours
  size_t drawn = 0;
  for (size_t at = 0; (at = shown.find("\r\x1b[K", at)) != shown.npos; drawn++) {
    at += 4;
    const std::string line = shown.substr(at, shown.find_first_of("\r\n", at) - at);
    INFO(line);
    if (line.find("/40  ") != line.npos) CHECK(line.size() < width);  // notes are lines of their own
  }
  CHECK(drawn >= 2);
}

TEST_CASE("a log for TensorBoard: events beside the run's own files, a new file for each time it goes on", "[train]") {
  const Scratch scratch;
  const std::string run = scratch / "run", data = tiny_data(scratch);
  check_ok(forger(tiny_training("dcgan", data, run, {"--log", "tensorboard", "--steps", "4"})));
  const std::string events = read_file(run + "/events.out.tfevents.step-000000");
  for (const char* word : {"brain.Event:2", "loss_d", "grad_norm_g", "samples", "\x89PNG"})
    CHECK(events.find(word) != std::string::npos);
  check_ok(forger({"train", "--resume", run, "--steps", "6"}));
  CHECK(read_file(run + "/events.out.tfevents.step-000000") == events);
  CHECK(read_file(run + "/events.out.tfevents.step-000004").find("loss_d") != std::string::npos);
  check_ok(forger(tiny_training("dcgan", data, run, {"--force", "--steps", "1"})));  // they were the run's own
  CHECK(read_file(run + "/events.out.tfevents.step-000004").empty());
  const Result refused = forger(tiny_training("dcgan", data, scratch / "other", {"--log", "wandb"}));
  CHECK(refused.code == 2);
  CHECK(refused.err.find("tensorboard") != std::string::npos);
}

TEST_CASE("samples and walks are a function of the seed", "[sample]") {
  const Scratch scratch;
  const std::string run = scratch / "run";
  check_ok(forger(tiny_training("dcgan", tiny_data(scratch), run, {"--ema", "0.5"})));
  auto picture = [&](Words words) {
    words.insert(words.end(), {"--out", scratch / "x.png"});
    check_ok(forger(words));
    const std::string bytes = read_file(scratch / "x.png");
    CHECK(bytes.starts_with("\x89PNG"));
    return bytes;
  };
  for (const char* command : {"sample", "interpolate"}) {
    INFO(command);
    const std::string seven = picture({command, run, "--seed", "7"});
    CHECK((seven == picture({command, run, "--seed", "7"})));
    CHECK((seven != picture({command, run, "--seed", "8"})));
    CHECK((seven != picture({command, run, "--seed", "7", "--raw"})));
    CHECK((seven == picture({command, newest_checkpoint(run), "--seed", "7"})));
  }
  check_ok(forger({"sample", run, "--count", "130", "--each", scratch / "each"}));
  CHECK(names_in(scratch / "each").size() == 130);
  check_ok(forger({"interpolate", run, "--rows", "3", "--columns", "4", "--frames", scratch / "frames"}));
  CHECK(names_in(scratch / "frames").size() == 12);
  CHECK(names_in(scratch / "frames").front() == "frame-000000.png");
  const std::string film = scratch / "walk.gif";
  CHECK(forger({"interpolate", run, "--rows", "3", "--columns", "4", "--walks", "5", "--film", film}).out ==
        film + ": 12 frames\n");
  CHECK(read_file(film).starts_with("GIF89a"));
  CHECK(forger({"interpolate", run, "--film", scratch / "walk.jpg"}).code == 2);
  // Neighbouring frames differ, and the walk closes on itself without standing still.
  CHECK((read_file(scratch / "frames/frame-000000.png") != read_file(scratch / "frames/frame-000001.png")));
  CHECK((read_file(scratch / "frames/frame-000000.png") != read_file(scratch / "frames/frame-000011.png")));
}

TEST_CASE("what the failure watch sees ends a run that asks for it, after a checkpoint", "[train]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  const Result warned = forger(tiny_training("dcgan", data, scratch / "warned"));  // after 8 steps all are alike
  CHECK(warned.code == 0);
  CHECK(warned.err.find("warning: step 8: the samples are all alike") != std::string::npos);
  CHECK(warned.err.find("what helps: --penalty r1") != std::string::npos);
  const Result stopped = forger(tiny_training("dcgan", data, run, {"--stop-on-failure"}));
  INFO(stopped.err);
  CHECK(stopped.code == 1);
  REQUIRE_FALSE(errors(stopped).empty());
  CHECK(errors(stopped).back().find("stopped after step 8, as --stop-on-failure asks: the samples") !=
        std::string::npos);
  CHECK(std::filesystem::exists(run + "/checkpoints/step-000008.safetensors"));
}
