// The command line from outside: what it teaches, what it refuses and in which words. Every refusal is one line on
// standard error that names what is wrong, and an exit code.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;

TEST_CASE("help and version", "[cli]") {
  CHECK(forger({"--version"}).out.starts_with("forger "));
  const Result nothing = forger({});
  CHECK(nothing.code == 2);
  CHECK(nothing.err.find("forger train --resume") != std::string::npos);
  for (const char* command :
       {"train", "sample", "interpolate", "evaluate", "fid", "stats", "neighbours", "list", "info"}) {
    INFO(command);
    const Result help = forger({command, "--help"});
    CHECK(help.code == 0);
    CHECK(help.err.empty());
    CHECK(help.out.find("Usage: forger " + std::string(command)) != std::string::npos);
  }
}

TEST_CASE("help of train shows the settings of the recipe that was named", "[cli]") {
  const std::string dcgan = forger({"train", "--help"}).out, wgan = forger({"train", "wgan-gp", "--help"}).out;
  CHECK(dcgan.find("--fused,--no-fused [on]") != std::string::npos);
  CHECK(dcgan.find("--loss TEXT [non-saturating]") != std::string::npos);
  CHECK(dcgan.find("--sigma") == std::string::npos);
  CHECK(dcgan.find("Examples:") != std::string::npos);
  CHECK(wgan.find("--lambda X [10]") != std::string::npos);
  CHECK(wgan.find("--loss TEXT [wasserstein]") != std::string::npos);
  CHECK(wgan.find("--penalty TEXT [gp]") != std::string::npos);
  CHECK(wgan.find("--n-critic N [2]") != std::string::npos);
}

TEST_CASE("list and info, for people and for programs", "[cli]") {
  const std::string text = forger({"list"}).out;
  for (const char* word : {"dcgan", "wgan-gp", "arXiv:1511.06434", "fashion-mnist", "cpu"})
    CHECK(text.find(word) != std::string::npos);
  const auto list = nlohmann::json::parse(forger({"list", "--json"}).out);
  CHECK(list.at("recipes").size() >= 2);
  CHECK(std::ranges::any_of(list.at("recipes"), [](const auto& recipe) { return recipe.at("name") == "dcgan"; }));
  CHECK(list.at("data").size() >= 4);
  const auto info = nlohmann::json::parse(forger({"info", "--json"}).out);
  CHECK(info.at("threads") >= 1);
  CHECK(info.at("devices").at(0) == "cpu");
  CHECK(forger({"info"}).out.find(info.at("compiler").get<std::string>()) != std::string::npos);
}

TEST_CASE("FORGER_SIMD lowers the instruction set, and never raises it", "[cli]") {
  const auto level = [](const std::string& wish) {
    return shell("FORGER_SIMD=" + wish + " '" + binary() + "' info | sed -n 's/^simd *//p'").out;
  };
  CHECK(level("portable") == "portable\n");
  const std::string native = level("");
  CHECK(level("avx2") == (native == "portable\n" ? native : "avx2\n"));
  CHECK(level("avx512") == native);
}

TEST_CASE("output that cannot be written is a failure", "[cli]") {
  const std::string command = "'" + binary() + "' list >/dev/full 2>/dev/null";
  CHECK(std::system(command.c_str()) >> 8 == 1);  // the exit code is the second byte
}

