#include "gan/trainer.h"

#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>

#include "core/autograd.h"
#include "core/device.h"
#include "gan/image.h"
#include "gan/report.h"
#include "gan/run_folder.h"
#include "gan/stepper.h"
#include "gan/watch.h"
#include "nn/checkpoint.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* found_out = "found out by the trainer";  // the heading in config.toml
const std::string best_suffix = "_best";                       // of a score's column in scores.csv: the best one so far
constexpr uint64_t preview_stream = 2;  // of the run's seed; stream 0 is the training's, the loader has its own

// Threads, fused paths: what a run's settings say of the machine. `threads` is resolved to a number, because results
// are reproducible for a given one.
void apply_machine_settings(Settings& settings) {
  const Device device = find_device(settings.text("device"));
  check<UsageError>(!settings.flag("graph") || device != Device::cpu, "--graph needs --device cuda or simt");
  kernels::set_math_mode(find_math_mode(settings.text("math")));
  kernels::set_conv_method(find_conv_method(settings.text("conv")));
  if (settings.integer("threads") == 0) {
    settings.set("threads", Value(int64_t{kernels::available_threads()}));
  }
  kernels::set_threads(static_cast<int>(settings.integer("threads")));
  set_fused(settings.flag("fused"));
}

Shape parse_shape(const std::string& written) {  // the inverse of text(shape): "32x32x1"
  std::vector<int64_t> sizes;
  std::istringstream in(written);
  for (std::string part; std::getline(in, part, 'x');) sizes.push_back(std::atoll(part.c_str()));
  return Shape(sizes);
}

Settings read_config(const RunFolder& folder) {
  check<UsageError>(fs::exists(folder.config()), "'", folder.path().string(),
                    "' holds no run: there is no config.toml in it");
  Settings settings = run_settings(find_recipe(recipe_in_toml(folder.config())));
  read_toml(settings, folder.config());
  return settings;
}

// A recipe with the averages of its parts: all that a checkpoint holds, but for three counters.
struct State {
  std::string name;
  std::unique_ptr<Recipe> recipe;
  std::vector<Recipe::Part> parts;
  std::vector<std::unique_ptr<nn::Ema>> averages;  // one per part, null where nothing is averaged

  State(const Settings& settings, const Shape& sample)
      : name(settings.text("recipe")), recipe(find_recipe(name).make(settings, sample)), parts(recipe->parts()) {
    for (const auto& part : parts) {
      averages.push_back(part.averaged ? std::make_unique<nn::Ema>(*part.module, settings.number("ema")) : nullptr);
    }
  }

  void update_averages() {
    for (const auto& average : averages) {
      if (average) average->update();
    }
  }
  void swap_averages() {
    for (const auto& average : averages) {
      if (average) average->swap();
    }
  }

  // Handles to everything that training writes; loading copies into them.
  nn::Checkpoint handles() const {
    nn::Checkpoint result;
    for (size_t i = 0; i < parts.size(); i++) {
      result.add(parts[i].name, parts[i].module->state());
      if (parts[i].optimizer) result.add(parts[i].name + "_optimizer", parts[i].optimizer->state());
      if (averages[i]) result.add(parts[i].name + "_average", averages[i]->state());
    }
    return result;
  }
};

struct Counters {
  uint64_t step = 0;          // steps done
  uint64_t random_block = 0;  // of the recipe's random numbers
  uint64_t drawn = 0;         // samples taken from the loader
};

uint64_t read_counter(const nn::Checkpoint& checkpoint, const std::string& key, const std::string& path) {
  const auto found = checkpoint.metadata.find(key);
  const std::string digits = found == checkpoint.metadata.end() ? "" : found->second;
  const bool number =
      !digits.empty() && digits.size() < 19 && digits.find_first_not_of("0123456789") == std::string::npos;
  check<DataError>(number, "'", path, "' is not a checkpoint of a run: its metadata has no counter '", key, "'");
  return std::stoull(digits);
}

