// What the commands of `forger` share. The rule of apps/: only here does Forger print or exit.
//
// Each command is one file with one function: it adds its subcommand to CLI11's tree and returns what to run when that
// subcommand was typed. Errors leave a command as exceptions; main.cpp turns each into one line on standard error:
//
//   exit code   0 done   1 failed   2 bad usage   130 interrupted (SIGINT, SIGTERM), after a checkpoint
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "gan/image.h"
#include "gan/trained.h"
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
Command show_command(CLI::App& root);         // show.cpp
Command translate_command(CLI::App& root);    // translate.cpp
Command roll_command(CLI::App& root);         // roll.cpp
Command interpolate_command(CLI::App& root);  // interpolate.cpp
Command report_command(CLI::App& root);       // report.cpp
Command edit_command(CLI::App& root);         // edit.cpp
Command evaluate_command(CLI::App& root);     // evaluate.cpp
Command fid_command(CLI::App& root);          // fid.cpp
Command stats_command(CLI::App& root);        // fid.cpp
Command neighbours_command(CLI::App& root);   // neighbours.cpp
Command arena_command(CLI::App& root);        // arena.cpp
Command export_command(CLI::App& root);       // exchange.cpp
Command import_command(CLI::App& root);       // exchange.cpp
Command theory_command(CLI::App& root);       // theory.cpp
Command list_command(CLI::App& root);         // list.cpp
Command info_command(CLI::App& root);         // info.cpp
Command completion_command(CLI::App& root);   // shell.cpp
Command man_command(CLI::App& root);          // shell.cpp

// From now on SIGINT, SIGTERM and SIGHUP ask a run to stop, and a second one ends the process at once, with 130;
// SIGUSR1 asks for a checkpoint. A signal that was ignored when the program began (nohup) stays so.
gan::Requests& watch_signals();
// From now on SIGUSR1, which asks a training for a checkpoint, ends no program: a queue sends it to whatever runs.
void accept_checkpoint_signals();

// The devices this build can use, with what the running machine offers: "cpu" and "2 threads, avx512".
struct DeviceLine {
  std::string name, about;
};
std::vector<DeviceLine> device_lines();

// What the commands that use a trained system share: which one, where, and what is drawn.
struct Use {
  std::string run;
  gan::Place place;
  int64_t seed = 0;
  bool raw = false;
};
void add_use(CLI::App& app, Use& use, const std::string& seed_help);
void add_place(CLI::App& app, gan::Place& place);  // --device, --threads
void add_data(CLI::App& app, gan::Place& place);   // --data
gan::Trained load(const Use& use);                 // says on standard error what is to be noted

// Samples are drawn from their own stream, so that `--seed 0` does not replay the first latents of a training run.
inline Random sampling_random(int64_t seed) { return Random(static_cast<uint64_t>(seed), /*stream=*/0x73616d706c65); }

// A picture as a sample (H, W, C) of a run: fitted to that size as the run's data were, in those colours.
void read_sample(const std::string& file, const gan::Settings& settings, const Shape& sample, float* into);

// "label=Coat": every row of what was drawn gets that word of the column, "caption=a dark coat" that sentence.
// UsageError when nothing of that name is drawn, or there is no such word; it lists what there is.
void set_words(gan::Batch& drawn, const std::vector<std::string>& assignments, const gan::Settings& settings);

// The text of a JSON value, whatever bytes its names and strings have (file names may be no UTF-8: core/utf8.h).
std::string written(const nlohmann::ordered_json& value);

// Pictures are written as PNG: UsageError for a name that says something else ("x.jpg").
void check_picture_name(const std::string& option, const std::string& file);
// UsageError when pictures written there would become part of what the run is trained on.
void check_not_data(const std::string& option, const std::string& path, const gan::Settings& settings);
// Writes it and says so on standard output, unless that is where it went. `about`: what else there is to say.
void write_output(const std::string& file, const std::string& bytes, const std::string& about = "");
void write_picture(const std::string& file, const gan::Image& picture, const std::string& about = "");

// What the view makes of these, spelt as words of that column, one a line: into the file, said on standard output; there
// where none is named.
void write_words(const std::string& file, const gan::Column& like, gan::Recipe& recipe, const gan::View& view,
                 const gan::Batch& from);

// A folder of folder/name-000042.png, written one by one.
class NumberedPictures {
 public:
  // UsageError when such files are there already: an earlier call's, which must not be mixed with these. `force`
  // removes them, once there is something to take their place, and nothing else.
  NumberedPictures(std::string folder, std::string name, bool force);
  void add(const Tensor& images);  // (N, H, W, C); UsageError for points. The first one removes the old ones
  int64_t count() const { return count_; }

 private:
  std::string folder_, name_;
  std::vector<std::string> old_;
  int64_t count_ = 0;
};

}  // namespace forger::apps
