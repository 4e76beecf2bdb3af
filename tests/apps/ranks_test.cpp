// Several processes on one training, as mpirun starts them. Without mpirun, or in a build without MPI, skipped.
#include <cmath>
#include <iostream>

#include "gan/metrics_file.h"
#include "gan/trained.h"
#include "tests/apps/checks.h"

using namespace program;

namespace {

constexpr const char* mpirun =
    "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 120 mpirun --oversubscribe --bind-to none -n ";

Result together(int count, const Words& words) {
  std::string line = mpirun + std::to_string(count) + " \"$FORGER\"";
  for (const std::string& word : words) line += " '" + word + "'";
  return shell(line);
}

bool can_run() {
  const bool can = shell("command -v mpirun && ldd \"$FORGER\" | grep -q libmpi").code == 0;
  if (!can) std::cout << "skipped: no mpirun, or a build without MPI\n";
  return can;
}

// In float64, so that another order of sums is nearly the same sum.
Words training(const Scratch& scratch, const std::string& recipe, const std::string& out, const Words& more = {}) {
  Words all{"--dtype", "float64", "--batch", "8", "--steps", "6", "--threads", "1"};
  all.insert(all.end(), more.begin(), more.end());
  return tiny_training(recipe, tiny_data(scratch), out, all);
}

void check_alike(const std::string& run, const std::string& other, double bound) {
  const forger::gan::MetricsTable a = forger::gan::read_metrics(run + "/metrics.csv"),
                                  b = forger::gan::read_metrics(other + "/metrics.csv");
  REQUIRE(a.rows() == 6);
  REQUIRE(b.rows() == 6);
  REQUIRE(a.names == b.names);
  for (size_t k = 0; k < a.names.size(); k++) {
    if (a.names[k] == "seconds") continue;
    for (size_t i = 0; i < a.rows(); i++) {
      INFO(a.names[k] << " of step " << i + 1);
      CHECK(std::abs(a.columns[k][i] - b.columns[k][i]) <= bound * std::max(1.0, std::abs(a.columns[k][i])));
    }
  }
}

}  // namespace

TEST_CASE("ranks: several processes have the losses of one", "[ranks]") {
  if (!can_run()) return;
  const Scratch scratch;
  const std::vector<std::pair<std::string, Words>> games{
      {"wgan-gp", {"--n-critic", "1", "--sync-bn"}},
      {"dcgan", {"--sync-bn", "--augment", "ada", "--label-noise", "0.2"}},
      {"dcgan", {"--sync-bn", "--device", "simt"}}};  // sums as between GPUs
  for (size_t k = 0; k < games.size(); k++) {
    const auto& [recipe, more] = games[k];
    const std::string alone = scratch / ("alone" + std::to_string(k));
    REQUIRE(program::forger(training(scratch, recipe, alone, more)).code == 0);
    for (const int count : {2, 4}) {
      INFO(recipe << ' ' << k << ", " << count << " processes");
      const std::string run = scratch / ("run" + std::to_string(10 * k + static_cast<size_t>(count)));
      const Result result = together(count, training(scratch, recipe, run, more));
      INFO(result.err);
      REQUIRE(result.code == 0);
      check_alike(alone, run, 1e-5);

      size_t bytes = 0;
      const forger::gan::Trained trained = forger::gan::load_trained(run, {}, false);
      for (const auto& network : trained.recipe->networks())
        for (const auto& [name, tensor] : network.module->parameters())
          bytes += static_cast<size_t>(tensor.numel()) * sizeof(double);
      CHECK(read_file(run + "/log.txt")
                .find(std::to_string(count) + " processes, each of which hands over " + std::to_string(bytes) +
                      " bytes of gradients a step") != std::string::npos);
    }
  }
}

TEST_CASE("ranks: a run that goes on is the one that was not stopped; a process that dies ends it", "[ranks]") {
  if (!can_run()) return;
  const Scratch scratch;
  const std::string whole = scratch / "whole", run = scratch / "run";
  REQUIRE(together(2, training(scratch, "dcgan", whole)).code == 0);
  REQUIRE(together(2, training(scratch, "dcgan", run, {"--steps", "3"})).code == 0);
  const Result resumed = together(2, {"train", "--resume", run, "--steps", "6"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK((read_file(newest_checkpoint(run)) == read_file(newest_checkpoint(whole))));

  // The second of two is killed once there is a checkpoint; the first one does not wait for it.
  const std::string killed = scratch / "killed";
  Words words = training(scratch, "dcgan", killed, {"--steps", "1000000", "--checkpoint-every", "5"});
  std::string line = std::string("cd '") + scratch.path().string() + "'; " + mpirun +
                     "2 sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec \"$@\"' sh \"$FORGER\"";
  for (const std::string& word : words) line += " '" + word + "'";
  const Result died = shell("(" + line + ") & until [ \"$(cat '" + killed +
                            "/metrics.csv' 2>/dev/null | wc -l)\" -gt 20 ]; do sleep 0.1; done; kill -9 $(cat '" +
                            (scratch / "pid.1") + "'); wait $!");
  CHECK(died.code != 0);
  const Result after = together(2, {"train", "--resume", killed, "--steps", "1"});
  CHECK(after.err.find("it can only be made longer") != std::string::npos);  // there is a checkpoint to go on from
}

TEST_CASE("ranks: two hosts that have nothing but a network in common", "[ranks]") {
  if (!can_run()) return;
  const Scratch scratch;
  const auto on_two_hosts = [](const Words& words) {
    std::string line = "\"" FORGER_SOURCE_DIR "/tests/apps/two_hosts.sh\" \"$FORGER\"";
    for (const std::string& word : words) line += " '" + word + "'";
    return shell(line);
  };
  const Words more{"--n-critic", "1", "--sync-bn"};
  const std::string alone = scratch / "alone", run = scratch / "run";
  const Result result = on_two_hosts(training(scratch, "wgan-gp", run, more));
  if (result.code == 77) {
    std::cout << "skipped: no network namespaces can be made here (root and iproute2)\n";
    return;
  }
  INFO(result.err);
  REQUIRE(result.code == 0);
  REQUIRE(program::forger(training(scratch, "wgan-gp", alone, more)).code == 0);
  check_alike(alone, run, 1e-5);

  // What each hands over went through the cable, once at least: it did not go by way of memory.
  const std::string log = read_file(run + "/log.txt"), hands = "hands over ", sent = "sent: ";
  REQUIRE(log.find(hands) != std::string::npos);
  REQUIRE(result.out.find(sent) != std::string::npos);
  const int64_t of_a_step = std::stoll(log.substr(log.find(hands) + hands.size())),
                over_the_cable = std::stoll(result.out.substr(result.out.find(sent) + sent.size()));
  CHECK(over_the_cable > 6 * of_a_step);

  const Result uneven = on_two_hosts(training(scratch, "dcgan", scratch / "uneven", {"--batch", "7"}));
  CHECK(uneven.code != 0);
  CHECK(errors(uneven).size() == 1);
}

TEST_CASE("ranks: what cannot be is said once", "[ranks]") {
  if (!can_run()) return;
  const Scratch scratch;
  const Result uneven = together(3, training(scratch, "dcgan", scratch / "run"));
  CHECK(uneven.code != 0);
  CHECK(errors(uneven).size() == 1);
  CHECK(uneven.err.find("--batch 8 cannot be dealt out to 3 processes evenly") != std::string::npos);
}