Counters load(State& state, const std::string& path) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(path);
  const auto recipe = checkpoint.metadata.find("recipe");
  check<DataError>(recipe != checkpoint.metadata.end(), "'", path,
                   "' is not a checkpoint of a run: it names no recipe");
  check<DataError>(recipe->second == state.name, "'", path, "' is a checkpoint of '", recipe->second,
                   "', this run trains '", state.name, "'");
  try {
    nn::load_state(state.handles().tensors, checkpoint.tensors);
  } catch (const DataError& error) {
    throw DataError(text("'", path, "' does not fit this run: ", error.what()));
  }
  const Counters counters{read_counter(checkpoint, "step", path), read_counter(checkpoint, "random_block", path),
                          read_counter(checkpoint, "samples_drawn", path)};
  state.recipe->random().block = counters.random_block;
  return counters;
}

void save(const State& state, const Counters& counters, const std::string& path) {
  nn::Checkpoint checkpoint = state.handles();
  checkpoint.metadata = {{"format", "forger"},
                         {"layout", "NHWC; convolution weights (O, KH, KW, C)"},
                         {"recipe", state.name},
                         {"step", std::to_string(counters.step)},
                         {"random_block", std::to_string(counters.random_block)},
                         {"samples_drawn", std::to_string(counters.drawn)}};
  nn::save_checkpoint(path, checkpoint);
}

// Images per second over the last few seconds.
class Speedometer {
 public:
  double add(double seconds, double images) {
    marks_.push_back({seconds, images});
    while (marks_.size() > 2 && seconds - marks_.front().first > window) marks_.pop_front();
    const double span = seconds - marks_.front().first;
    return span > 0 ? (images - marks_.front().second) / span : 0;
  }

 private:
  static constexpr double window = 5;  // seconds
  std::deque<std::pair<double, double>> marks_;
};

}  // namespace

struct Trainer::Impl {
  Settings settings;
  RunFolder folder;
  Observer observer;
  DataSetPtr data;
  State state;
  int64_t steps;
  nn::Schedule schedule;
  Counters counters{};
  std::unique_ptr<Loader> loader;
  std::unique_ptr<Stepper> stepper;
  std::unique_ptr<MetricsFile> metrics, scores;
  Evaluate evaluate;
  std::map<std::string, double> best;  // so far, by score
  std::ofstream log;
  Tensor preview_latent, preview_reals;
  std::vector<double> base_rates;  // one per part
  FailureWatch watch;
  double seconds_before = 0;  // of earlier sessions
  int64_t saved_step = -1;

  Impl(const Settings& s, const RunFolder& f, Observer o, DataSetPtr d)
      : settings(s),
        folder(f),
        observer(std::move(o)),
        data(std::move(d)),
        state(settings, data->sample()),
        steps(settings.integer("steps")),
        schedule(nn::find_schedule(settings.text("schedule"))) {
    const int64_t count = settings.integer("previews");
    Random noise(static_cast<uint64_t>(settings.integer("seed")), preview_stream);
    preview_latent = state.recipe->latent(count, noise);
    for (const auto& part : state.parts) base_rates.push_back(part.optimizer ? part.optimizer->lr : 0);
    // Read here, before a run folder is made: an unreadable picture among the first is refused in time.
    const Shape sample = data->sample();
    std::vector<int64_t> sizes{std::min(count, data->count())};
    sizes.insert(sizes.end(), sample.begin(), sample.end());
    preview_reals = Tensor(Shape(sizes), DType::f32);
    for (int64_t i = 0; i < preview_reals.size(0); i++) {
      data->read(i, preview_reals.data<float>() + i * sample.numel());
    }
  }

  // Opens what is written to: called once nothing can be refused any more.
  void open() {
    loader = std::make_unique<Loader>(data, settings.integer("batch"), static_cast<uint64_t>(settings.integer("seed")),
                                      counters.drawn);
    stepper =
        std::make_unique<Stepper>(*state.recipe, *loader, find_device(settings.text("device")), settings.flag("graph"));
    metrics = std::make_unique<MetricsFile>(folder.metrics(), static_cast<int64_t>(counters.step));
    seconds_before = metrics->seconds();
    log.open(folder.log(), std::ios::app);
    if (settings.integer("evaluate_every") == 0) return;
    constexpr int digits = 17;  // the best score is read back on resume
    scores = std::make_unique<MetricsFile>(folder.scores(), static_cast<int64_t>(counters.step), digits);
    for (const auto& [name, value] : scores->last()) {
      if (name.ends_with(best_suffix)) best[name.substr(0, name.size() - best_suffix.size())] = value;
    }
  }

