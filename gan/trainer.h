// The trainer: runs a recipe and keeps a run folder.
//
//   config.toml      every setting, the version, what the data was
//   metrics.csv      step,seconds,<the recipe's scalars>: a row per step
//   scores.csv       step,seconds,fcd,fcd_best,...: a row per evaluation, where --evaluate-every asks for them
//   tests.csv        step,seconds,psnr,...: a row per test, where --test-every asks for them
//   samples/         step-000500.png: fixed noise through the averaged generator
//   checkpoints/     step-000500.safetensors: weights, moments, averages, buffers, random counters, data cursor;
//                    best.safetensors: that of the best evaluation
//   report.html      curves, previews through time, settings; self-contained
//   log.txt          what was printed
//   files.txt        the names of all these, as far as they were written: what --force removes
//
// Nothing is ever half-written: checkpoints, pictures and the report are renamed into place; metrics.csv is cut back to
// the checkpoint's step on resume. One process has the folder at a time (gan/run_folder.h, RunClaim).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gan/data.h"
#include "gan/recipe.h"
#include "gan/run_folder.h"

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
  // Other long work, "training the built-in judge"; may throw Interrupted to give it up.
  std::function<void(const std::string& what, int64_t done, int64_t total)> on_work = [](const std::string&, int64_t,
                                                                                         int64_t) {};
};

// A score of the generator as it trains: "fcd".
struct TrainingScore {
  std::string name;
  double value;
  bool lower_is_better;
};
// Called with the averaged weights in place. It must draw nothing from recipe.random(): a run that is watched is the
// run that is not. Always the same names in the same order; the first one ranks checkpoints.
using Evaluate = std::function<std::vector<TrainingScore>()>;
// Makes it for the recipe that is trained, as the settings ask: when all else has been checked and before anything is
// written. Throws when a score cannot be had. Called where `evaluate_every` is not 0.
using MakeEvaluate = std::function<Evaluate(Recipe& recipe, const Settings& settings, const DataSetPtr& data)>;

// What a person asks of a run while it goes on; set by signal handlers.
struct Requests {
  std::atomic<bool> stop{false};        // checkpoint and end
  std::atomic<bool> checkpoint{false};  // checkpoint and go on
};

// What may be changed of a run that goes on; empty and 0: as it was.
struct Changes {
  int64_t steps = 0;  // its length
  std::string device = {}, data = {};
  int64_t threads = 0;
  bool skip_broken = false;  // pictures that have become unreadable since are left out from now on
};

class Trainer {
 public:
  // A new run in the claimed folder. UsageError when that already holds a run, unless `force` (which removes that run's
  // files, and no others), or files of somebody else where the run would write. It is scored every `evaluate_every`
  // steps and at the end, if there is something to score it with.
  static Trainer start(const Settings& settings, RunClaim claim, bool force, Observer observer,
                       const MakeEvaluate& make_evaluate = {});
  // Continues the newest checkpoint that is whole. UsageError when the folder holds no run, or fewer steps are asked
  // for than are done; DataError when there is no checkpoint and metrics.csv tells of steps. A run that is made longer
  // keeps the scores of its first end.
  static Trainer resume(RunClaim claim, const Changes& changes, Observer observer,
                        const MakeEvaluate& make_evaluate = {});

  Trainer(Trainer&&) noexcept;
  ~Trainer();

  // Trains to the end, or until it is asked to stop (then it checkpoints). True when the run is complete.
  bool run(Requests& requests);
  int64_t step() const;
  std::string folder() const;

 private:
  struct Impl;
  explicit Trainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace forger::gan
