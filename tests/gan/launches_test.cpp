// How many kernels a training step asks a GPU to start. Each start costs some microseconds, which is more than most
// kernels of such networks take, whatever their batch: so the number may fall, and rise only for a reason.
#include "gan/player.h"
#include "kernels/simt/runtime.h"
#include "tests/catch.h"
#include "tests/recipe_cases.h"

using namespace forger;
using namespace forger::gan;
using namespace forger::test;

namespace {

// Of a step at 32 pixels, of both players. What they are made of, for a failed check, goes to `table`.
uint64_t launches_of(const std::string& name, std::vector<std::pair<std::string, std::string>> more,
                     std::string& table) {
  more.insert(more.end(), {{"width", "8"}, {"device", "simt"}});
  const RecipeCase row{name, name, {{.name = "image", .sample = {32, 32, 1}}}, "", more};
  const auto recipe = make(row, settings_of(row));
  Random random(1);
  const UncheckedUpdates unchecked;
  const auto step = [&] { recipe->step([&] { return recipe->here(batch_of(row.columns, random)); }); };
  step();  // makes what is made once
  simt::reset_traffic();
  step();
  uint64_t launches = 0;
  for (const auto& [kernel, traffic] : simt::traffic()) {
    table += std::to_string(traffic.launches) + " " + kernel + "\n";
    launches += traffic.launches;
  }
  return launches;
}

void check_launches(uint64_t most, const std::string& name,
                    std::vector<std::pair<std::string, std::string>> more = {}) {
  std::string table;
  const uint64_t launches = launches_of(name, std::move(more), table);
  INFO(name << "\n" << table);
  CHECK(launches <= most);
}

}  // namespace

TEST_CASE("launches: a step starts no more kernels than it did", "[simt]") {
  check_launches(98, "dcgan");
  check_launches(98, "lsgan");
  check_launches(114, "wgan-gp", {{"n_critic", "1"}});
}

TEST_CASE("launches: bf16 adds the roundings of what comes in and the widenings of verdicts", "[simt]") {
  kernels::set_math_mode(kernels::MathMode::bf16);
  check_launches(106, "dcgan");
  check_launches(127, "wgan-gp", {{"n_critic", "1"}});
  kernels::set_math_mode(kernels::MathMode::fp32);
}
