// forger train: a run from its settings to its report.
//
// The flags are made from the recipes' own tables of settings, so a setting that a recipe declares is a flag, a line of
// --help and a key of config.toml with no code here. Every flag of every recipe is known to the parser; which of them
// fit is decided once the recipe is. What the user typed wins over --config, which wins over --preset, which wins over
// the recipe's defaults.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "core/ranks.h"
#include "gan/report.h"
#include "gan/run_folder.h"
#include "gan/state.h"
#include "metrics/system.h"

namespace forger::apps {
namespace {

constexpr const char* default_recipe = "dcgan";

struct TrainOptions {
  std::string recipe, preset, out, resume, config;
  std::vector<std::string> assignments;  // of --set
  bool force = false, json = false;
  std::map<std::string, CLI::Option*> flags;  // by key, of the settings of all recipes
};

std::string type_name(const gan::Value& value) {
  constexpr const char* names[] = {"", "N", "X", "TEXT"};
  return names[value.index()];
}

std::string shown(const gan::Value& value) {
  if (const auto* on = std::get_if<bool>(&value)) return *on ? "on" : "off";
  return std::visit([](const auto& v) { return text(v); }, value);
}

void add_flag(CLI::App& app, TrainOptions& options, const gan::Setting& setting) {
  if (setting.key == "recipe" || options.flags.count(setting.key)) return;
  const std::string flag = gan::flag_of(setting.key);
  CLI::Option* option = std::holds_alternative<bool>(setting.value)
                            ? app.add_flag(flag + ",!--no-" + flag.substr(2))
                            : app.add_option(flag)->type_name(type_name(setting.value));
  options.flags[setting.key] = option->take_last();
}

const gan::RecipeEntry& chosen_recipe(const TrainOptions& options) {
  if (!options.recipe.empty()) return gan::find_recipe(options.recipe);
  const std::string configured = options.config.empty() ? "" : gan::recipe_in_toml(options.config);
  return gan::find_recipe(configured.empty() ? default_recipe : configured);
}

gan::Settings chosen_settings(const TrainOptions& options) {
  const gan::RecipeEntry& recipe = chosen_recipe(options);
  gan::Settings settings = gan::run_settings(recipe);
  if (!options.preset.empty())
    for (const auto& [key, value] : gan::find_preset(recipe, options.preset).values) settings.set(key, value);
  if (!options.config.empty()) gan::read_toml(settings, options.config);
  settings.set("recipe", recipe.name);
  for (const std::string& assignment : options.assignments) {
    const size_t equals = assignment.find('=');
    check<UsageError>(equals != assignment.npos, "--set takes key=value, got '", assignment, "'");
    settings.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  for (const auto& [key, option] : options.flags)
    if (option->count() > 0) settings.set(key, option->results().back());
  return settings;
}

gan::Changes changes_on_resume(const TrainOptions& options) {
  const std::set<std::string> may_change{"steps", "device", "threads", "data", "skip_broken"};
  const std::string rule =
      "--resume goes on with the run's own settings: only --steps, --device, --threads, --data and --skip-broken can "
      "be "
      "given, not ";
  check<UsageError>(options.recipe.empty(), rule, "the recipe '", options.recipe, "'");
  check<UsageError>(options.out.empty() && options.config.empty() && options.assignments.empty() &&
                        options.preset.empty() && !options.force,
                    rule, "--out, --config, --preset, --set or --force");
  for (const auto& [key, option] : options.flags)
    check<UsageError>(may_change.contains(key) || option->count() == 0, rule, gan::flag_of(key));
  gan::Settings parsed = gan::common_settings();
  const auto given = [&](const char* key) {
    const CLI::Option* option = options.flags.at(key);
    if (option->count() > 0) parsed.set(key, option->results().back());
    return option->count() > 0;
  };
  gan::Changes changes;
  if (given("steps")) changes.steps = parsed.integer("steps");
  if (given("device")) changes.device = parsed.text("device");
  if (given("threads")) changes.threads = parsed.integer("threads");
  if (given("data")) changes.data = parsed.text("data");
  if (given("skip_broken")) changes.skip_broken = parsed.flag("skip_broken");
  return changes;
}

// What a finished or interrupted run leaves to look at.
struct Outcome {
  std::string folder;
  bool complete = false;
  gan::Progress last;
  std::string grid() const {
    const auto previews = gan::preview_files(folder);
    return previews.empty() ? "" : previews.back();
  }
  std::string report() const { return folder + "/report.html"; }
};

void print_text(const Outcome& outcome) {
  if (outcome.complete)
    std::cout << "done: " << outcome.last.step << " steps in " << duration(outcome.last.seconds) << '\n';
  if (!outcome.grid().empty()) std::cout << "  samples  " << outcome.grid() << '\n';
  if (std::filesystem::exists(outcome.report())) std::cout << "  report   " << outcome.report() << '\n';
}

void print_json(const Outcome& outcome) {
  nlohmann::ordered_json out{{"run", outcome.folder},
                             {"complete", outcome.complete},
                             {"step", outcome.last.step},
                             {"seconds", outcome.last.seconds},
                             {"samples", outcome.grid()},
                             {"report", outcome.report()},
                             {"scalars", nlohmann::ordered_json::object()}};
  for (const gan::Scalar& scalar : outcome.last.scalars) out["scalars"][scalar.name] = scalar.value;
  std::cout << written(out) << '\n';
}

// Scores what the first view of a run's system makes, as it trains. Whatever cannot be had is refused here, and the
// judge trained, before the first step.
gan::Evaluate evaluator(gan::Recipe& recipe, const gan::Settings& settings, const gan::DataSetPtr& data,
                        const metrics::Announcer& announce) {
  metrics::Request request;
  request.metrics = metrics::parse_metrics(settings.text("evaluate"));
  request.count = settings.integer("evaluate_count");
  request.inception = settings.text("inception");
  const std::vector<gan::View> views = metrics::scored_views(recipe);
  check<UsageError>(!views.empty(), "--evaluate-every: ", settings.text("recipe"), " makes nothing that can be scored");
  const auto evaluation = std::make_shared<metrics::SystemEvaluation>(
      recipe, data, gan::data_of(settings, gan::Subset::test), request, views.front().name, announce);
  evaluation->prepare();
  return [evaluation] {
    std::vector<gan::TrainingScore> scores;
    for (const gan::Score& score : evaluation->scores("this run")) {
      const metrics::Metric& metric = metrics::find_metric(score.metric);
      for (size_t i = 0; i < metric.curves; i++)
        scores.push_back(
            {metric.curves > 1 ? score.values[i].first : score.metric, score.values[i].second, metric.lower_is_better});
    }
    return scores;
  };
}

// The trainer of a process that follows the first one: the same steps, in a folder of its own that nobody looks into.
gan::Trainer follower(const TrainOptions& options, const std::string& folder) {
  if (options.resume.empty()) {
    gan::Settings settings = chosen_settings(options);
    for (const char* key : {"preview_every", "checkpoint_every", "evaluate_every", "test_every"})
      settings.set(key, gan::Value(int64_t{0}));
    settings.set("log", "none");
    Ranks::meet();
    return gan::Trainer::start(settings, gan::RunClaim::of(folder), /*force=*/true, {});
  }
  // As the first process finds the run, which it will change once all have met.
  namespace fs = std::filesystem;
  const gan::RunFolder run(options.resume);
  fs::create_directories(folder);
  for (const std::string& file : {run.config(), run.metrics(), run.files()})
    if (fs::exists(file)) fs::copy(file, folder);
  fs::copy(run.path() / "checkpoints", folder + "/checkpoints", fs::copy_options::recursive);
  Ranks::meet();
  return gan::Trainer::resume(gan::RunClaim::of_run(folder), changes_on_resume(options), {});
}

// `own`: a folder for what this process keeps to itself, where it is not the first of several.
gan::Trainer trainer_for(const TrainOptions& options, const gan::Observer& observer, const std::string& own) {
  if (!Ranks::leads()) return follower(options, own);
  const gan::MakeEvaluate make_evaluate = [work = observer.on_work](gan::Recipe& recipe, const gan::Settings& settings,
                                                                    const gan::DataSetPtr& data) {
    return evaluator(recipe, settings, data, work);
  };
  Ranks::meet();
  if (!options.resume.empty()) {
    const gan::Changes changes = changes_on_resume(options);
    return gan::Trainer::resume(gan::RunClaim::of_run(options.resume), changes, observer, make_evaluate);
  }
  const gan::Settings settings = chosen_settings(options);
  const std::string usual = "runs/" + settings.text("recipe");
  gan::RunClaim claim = options.out.empty() ? gan::RunClaim::first_free(usual) : gan::RunClaim::of(options.out);
  return gan::Trainer::start(settings, std::move(claim), options.force, observer, make_evaluate);
}

int train(const TrainOptions& options) {
  gan::Requests& requests = watch_signals();
  Ranks::join();
  std::optional<TemporaryFolder> own;  // of a process that follows: its run, which nobody looks into
  if (!Ranks::leads()) own.emplace("forger-rank");
  Terminal terminal;
  Outcome outcome;
  gan::Observer observer = terminal.observer();
  observer.on_step = [&](const gan::Progress& progress) {
    terminal.progress(progress);
    outcome.last = progress;
  };
  observer.on_work = [&](const std::string& what, int64_t done, int64_t total) {
    if (requests.stop) throw Interrupted();
    terminal.work(what, done, total);
  };
  gan::Trainer trainer = trainer_for(options, observer, own ? own->file("run") : "");
  outcome.folder = trainer.folder();
  outcome.complete = trainer.run(requests);
  outcome.last.step = trainer.step();
  terminal.finish();
  if (!Ranks::leads()) return outcome.complete ? exit_done : exit_interrupted;

  options.json ? print_json(outcome) : print_text(outcome);
  if (outcome.complete) return exit_done;
  std::cerr << "forger: interrupted after step " << trainer.step() << "; go on with: forger train --resume "
            << outcome.folder << std::endl;
  return exit_interrupted;
}

// ---- --help ----

constexpr const char* examples = R"(Examples:
  forger train
      DCGAN on Fashion-MNIST into runs/dcgan; minutes on two cores.
  forger train wgan-gp --data folder:photos --size 64 --batch 32 --out runs/photos
      Another system on a folder of your own pictures. Settings of wgan-gp: forger train wgan-gp --help
  forger train --config runs/photos/config.toml --seed 2 --out runs/photos-2
      The same settings again, but for the seed.
  forger train --resume runs/photos --steps 20000
      Goes on from the newest checkpoint, as if it had never stopped.

Ctrl-C writes a checkpoint and ends with exit code 130; a second one ends at once.
Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted.)";

std::string capitalised(std::string word) {
  word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
  return word;
}

// Each flag's help and default as they are for this recipe; those of other recipes only are hidden.
void describe_flags(const TrainOptions& options) {
  const gan::RecipeEntry& recipe = chosen_recipe(options);
  const gan::Settings settings = gan::settings_for(recipe);
  for (const auto& [key, option] : options.flags) option->group("");
  for (const gan::Setting& setting : settings.table()) {
    const auto found = options.flags.find(setting.key);
    if (found == options.flags.end()) continue;
    const bool toggle = std::holds_alternative<bool>(setting.value);
    found->second->description(setting.help)
        ->option_text((toggle ? "[" : type_name(setting.value) + " [") + shown(setting.value) + "]")
        ->group(setting.group.empty() ? "Of " + recipe.name : capitalised(setting.group));
  }
}

// CLI11 asks for the help text after it has parsed, so the recipe that was typed is known.
class TrainHelp : public CLI::Formatter {
 public:
  explicit TrainHelp(std::shared_ptr<const TrainOptions> options) : options_(std::move(options)) { column_width(36); }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    describe_flags(*options_);
    return CLI::detail::find_and_replace(Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
  }
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    const std::string name = Formatter::make_option_name(option, positional);
    return name.substr(0, name.find('{'));  // "--fused,--no-fused{false}"
  }