  void note(const std::string& line) {
    log << line << std::endl;
    observer.on_note(line);
  }
  void warn(const std::string& line) {
    log << "warning: " << line << std::endl;
    observer.on_warning(line);
  }

  void save_as(const std::string& path) {
    counters.drawn = loader->drawn();
    counters.random_block = state.recipe->random().block;
    save(state, counters, path);
  }

  void checkpoint() {
    const auto step = static_cast<int64_t>(counters.step);
    if (saved_step == step) return;
    save_as(folder.checkpoint(step));
    saved_step = step;
    folder.keep_newest_checkpoints(settings.integer("keep_checkpoints"));
    write_report(folder.path().string());
    note(text("step ", step, ": checkpoint ", folder.checkpoint(step)));
  }

  void preview() {
    state.swap_averages();
    const Tensor fakes = state.recipe->generate(preview_latent);
    state.swap_averages();
    const auto step = static_cast<int64_t>(counters.step);
    write_png(folder.sample(step), picture(fakes));
    note(text("step ", step, ": samples ", folder.sample(step)));
    if (const auto warning = watch.look_at_samples(fakes, preview_reals)) warn(text("step ", step, ": ", *warning));
  }

  void evaluation(double seconds) {
    const auto step = static_cast<int64_t>(counters.step);
    std::vector<TrainingScore> found;
    state.swap_averages();
    try {
      found = evaluate(*state.recipe);
    } catch (const Error& error) {  // scores are not worth a run
      warn(text("step ", step, ": not scored: ", error.what()));
    }
    state.swap_averages();
    if (found.empty()) return;
    std::vector<std::pair<std::string, double>> row;
    for (const TrainingScore& score : found) {
      const auto [before, first] = best.try_emplace(score.name, score.value);
      const bool better =
          first || (score.lower_is_better ? score.value < before->second : score.value > before->second);
      if (better) before->second = score.value;
      row.emplace_back(score.name, score.value);
      row.emplace_back(score.name + best_suffix, before->second);
      note(text("step ", step, ": ", score.name, ' ', score.value, better && !first ? ", the best so far" : ""));
      if (better && &score == &found.front()) save_as(folder.best_checkpoint());
    }
    scores->append(step, seconds, row);
  }

  bool run(const std::atomic<bool>& stop) {
    const auto start = Clock::now();
    Speedometer speed;
    auto due = [&](const char* key) {
      const int64_t every = settings.integer(key);
      return every > 0 && counters.step % static_cast<uint64_t>(every) == 0;
    };
    if (counters.step == 0) checkpoint();  // from here on there is always one to resume
    Progress progress;
    while (counters.step < static_cast<uint64_t>(steps)) {
      if (stop) {
        checkpoint();
        return false;
      }
      const double factor = schedule(static_cast<int64_t>(counters.step), steps);
      for (size_t i = 0; i < state.parts.size(); i++) {
        if (state.parts[i].optimizer) state.parts[i].optimizer->lr = base_rates[i] * factor;
      }
      const bool last = counters.step + 1 == static_cast<uint64_t>(steps);
      const bool read = last || (counters.step + 1) % static_cast<uint64_t>(settings.integer("read_every")) == 0;
      try {
        const Readings readings = stepper->step(read);
        if (read) progress.scalars = finite(look_at(readings));
      } catch (const NonFiniteError& error) {
        throw NonFiniteError(text("stopped in step ", counters.step + 1, ": ", error.what(),
                                  "; the newest checkpoint is ", folder.checkpoint(folder.checkpoint_steps().back()),
                                  "; a lower learning rate usually helps"));
      }
      state.update_averages();
      counters.step++;
      const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
      progress.step = static_cast<int64_t>(counters.step);
      progress.steps = steps;
      progress.seconds = seconds_before + elapsed;
      progress.images_per_second = speed.add(elapsed, static_cast<double>(loader->drawn()));
      if (read) append_metrics(progress);
      observer.on_step(progress);
      if (read) {
        if (const auto warning = watch.look(progress.scalars)) warn(text("step ", counters.step, ": ", *warning));
      }
      if (last || due("preview_every")) preview();
      if (evaluate && scores && (last || due("evaluate_every"))) evaluation(progress.seconds);
      if (last || due("checkpoint_every")) checkpoint();
    }
    return true;
  }

