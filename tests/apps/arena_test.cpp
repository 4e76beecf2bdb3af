// Tournaments and the figures of theory, from outside.
#include <unistd.h>

#include <csignal>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;
namespace fs = std::filesystem;

namespace {

struct Length {
  std::string seeds = "2", steps = "20";
};

Words arena(const std::string& out, const Words& systems, const Words& more = {}, const Length& length = {}) {
  Words words{"arena"};
  words.insert(words.end(), systems.begin(), systems.end());
  words.insert(words.end(), {"--data",        "ring8",   "--steps", length.steps, "--seeds", length.seeds,
                             "--evaluations", "2",       "--jobs",  "2",          "--set",   "keep_checkpoints=0",
                             "--set",         "width=8", "--set",   "batch=16",   "--set",   "evaluate_count=100",
                             "--out",         out});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("arena: systems beside each other, a table, a page, and the same again goes on", "[arena]") {
  const Scratch scratch;
  const std::string out = scratch / "arena";
  const Words systems{"gan", "wgan --penalty gp"};
  const Result first = forger(arena(out, systems));
  INFO(first.err);
  REQUIRE(first.code == 0);
  const Words table = lines(first.out);
  REQUIRE(table.size() >= 3);
  CHECK(table[0].starts_with("system"));
  CHECK(contains(table[0], "covered"));
  CHECK(contains(table[0], "quality"));
  CHECK(contains(table[1], "2 of 2"));
  CHECK(table[2].starts_with("wgan --penalty gp"));
  const Words csv = lines(read_file(out + "/arena.csv"));
  REQUIRE(csv.size() == 5);
  CHECK(csv[0] == "system,score,seeds,mean,spread,least,most,best");
  CHECK(csv[3].starts_with("\"wgan --penalty gp\",covered,2,"));
  const std::string page = read_file(out + "/arena.html");
  CHECK(contains(page, "data:image/png;base64,"));
  CHECK(contains(page, "wgan --penalty gp"));
  CHECK(fs::exists(out + "/wgan-penalty-gp-seed1/report.html"));
  CHECK_FALSE(read_file(out + "/gan-seed0/metrics.csv") == read_file(out + "/gan-seed1/metrics.csv"));

  // What is there is kept; a run that was cut short is resumed, another system joins.
  const std::string whole = read_file(out + "/gan-seed1/checkpoints/step-000020.safetensors");
  fs::remove(out + "/gan-seed1/checkpoints/step-000020.safetensors");
  fs::remove_all(out + "/gan-seed0");
  const Result again = forger(arena(out, {"gan", "wgan --penalty gp", "lsgan"}));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(contains(again.err, "wgan-penalty-gp-seed0: is there"));
  CHECK(contains(again.err, "gan-seed1: trained"));
  CHECK(read_file(out + "/gan-seed1/checkpoints/step-000020.safetensors") == whole);
  CHECK(fs::exists(out + "/gan-seed0/report.html"));
  CHECK(lines(read_file(out + "/arena.csv")).size() == 7);
}

TEST_CASE("arena: systems that cannot be trained are named, and the others are in the table", "[arena]") {
  const Scratch scratch;
  const std::string out = scratch / "arena";
  const Result result = forger(arena(out, {"gan", "wgan --label-smoothing 0.1"}, {}, {.seeds = "1"}));
  CHECK(result.code == 1);
  CHECK(contains(result.err, "--loss wasserstein has no labels"));
  CHECK(contains(result.out, "0 of 1"));
  CHECK(contains(read_file(out + "/arena.html"), "has no labels"));

  const auto refused = [&](const Words& words, const std::string& why) {
    const Result refusal = forger(words);
    INFO(refusal.err);
    CHECK(refusal.code == 2);
    CHECK(lines(refusal.err).size() == 1);
    CHECK(contains(refusal.err, why));
  };
  refused(arena(out, {"gan"}, {}, {.seeds = "1", .steps = "30"}), "holds a tournament of other settings");
  refused(arena(scratch / "x", {"ganz"}), "recipe 'ganz' is not known");
  refused(arena(scratch / "x", {" "}), "a system is a recipe");
  refused({"arena", "--data", "nothing", "--out", scratch / "x"}, "nothing");
  refused({"arena", "--seeds", "0"}, "--seeds");
  CHECK_FALSE(fs::exists(scratch / "x"));
}

TEST_CASE("arena: objectives and penalties multiply the systems", "[arena]") {
  const Scratch scratch;
  const Result result =
      forger(arena(scratch / "a", {"gan"}, {"--loss", "hinge,lsgan", "--penalty", "none,r1"}, {.seeds = "1"}));
  INFO(result.err);
  REQUIRE(result.code == 0);
  for (const char* system : {"gan --loss hinge --penalty none", "gan --loss lsgan --penalty r1"})
    CHECK(contains(result.out, system));
}

TEST_CASE("arena: an interruption stops all of its trainings, and the next command goes on", "[arena]") {
  const Scratch scratch;
  const std::string out = scratch / "arena";
  Process process(arena(out, {"gan", "lsgan"}, {}, {.steps = "1000000"}));
  for (int i = 0;
       i < 600 && !fs::exists(out + "/lsgan-seed0/metrics.csv") && !fs::exists(out + "/gan-seed1/metrics.csv"); i++)
    usleep(50'000);
  process.signal(SIGINT);
  CHECK(process.wait().code == 130);
  size_t began = 0;
  for (const auto& entry : fs::directory_iterator(out)) {
    if (!entry.is_directory()) continue;
    began++;
    const std::string log = read_file(entry.path() / "log.txt");
    INFO(log);
    CHECK(contains(log, "checkpoint"));
  }
  CHECK(began == 2);
}

TEST_CASE("theory: figures, their numbers, and one page", "[arena]") {
  const Scratch scratch;
  const Result result = forger({"theory", "--steps", "2", "--out", scratch / "theory"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(lines(result.out) == Words{scratch / "theory/theory.html"});
  const std::string page = read_file(scratch / "theory/theory.html");
  for (const char* name :
       {"optimal-discriminator", "game-value", "supports", "generator-gradients", "divergences", "likelihood"}) {
    INFO(name);
    const std::string svg = read_file(scratch / ("theory/" + std::string(name) + ".svg"));
    CHECK(svg.starts_with("<svg"));
    CHECK(contains(page, svg));
    CHECK(read_file(scratch / ("theory/" + std::string(name) + ".csv")).starts_with("curve,x,y\n"));
  }
}