 private:
  std::shared_ptr<const TrainOptions> options_;
};

}  // namespace

Command train_command(CLI::App& root) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* app = root.add_subcommand("train", "Train a generative adversarial network");
  app->formatter(std::make_shared<TrainHelp>(options))->footer(examples);
  app->add_option("RECIPE", options->recipe, "The system to train (forger list); dcgan when left out");
  const auto group = "The run";
  app->add_option("--out", options->out, "Folder of the run; runs/RECIPE, or the next free number, when left out")
      ->option_text("DIR")
      ->group(group);
  app->add_flag("--force", options->force, "Replace the run that --out holds")->group(group);
  app->add_option("--resume", options->resume, "Go on with the run in this folder; --steps makes it longer")
      ->option_text("DIR")
      ->group(group);
  app->add_option("--config", options->config, "Settings from a file, such as another run's config.toml")
      ->option_text("FILE.toml")
      ->group(group);
  app->add_option("--preset", options->preset, "Settings that belong together: forger list has each recipe's")
      ->option_text("NAME")
      ->group(group);
  app->add_option("--set", options->assignments, "Any setting by its key; can be given again")
      ->option_text("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  app->add_flag("--json", options->json, "End with a line of JSON on standard output")->group(group);
  const gan::Settings common = gan::common_settings();
  for (const gan::Setting& setting : common.table()) add_flag(*app, *options, setting);
  for (const gan::RecipeEntry& recipe : gan::recipes())
    for (const gan::Setting& setting : recipe.settings) add_flag(*app, *options, setting);
  return {app, [options] { return train(*options); }};
}

}  // namespace forger::apps
