// Training on the software CUDA device, from the command line: the CPU's losses, the CPU's promises.
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;

namespace {

// Every recipe there is, and what it has to be put before the images that it takes: a new one enters by existing.
std::vector<std::pair<std::string, std::string>> recipes() {
  std::vector<std::pair<std::string, std::string>> found;
  const auto list = nlohmann::json::parse(forger({"list", "--json"}).out);
  for (const auto& recipe : list.at("recipes"))
    found.emplace_back(recipe.at("name"), recipe.at("needs").at(0) == "source" ? "edges:" : "");
  return found;
}

std::string train(const Scratch& scratch, const std::string& data, const std::string& recipe, const std::string& name,
                  const std::vector<std::string>& more) {
  const std::string run = scratch / (recipe + "-" + name);
  std::vector<std::string> words{"train",
                                 recipe,
                                 "--data",
                                 data,
                                 "--size",
                                 "16",
                                 "--width",
                                 "4",
                                 "--batch",
                                 "8",
                                 "--steps",
                                 "8",
                                 "--previews",
                                 "4",
                                 "--n-critic",
                                 "1",
                                 "--preview-every",
                                 "3",
                                 "--checkpoint-every",
                                 "5",
                                 "--threads",
                                 "1",
                                 "--out",
                                 run};
  words.insert(words.end(), more.begin(), more.end());
  const Result result = forger(words);
  INFO(recipe << " " << name << ": " << result.err);
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

void check_same_bytes(const std::string& a, const std::string& b) {
  INFO(a << " and " << b);
  CHECK(
      (read_file(a + "/checkpoints/step-000008.safetensors") == read_file(b + "/checkpoints/step-000008.safetensors")));
  CHECK(losses(a) == losses(b));
}

void check_recipe(const std::string& recipe, const std::string& prefix) {
  const Scratch scratch;
  const std::string data = prefix + tiny_classes(scratch);
  const std::string cpu = train(scratch, data, recipe, "cpu", {});
  const std::string simt = train(scratch, data, recipe, "simt", {"--device", "simt"});
  const auto right = losses(cpu), got = losses(simt);
  REQUIRE(right.size() == 8);
  REQUIRE(got.size() == 8);
  for (size_t step = 0; step < 8; step++)
    for (size_t k = 0; k < right[step].size(); k++)
      CHECK(std::abs(got[step][k] - right[step][k]) < 1e-4 * (std::abs(right[step][k]) + 1e-3));

  // Recorded once and replayed: the same bits.
  check_same_bytes(train(scratch, data, recipe, "graph", {"--device", "simt", "--graph"}), simt);

  // Five steps and a resume to eight: the same bits, replayed or not.
  const std::string part = train(scratch, data, recipe, "part", {"--device", "simt", "--graph", "--steps", "5"});
  const Result resumed = forger({"train", "--resume", part, "--steps", "8"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  check_same_bytes(part, simt);
}

}  // namespace

namespace {
// In parts that run side by side.
constexpr size_t parts = 4;
void check_recipes(size_t part) {
  const auto all = recipes();
  REQUIRE(all.size() >= parts);
  for (size_t i = part; i < all.size(); i += parts) check_recipe(all[i].first, all[i].second);
}
}  // namespace

TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: first part", "[simt]") {
  check_recipes(0);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: second part", "[simt]") {
  check_recipes(1);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: third part", "[simt]") {
  check_recipes(2);
}
TEST_CASE("simt: every recipe trains as on the CPU, resumes and replays byte for byte: fourth part", "[simt]") {
  check_recipes(3);
}

TEST_CASE("simt: losses are read as often as asked, and sampling works from a device's run", "[simt]") {
  const Scratch scratch;
  const std::string data = tiny_data(scratch);
  const std::string run =
      train(scratch, data, "dcgan", "seldom", {"--device", "simt", "--graph", "--read-every", "3", "--math", "tf32"});
  CHECK(losses(run).size() == 3);  // steps 3, 6 and the last
  const Result sampled = forger({"sample", run, "--count", "4", "--out", scratch / "grid.png"});
  INFO(sampled.err);
  CHECK(sampled.code == 0);
  CHECK(read_file(scratch / "grid.png").starts_with("\x89PNG"));
}