namespace {

struct Refusal {
  Words arguments;
  int code;
  Words words;  // that the line must hold
};

void check_refusal(const Refusal& refusal) {
  std::string typed;
  for (const std::string& word : refusal.arguments) typed += " " + word;
  const Result result = forger(refusal.arguments);
  INFO("forger" << typed << "\n" << result.err);
  CHECK(result.code == refusal.code);
  CHECK(result.out.empty());
  REQUIRE(lines(result.err).size() == 1);
  CHECK(result.err.starts_with("forger: "));
  for (const std::string& word : refusal.words) {
    INFO("word: " << word);
    CHECK(result.err.find(word) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("bad usage: exit code 2 and one line", "[cli]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), out = scratch / "out";
  auto training = [&](const Words& more) { return tiny_training("dcgan", data, out, more); };
  write_file(scratch / "broken.toml", "steps = = 3\n");
  write_file(scratch / "unknown.toml", "stepz = 3\n");
  std::filesystem::create_directories(scratch / "empty");
  const Refusal table[] = {
      {{"trian"}, 2, {"trian", "train", "forger --help"}},
      {{"--verbos"}, 2, {"--verbos", "forger --help"}},
      {{"train", "dcgam"}, 2, {"dcgam", "dcgan", "wgan-gp"}},
      {{"train", "dcgan", "extra"}, 2, {"extra", "forger train --help"}},
      {training({"--stpes", "5"}), 2, {"--stpes", "--steps", "forger train --help"}},
      {training({"--steps"}), 2, {"--steps", "--out"}},  // which follows where the value should be
      {{"train", "--steps"}, 2, {"--steps"}},
      {training({"--steps", "0"}), 2, {"--steps", "between 1 and"}},
      {training({"--steps", "many"}), 2, {"--steps", "an integer", "many"}},
      {training({"--lr-g", "-1"}), 2, {"--lr-g", "between 0 and 1"}},
      {training({"--beta1", "nan"}), 2, {"--beta1", "nan"}},
      {training({"--sigma", "3"}), 2, {"sigma"}},  // of another recipe
      {training({"--loss", "best"}), 2, {"best", "non-saturating"}},
      {training({"--schedule", "sometimes"}), 2, {"sometimes", "cosine"}},
      {training({"--device", "abacus"}), 2, {"abacus", "cpu"}},
      {training({"--conv", "fast"}), 2, {"fast", "winograd"}},
      {training({"--size", "20"}), 2, {"--size", "20"}},
      {training({"--batch", "65"}), 2, {"--batch", "65", "64"}},
      {training({"--data", "no-such-data"}), 2, {"no-such-data", "fashion-mnist"}},
      {training({"--data", "ring8"}), 2, {"--arch dcgan takes images; points take --arch mlp"}},
      {{"train", "vae", "--data", "ring8"}, 2, {"vae needs image", "fashion-mnist"}},
      {training({"--set", "steps"}), 2, {"--set", "key=value", "steps"}},
      {training({"--set", "stepz=5"}), 2, {"stepz", "steps"}},
      {training({"--config", scratch / "none.toml"}), 2, {"none.toml"}},
      {training({"--config", scratch / "broken.toml"}), 2, {"broken.toml:1"}},
      {training({"--config", scratch / "unknown.toml"}), 2, {"unknown.toml:1", "stepz", "steps"}},
      {{"train", "--resume", scratch / "none"}, 2, {"none", "holds no run"}},
      {{"train", "--resume", scratch / "empty"}, 2, {"empty", "holds no run"}},
      {{"train", "--resume", scratch / "empty", "--batch", "3"}, 2, {"--resume", "--steps", "--batch"}},
      {{"train", "dcgan", "--resume", scratch / "empty"}, 2, {"--resume", "dcgan"}},
      {{"sample"}, 2, {"RUN", "forger sample --help"}},
      {{"sample", scratch / "none"}, 2, {"none", "holds no run"}},
      {{"sample", scratch / "empty", "--count", "0"}, 2, {"--count"}},
      {{"sample", scratch / "empty", "--count", "few"}, 2, {"--count", "few"}},
      {{"interpolate", scratch / "empty", "--out", "a", "--frames", "b"}, 2, {"--out", "--frames"}},
      {{"interpolate", scratch / "empty", "--columns", "1"}, 2, {"--columns"}},
  };
  for (const Refusal& refusal : table) {
    check_refusal(refusal);
    CHECK(std::filesystem::remove_all(out) == 0);  // refused before anything was made
  }
}

TEST_CASE("numbers are decimal, whoever reads them", "[cli]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run";
  REQUIRE(forger(tiny_training("dcgan", data, run, {"--seed", "010"})).code == 0);
  CHECK(read_file(run + "/config.toml").find("seed = 10 ") != std::string::npos);
  const auto sampled = [&](const std::string& seed) {
    CHECK(forger({"sample", run, "--seed", seed, "--out", scratch / "x.png"}).code == 0);
    return read_file(scratch / "x.png");
  };
  CHECK((sampled("010") == sampled("10")));
  CHECK((sampled("008") == sampled("8")));
  for (const char* number : {"99999999999999999999", "0x10", "1e3", "12x", "1.0"}) {
    check_refusal({{"sample", run, "--seed", number}, 2, {"--seed", "integer", number}});
    check_refusal({tiny_training("dcgan", data, scratch / "no", {"--seed", number}), 2, {"--seed", "integer", number}});
    check_refusal({{"fid", run, run, "--count", number}, 2, {"--count", "integer", number}});
  }
  check_refusal({{"sample", run, "--count", "0012", "--columns", "000"}, 2, {"--columns"}});
}

TEST_CASE("pictures go where they are sent, and are what their names say", "[cli]") {
  const Scratch scratch;
  const std::string run = scratch / "run", each = scratch / "each", picture = scratch / "x.png";
  REQUIRE(forger(tiny_training("dcgan", tiny_data(scratch), run)).code == 0);
  REQUIRE(forger({"sample", run, "--out", picture}).code == 0);
  for (const Words& words : {Words{"sample", run}, Words{"interpolate", run}, Words{"neighbours", run}}) {
    Words jpeg = words;
    jpeg.insert(jpeg.end(), {"--out", scratch / "x.jpg"});
    check_refusal({jpeg, 2, {"x.jpg", "PNG", "x.png"}});
  }
  CHECK(forger({"sample", run, "--out", "-"}).out == read_file(picture));
  CHECK(forger({"sample", run, "--out", "/dev/stdout"}).out == read_file(picture));
  CHECK(forger({"sample", run, "--out", scratch / "without-ending"}).code == 0);

  REQUIRE(forger({"sample", run, "--count", "5", "--each", each}).code == 0);
  write_file(each + "/notes.txt", "mine");
  write_file(each + "/sample-1.png", "not one of them");
  check_refusal({{"sample", run, "--count", "3", "--each", each}, 2, {"5 pictures of an earlier call", "--force"}});
  CHECK(names_in(each).size() == 7);
  CHECK(forger({"sample", run, "--count", "3", "--each", each, "--force"}).code == 0);
  CHECK(names_in(each) ==
        Words{"notes.txt", "sample-000000.png", "sample-000001.png", "sample-000002.png", "sample-1.png"});
  REQUIRE(forger({"interpolate", run, "--rows", "2", "--columns", "3", "--frames", each}).code == 0);
  check_refusal(
      {{"interpolate", run, "--rows", "2", "--columns", "3", "--frames", each}, 2, {"6 pictures", "--force"}});

  // A grid and the pictures one by one show the same samples, however many pieces they are made in.
  REQUIRE(forger({"sample", run, "--count", "130", "--each", scratch / "many", "--out", scratch / "grid.png"}).code ==
          0);
  REQUIRE(forger({"sample", run, "--count", "130", "--out", scratch / "again.png"}).code == 0);
  CHECK(read_file(scratch / "grid.png") == read_file(scratch / "again.png"));
}

TEST_CASE("what the system refuses is said in a line", "[cli]") {
#ifdef __SANITIZE_ADDRESS__  // whose own memory is terabytes of addresses
  std::cout << "skipped: AddressSanitizer does not run under a limit of addresses\n";
  return;
#endif
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  // Whatever the limit is, and wherever it strikes: no abort, and the limit is named where memory was wanting.
  int refused = 0;
  for (int mebibytes = 64; mebibytes <= 4096; mebibytes += mebibytes / 8) {
    const std::string run = scratch / ("run" + std::to_string(mebibytes));
    const Result result = shell("ulimit -v " + std::to_string(mebibytes * 1024) + "; exec \"$FORGER\" train --data '" +
                                data + "' --size 16 --width 128 --batch 64 --steps 1 --out '" + run + "'");
    INFO(mebibytes << " MiB: " << result.err);
    if (result.err.find("error while loading shared libraries") != result.err.npos) continue;  // not ours to say
    CHECK((result.code == 0 || result.code == 1));
    if (result.code == 0) break;
    refused++;
    REQUIRE(errors(result).size() == 1);
    CHECK(errors(result)[0].find("ulimit -v") != std::string::npos);
  }
  CHECK(refused > 0);
  const std::string long_name = scratch / std::string(300, 'n');
  check_refusal({{"sample", long_name}, 2, {"File name too long"}});
}

TEST_CASE("failures: exit code 1 and one line", "[cli]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch), run = scratch / "run", other = scratch / "other";
  std::filesystem::create_directories(scratch / "no-pictures");
  std::filesystem::create_directories(scratch / "bad-pictures");
  write_file(scratch / "bad-pictures/a.png", "not a picture");
  write_file(scratch / "short.idx", read_file(scratch / "tiny.idx").substr(0, 1000));
  write_file(scratch / "file", "");

  check_refusal(
      {tiny_training("dcgan", "folder:" + scratch / "no-pictures", run), 1, {"no picture in", "no-pictures"}});
  check_refusal(
      {tiny_training("dcgan", "folder:" + scratch / "bad-pictures", scratch / "bad", {"--batch", "1"}), 1, {"a.png"}});
  CHECK_FALSE(std::filesystem::exists(scratch / "bad"));  // so that a second try needs no --force
  check_refusal({tiny_training("dcgan", "idx:" + scratch / "short.idx", run), 1, {"short.idx"}});
  check_refusal({tiny_training("dcgan", data, scratch / "file/run"), 1, {"--out", "file/run"}});

  REQUIRE(forger(tiny_training("dcgan", data, run)).code == 0);
  REQUIRE(forger(tiny_training("wgan-gp", data, other)).code == 0);
  check_refusal({tiny_training("dcgan", data, run), 2, {run, "already holds a run", "--resume", "--force"}});

  const std::string checkpoint = newest_checkpoint(run), whole = read_file(checkpoint);
  std::filesystem::remove(run + "/checkpoints/step-000000.safetensors");  // nothing to fall back to
  for (const size_t length : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(checkpoint, whole.substr(0, length));
    check_refusal({{"train", "--resume", run, "--steps", "9"}, 1, {checkpoint}});
    check_refusal({{"sample", run, "--out", scratch / "x.png"}, 1, {checkpoint}});
  }
  write_file(checkpoint, read_file(newest_checkpoint(other)));
  check_refusal({{"train", "--resume", run, "--steps", "9"}, 1, {checkpoint, "wgan-gp", "dcgan"}});
  write_file(checkpoint, whole);
  check_refusal({{"sample", run, "--out", scratch / "none/x.png"}, 1, {"none/x.png"}});
  check_refusal({{"sample", run, "--each", scratch / "file"}, 1, {"file"}});

  std::filesystem::remove(scratch / "tiny.idx");
  check_refusal({{"train", "--resume", run, "--steps", "9"}, 1, {"tiny.idx"}});
}

TEST_CASE("sample --set: the class that was asked for, and a line for what there is not", "[cli]") {
  const Scratch scratch;
  const std::string run = scratch / "run", plain = scratch / "plain";
  REQUIRE(forger(tiny_training("cgan", tiny_classes(scratch), run, {"--steps", "2"})).code == 0);
  const auto sampled = [&](const Words& more) {
    Words words{"sample", run, "--count", "4", "--out", scratch / "grid.png"};
    words.insert(words.end(), more.begin(), more.end());
    REQUIRE(forger(words).code == 0);
    return read_file(scratch / "grid.png");
  };
  const std::string two = sampled({"--set", "label=2"});
  CHECK(two != sampled({"--set", "label=3"}));
  CHECK(two == sampled({"--set", "label=2"}));
  CHECK(forger({"interpolate", run, "--rows", "2", "--columns", "3", "--out", scratch / "walk.png"}).code == 0);
  check_refusal({{"sample", run, "--set", "label=Coat"}, 2, {"Coat", "label", "0, 1, 2, 3"}});
  check_refusal({{"sample", run, "--set", "Coat"}, 2, {"COLUMN=WORD", "Coat"}});
  check_refusal({{"sample", run, "--set", "z=1"}, 2, {"'z'", "label"}});
  REQUIRE(forger(tiny_training("dcgan", tiny_data(scratch), plain, {"--steps", "1"})).code == 0);
  check_refusal({{"sample", plain, "--set", "label=2"}, 2, {"label", "nothing"}});
  check_refusal(
      {tiny_training("cgan", tiny_data(scratch), scratch / "none"), 2, {"cgan needs image, label", "has image"}});
  check_refusal({tiny_training("cgan", tiny_classes(scratch), scratch / "none", {"--condition", "sum"}),
                 2,
                 {"sum", "concat, projection, acgan"}});
}
