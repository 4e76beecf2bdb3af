// What the commands of `forger` share. The rule of apps/: only here does Forger print or exit.
//
// Each command is one file with one function: it adds its subcommand to CLI11's tree and returns what to run when that
// subcommand was typed. Errors leave a command as exceptions; main.cpp turns each into one line on standard error:
//
//   exit code   0 done   1 failed   2 bad usage   130 interrupted (SIGINT, SIGTERM), after a checkpoint
#pragma once
#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "gan/image.h"
#include "gan/recipe.h"
#include "gan/trainer.h"
#include "metrics/evaluate.h"

namespace forger::apps {

enum ExitCode { exit_done = 0, exit_failed = 1, exit_bad_usage = 2, exit_interrupted = 130 };

struct Command {
  CLI::App* app;
  std::function<int()> run;  // returns an exit code
};

Command train_command(CLI::App& root);        // train.cpp
Command sample_command(CLI::App& root);       // sample.cpp
Command interpolate_command(CLI::App& root);  // interpolate.cpp
Command evaluate_command(CLI::App& root);     // evaluate.cpp
Command fid_command(CLI::App& root);          // fid.cpp
Command stats_command(CLI::App& root);        // fid.cpp
Command neighbours_command(CLI::App& root);   // neighbours.cpp
Command list_command(CLI::App& root);         // list.cpp
Command info_command(CLI::App& root);         // info.cpp

// From now on SIGINT and SIGTERM set the flag; a second one ends the process at once, with 130.
const std::atomic<bool>& watch_signals();

// The devices this build can use, with what the running machine offers: "cpu" and "2 threads, avx512".
struct DeviceLine {
  std::string name, about;
};
std::vector<DeviceLine> device_lines();

// Samples are drawn from their own stream, so that `--seed 0` does not replay the first latents of a training run.
inline Random sampling_random(int64_t seed) { return Random(static_cast<uint64_t>(seed), /*stream=*/0x73616d706c65); }

// Latents pass through the generator in pieces of this many: memory stays bounded for any --count.
constexpr int64_t generated_at_once = 64;
Tensor generate_all(gan::Recipe& recipe, const Tensor& latent);

// The data that a run was trained on; DataError when it has changed since.
gan::DataSetPtr data_of(const gan::Settings& settings, gan::Subset subset = gan::Subset::train);

// {"value": ..., "spread": ..., "n_real": ..., ...}
nlohmann::ordered_json as_json(const metrics::Score& score);

// Sample i of a batch of images as a picture of its own.
gan::Image single(const Tensor& images, int64_t i);
// folder/name-000042.png
std::string numbered(const std::string& folder, const std::string& name, int64_t i);

}  // namespace forger::apps