  // A step that was not checked, or replayed, can be found out only here.
  static Scalars finite(Scalars scalars) {
    for (const auto& [name, value] : scalars) {
      if (!std::isfinite(value)) {
        throw NonFiniteError(text(name, " is ", value, "; a run without --graph and with --read-every 1 names the op"));
      }
    }
    return scalars;
  }

  void append_metrics(const Progress& progress) {
    std::vector<std::pair<std::string, double>> values;
    for (const auto& [name, value] : progress.scalars) values.emplace_back(name, value);
    metrics->append(progress.step, progress.seconds, values);
  }
};

Settings run_settings(const RecipeEntry& recipe) {
  Settings settings = settings_for(recipe);
  settings.add({.key = "version", .value = "", .help = "the Forger that started this run", .group = found_out});
  settings.add({.key = "data_hash", .value = "", .help = "hash of the data set", .group = found_out});
  settings.add({.key = "sample_shape", .value = "", .help = "of one sample of the data", .group = found_out});
  return settings;
}

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;
int64_t Trainer::step() const { return static_cast<int64_t>(impl_->counters.step); }
const Settings& Trainer::settings() const { return impl_->settings; }
void Trainer::evaluate_with(Evaluate evaluate) { impl_->evaluate = std::move(evaluate); }
bool Trainer::run(const std::atomic<bool>& stop) { return impl_->run(stop); }

Trainer Trainer::start(const Settings& given, const std::string& out, bool force, Observer observer) {
  const RunFolder folder(out);
  check<UsageError>(force || !folder.holds_run(), "--out '", out,
                    "' already holds a run; continue it with: forger train --resume ", out,
                    ", replace it with --force, or name another folder");
  Settings settings = given;
  apply_machine_settings(settings);
  const DataSetPtr data = open_data(settings.text("data"), settings.integer("size"));
  check<UsageError>(settings.integer("batch") <= data->count(), "--batch ", settings.integer("batch"),
                    " is larger than the data: ", data->name(), " has ", data->count(), " samples");
  settings.set("version", FORGER_VERSION);
  settings.set("data_hash", data->hash());
  settings.set("sample_shape", text(data->sample()));
  auto impl = std::make_unique<Impl>(settings, folder, std::move(observer), data);
  if (force) folder.clear();
  folder.create();
  nn::write_file_atomically(folder.config(), to_toml(settings, "A run of Forger: forger train --resume continues it."));
  impl->open();
  return Trainer(std::move(impl));
}

Trainer Trainer::resume(const std::string& out, int64_t steps, Observer observer) {
  const RunFolder folder(out);
  Settings settings = read_config(folder);
  if (steps > 0) settings.set("steps", Value(steps));
  apply_machine_settings(settings);
  const DataSetPtr data = open_data(settings.text("data"), settings.integer("size"));
  check<DataError>(data->hash() == settings.text("data_hash"), "the data '", settings.text("data"),
                   "' has changed since the run began (", settings.text("data_hash"), " then, ", data->hash(), " now)");
  auto impl = std::make_unique<Impl>(settings, folder, std::move(observer), data);
  folder.create();
  if (const auto found = folder.checkpoint_steps(); !found.empty()) {
    impl->counters = load(impl->state, folder.checkpoint(found.back()));
    impl->saved_step = found.back();
  }
  if (steps > 0)
    nn::write_file_atomically(folder.config(),
                              to_toml(settings, "A run of Forger: forger train --resume continues it."));
  impl->open();
  return Trainer(std::move(impl));
}

Trained load_trained(const std::string& path, bool averaged) {
  const bool file = fs::is_regular_file(path);
  const RunFolder folder(file ? fs::absolute(path).parent_path().parent_path() : fs::path(path));
  Settings settings = read_config(folder);
  apply_machine_settings(settings);
  State state(settings, parse_shape(settings.text("sample_shape")));
  const auto steps = folder.checkpoint_steps();
  check<DataError>(file || !steps.empty(), "'", path, "' holds no checkpoint; train it first: forger train --resume ",
                   path);
  const Counters counters = load(state, file ? path : folder.checkpoint(steps.back()));
  if (averaged) state.swap_averages();
  return {settings, std::move(state.recipe), static_cast<int64_t>(counters.step)};
}

}  // namespace forger::gan
