// The trainer: runs a recipe and keeps a run folder.
//
//   config.toml      every setting, the version, the data's hash
//   metrics.csv      step,seconds,<the recipe's scalars>: a row per step
//   scores.csv       step,seconds,fcd,fcd_best,...: a row per evaluation, where --evaluate-every asks for them
//   samples/         step-000500.png: fixed noise through the averaged generator
//   checkpoints/     step-000500.safetensors: weights, moments, averages, buffers, random counters, data cursor;
//                    best.safetensors: that of the best evaluation
//   report.html      curves, previews through time, settings; self-contained
//   log.txt          what was printed
//
// Nothing is ever half-written: checkpoints, pictures and the report are renamed into place; metrics.csv is cut back to
// the checkpoint's step on resume.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gan/recipe.h"

namespace forger::gan {

struct Progress {
  int64_t step = 0, steps = 0;   // done, of
  double seconds = 0;            // training time so far, earlier sessions of the run included
  double images_per_second = 0;  // of the last few seconds
  Scalars scalars;               // of this step
};

// What a run tells the world; apps/ prints it.
struct Observer {
  std::function<void(const Progress&)> on_step = [](const Progress&) {};
  std::function<void(const std::string&)> on_note = [](const std::string&) {
  };  // "checkpoint checkpoints/step-000500.safetensors"
  std::function<void(const std::string&)> on_warning = [](const std::string&) {};  // failure watch, in plain words
};

// A score of the generator as it trains: "fcd".
struct TrainingScore {
  std::string name;
  double value;
  bool lower_is_better;
};
// Called with the averaged weights in place. It must draw nothing from recipe.random(): a run that is watched is the
// run that is not. Always the same names in the same order; the first one ranks checkpoints.
using Evaluate = std::function<std::vector<TrainingScore>(Recipe& recipe)>;

// Everything that a run's config.toml holds: the recipe's settings and what the trainer fills in (the version, the
// data's hash and the shape of a sample). What `start` takes; `start` overwrites the latter.
Settings run_settings(const RecipeEntry& recipe);

class Trainer {
 public:
  // A new run in `out`: creates the folder. UsageError when it already holds a run, unless `force` (which removes that
  // run's files).
  static Trainer start(const Settings& settings, const std::string& out, bool force, Observer observer);
  // Continues the newest checkpoint of the run in `out`; steps > 0 replaces the run's length.
  static Trainer resume(const std::string& out, int64_t steps, Observer observer);

  Trainer(Trainer&&) noexcept;
  ~Trainer();

  // Scores the generator every `evaluate_every` steps and at the end (a run that is made longer keeps the row of its
  // first end); without it these settings have no effect.
  void evaluate_with(Evaluate evaluate);

  // Trains to the end, or until *stop becomes true (then it checkpoints). True when the run is complete.
  bool run(const std::atomic<bool>& stop);
  int64_t step() const;
  const Settings& settings() const;

 private:
  struct Impl;
  explicit Trainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A trained recipe from a run folder, for sampling: the newest checkpoint (or the one named), averaged weights in place
// when `averaged`. DataError when there is none or it does not fit.
struct Trained {
  Settings settings;
  std::unique_ptr<Recipe> recipe;
  int64_t step = 0;
};
Trained load_trained(const std::string& path, bool averaged = true);  // a run folder or a .safetensors file inside one

}  // namespace forger::gan
