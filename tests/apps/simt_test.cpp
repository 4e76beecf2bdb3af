// Training on the software CUDA device, from the command line: the CPU's losses, the CPU's promises.
#include <cmath>
#include <sstream>

#include "tests/apps/recipes.h"
#include "tests/catch.h"

using namespace program;

namespace {

using forger::test::RecipeCase;

std::string train(const Scratch& scratch, const std::string& name, const Words& words) {
  const std::string run = scratch / name;
  Words all = words;
  all.insert(all.end(), {"--out", run});
  const Result result = program::forger(all);
  INFO(name << ": " << result.err);
  REQUIRE(result.code == 0);
  return run;
}

// Rows of numbers, without step and seconds.
std::vector<std::vector<double>> losses(const std::string& run) {
  std::vector<std::vector<double>> rows;
  for (const std::string& line : lines(read_file(run + "/metrics.csv"))) {
    std::vector<double> row;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) row.push_back(std::atof(cell.c_str()));
    rows.emplace_back(row.begin() + 2, row.end());
  }
  rows.erase(rows.begin());  // names
  return rows;
}

void check_same_bytes(const std::string& a, const std::string& b, const std::string& checkpoint) {
  INFO(a << " and " << b);
  CHECK((read_file(a + "/checkpoints/" + checkpoint) == read_file(b + "/checkpoints/" + checkpoint)));
  CHECK(losses(a) == losses(b));
}

void check_recipe(const RecipeCase& row) {
  INFO(row.name);
  if (!row.simt) return;
  const Scratch scratch;
  const auto run = [&](const std::string& name, const Words& more) {
    Words words{"--previews", "2", "--preview-every", "3", "--checkpoint-every", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return train(scratch, name, training(row, tiny_classes(scratch), words));
  };
  const std::string cpu = run("cpu", {"--steps", "3"}), eager = run("eager", {"--steps", "2", "--device", "simt"});
  const Result resumed = program::forger({"train", "--resume", eager, "--steps", "3"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  const auto right = losses(cpu), got = losses(eager);
  REQUIRE(right.size() == 3);
  REQUIRE(got.size() == 3);
  for (size_t step = 0; step < 3; step++)
    for (size_t k = 0; k < right[step].size(); k++)
      CHECK(std::abs(got[step][k] - right[step][k]) < 1e-4 * (std::abs(right[step][k]) + 1e-3));

  // In one go, the second step recorded and the third replayed: the bits of two steps and a resume to three.
  const std::string replayed = run("replayed", {"--steps", "3", "--device", "simt", "--graph"});
  check_same_bytes(replayed, eager, "step-000003.safetensors");
}

// In parts that run side by side.
void check_part(size_t part) { forger::test::for_each_recipe(check_recipe, part, 4); }

}  // namespace

TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: first part", "[simt]") {
  check_part(0);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: second part", "[simt]") {
  check_part(1);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: third part", "[simt]") {
  check_part(2);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: fourth part", "[simt]") {
  check_part(3);
}

TEST_CASE("simt: losses are read as often as asked, and sampling works from a device's run", "[simt]") {
  const Scratch scratch;
  const std::string run = train(scratch, "seldom",
                                training(forger::test::recipe_cases().front(), tiny_classes(scratch),
                                         {"--device", "simt", "--graph", "--read-every", "3", "--math", "tf32"}));
  CHECK(losses(run).size() == 3);  // steps 3, 6 and the last
  const Result sampled = program::forger({"sample", run, "--count", "4", "--out", scratch / "grid.png"});
  INFO(sampled.err);
  CHECK(sampled.code == 0);
  CHECK(read_file(scratch / "grid.png").starts_with("\x89PNG"));
}

// Every recipe takes its activations as bfloat16: the first step's losses are fp32's but for the rounding of activations,
// of which a critic's difference of two means may lose more than each of them. Lengths of gradients are rougher: that of an
// L1 loss between pictures that are nearly alike changes its signs with the rounding.
TEST_CASE("simt: every recipe trains in bf16", "[simt]") {
  for (const RecipeCase& row : forger::test::recipe_cases()) {
    if (!row.simt) continue;
    INFO(row.name);
    const Scratch scratch;
    const auto run = [&](const std::string& math) {
      return losses(train(scratch, math,
                          training(row, tiny_classes(scratch),
                                   {"--previews", "2", "--preview-every", "9", "--checkpoint-every", "9", "--steps",
                                    "1", "--device", "simt", "--math", math})));
    };
    const auto right = run("fp32"), got = run("bf16");
    std::vector<std::string> names;
    std::istringstream header(lines(read_file(scratch / "bf16/metrics.csv")).front());
    for (std::string name; std::getline(header, name, ',');) names.push_back(name);
    names.erase(names.begin(), names.begin() + 2);
    REQUIRE(names.size() == right[0].size());
    REQUIRE(right.size() == 1);
    REQUIRE(got.size() == 1);
    double largest = 0;
    for (const double x : right[0]) largest = std::max(largest, std::abs(x));
    bool other = false;
    for (size_t k = 0; k < right[0].size(); k++) {
      INFO(names[k]);
      const double share = names[k].starts_with("grad_norm") ? 0.25 : 0.05;
      CHECK(std::abs(got[0][k] - right[0][k]) < share * (std::abs(right[0][k]) + 0.2 * largest));
      other |= got[0][k] != right[0][k];
    }
    CHECK(other);
  }
}

TEST_CASE("simt: a bf16 run resumes and is replayed byte for byte", "[simt]") {
  for (const char* recipe : {"dcgan", "wgan-gp"}) {
    const Scratch scratch;
    const auto run = [&](const std::string& name, const Words& more) {
      Words words{"--device", "simt", "--math", "bf16", "--width", "8", "--checkpoint-every", "2"};
      words.insert(words.end(), more.begin(), more.end());
      Words all = tiny_training(recipe, tiny_data(scratch), "", words);
      all.resize(all.size() - 2);
      return train(scratch, name, all);
    };
    const std::string parts = run("parts", {"--steps", "2"}), whole = run("whole", {"--steps", "4", "--graph"});
    const Result resumed = program::forger({"train", "--resume", parts, "--steps", "4"});
    INFO(resumed.err);
    REQUIRE(resumed.code == 0);
    check_same_bytes(whole, parts, "step-000004.safetensors");
  }
}

TEST_CASE("simt: a step under augmentation and noise is recorded and replayed, byte for byte", "[simt]") {
  const Scratch scratch;
  const auto run = [&](const std::string& name, const Words& more) {
    Words words{"--device",       "simt", "--augment",          "ada", "--augment-by", "flip,geometry,colour,cutout",
                "--augment-ramp", "20",   "--instance-noise",   "0.1", "--steps",      "4",
                "--width",        "2",    "--checkpoint-every", "2"};
    words.insert(words.end(), more.begin(), more.end());
    Words all = tiny_training("dcgan", tiny_data(scratch), "", words);
    all.resize(all.size() - 2);
    return train(scratch, name, all);
  };
  check_same_bytes(run("eager", {}), run("graph", {"--graph"}), "step-000004.safetensors");
}
