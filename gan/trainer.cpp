#include "gan/trainer.h"

#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <optional>

#include "core/device.h"
#include "core/ranks.h"
#include "core/utf8.h"
#include "gan/data/picture_folder.h"
#include "gan/event_file.h"
#include "gan/metrics_file.h"
#include "gan/previews.h"
#include "gan/report.h"
#include "gan/state.h"
#include "gan/stepper.h"
#include "gan/test.h"
#include "gan/trained.h"
#include "gan/watch.h"
#include "nn/norms.h"

namespace forger::gan {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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

// What this process sees of a run that several train: its part of each batch.
Settings of_this_rank(Settings settings) {
  const int64_t batch = settings.integer("batch"), count = Ranks::count();
  check<UsageError>(batch % count == 0, "--batch ", batch, " cannot be dealt out to ", count, " processes evenly");
  check<UsageError>(count == 1 || !settings.flag("graph"), "--graph records what one process does, not ", count);
  settings.set("batch", Value(batch / count));
  return settings;
}

}  // namespace

struct Trainer::Impl {
  using Row = std::vector<std::pair<std::string, double>>;
  Settings settings;
  RunClaim claim;
  RunFolder folder;
  Observer observer;
  DataSetPtr data, held_out_;
  State state;
  int64_t steps;
  bool tensorboard;
  nn::Schedule schedule;
  Counters counters{};
  std::unique_ptr<Loader> loader;
  std::unique_ptr<Stepper> stepper;
  std::unique_ptr<MetricsFile> metrics, scores, tests;
  std::unique_ptr<EventFile> events;
  Evaluate evaluate;
  std::map<std::string, double> best;  // so far, by score
  std::ofstream log;
  std::optional<Previews> previews;
  std::vector<double> base_rates;  // one per player
  FailureWatch watch{settings};
  double seconds_before = 0;  // of earlier sessions
  int64_t saved_step = -1;
  bool averaging_told = false;

  Impl(const Settings& s, RunClaim c, Observer o, DataSetPtr d)
      : settings(s),
        claim(std::move(c)),
        folder(claim.folder()),
        observer(std::move(o)),
        data(std::move(d)),
        state(of_this_rank(settings), data->columns()),
        steps(settings.integer("steps")),
        tensorboard(settings.choice("log", {"none", "tensorboard"}) == "tensorboard"),
        schedule(nn::find_schedule(settings.text("schedule"))) {
    state.recipe().random().keep_part(Ranks::rank(), Ranks::count());
    nn::set_batch_norm_over_ranks(settings.flag("sync_bn") && Ranks::count() > 1);
    for (const auto& player : state.recipe().players()) base_rates.push_back(player->optimizer().lr);
    // Read here, before a run folder is made: an unreadable picture among the first is refused in time.
    previews.emplace(state.recipe(), settings, *data, [this]() -> const DataSet& { return held_out(); });
    check<UsageError>(settings.integer("test_every") == 0 || !test_scalars(state.recipe(), held_out(), 1).empty(),
                      "--test-every: ", settings.text("recipe"),
                      " has no tests of its own; --evaluate-every scores it");
  }

  const DataSet& held_out() {
    if (!held_out_) {
      held_out_ = open_data(settings.text("data"), data_options(settings), Subset::test);
      require_same_words(*data, *held_out_, find_recipe(settings.text("recipe")).needs);
    }
    return *held_out_;
  }

  // Opens what is written to: called once nothing can be refused any more.
  void open(const std::vector<std::string>& notes, const MakeEvaluate& make_evaluate, bool replace = false) {
    if (make_evaluate && settings.integer("evaluate_every") > 0)
      evaluate = make_evaluate(state.recipe(), settings, data);
    if (replace) folder.clear();
    folder.create();
    folder.remove_temporaries();
    write_config();
    loader = std::make_unique<Loader>(data, settings.integer("batch"), static_cast<uint64_t>(settings.integer("seed")),
                                      counters.drawn, /*prefetch=*/4, Ranks::rank(), Ranks::count());
    stepper = std::make_unique<Stepper>(state.recipe(), *loader, settings.flag("graph"));
    metrics = std::make_unique<MetricsFile>(folder.own(folder.metrics()), static_cast<int64_t>(counters.step));
    seconds_before = metrics->seconds();
    if (tensorboard) {
      const auto step = static_cast<int64_t>(counters.step);
      events = std::make_unique<EventFile>(folder.own(folder.events(step)), step);
    }
    log.open(folder.own(folder.log()), std::ios::app);
    for (const std::string& line : notes) note(line);
    for (const std::string& line : doubts(settings)) warn(line);
    if (settings.integer("test_every") > 0)
      tests = std::make_unique<MetricsFile>(folder.own(folder.tests()), static_cast<int64_t>(counters.step));
    if (settings.integer("evaluate_every") == 0) return;
    constexpr int digits = 17;  // the best score is read back on resume
    scores = std::make_unique<MetricsFile>(folder.own(folder.scores()), static_cast<int64_t>(counters.step), digits);
    for (const auto& [name, value] : scores->last()) {
      if (name.ends_with(best_suffix)) best[name.substr(0, name.size() - best_suffix.size())] = value;
    }
  }

  void write_config() const {
    const std::string toml = to_toml(settings, "A run of Forger: forger train --resume continues it.");
    std::error_code unreadable;
    if (fs::exists(folder.config(), unreadable) && read_file(folder.config()) == toml) return;
    write_file(folder.own(folder.config()), toml);
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
    counters.random_block = state.recipe().random().block;
    state.save(counters, settings, folder.own(path));
  }

  // What the watch has to say; the end of the run where that was asked for.
  void failing(const std::string& warning) {
    if (!settings.flag("stop_on_failure")) return warn(text("step ", counters.step, ": ", warning));
    checkpoint();
    throw Error(text("stopped after step ", counters.step, ", as --stop-on-failure asks: ", warning,
                     "; forger train --resume ", folder.path().string(), " goes on"));
  }

  // Whoever removed the folder, or another run that has it since, is not to find files of this one in it.
  void check_in_place() const {
    check<DataError>(claim.in_place(), "stopped after step ", counters.step, ": the run's folder '",
                     folder.path().string(), "' was removed, or replaced by another, while it trained");
  }

  void checkpoint() {
    const auto step = static_cast<int64_t>(counters.step);
    if (saved_step == step) return;
    check_in_place();
    save_as(folder.checkpoint(step));
    saved_step = step;
    folder.keep_newest_checkpoints(settings.integer("keep_checkpoints"));
    folder.own(folder.report());
    write_report(folder.path().string());
    note(text("step ", step, ": checkpoint ", folder.checkpoint(step)));
  }

  void preview() {
    check_in_place();
    if (previews->empty()) return;
    Previews::Made made;
    {
      const WithAverages averages(state);
      made = previews->make(state.recipe());
    }
    const auto step = static_cast<int64_t>(counters.step);
    const std::string file = folder.sample(step, made.words.empty() ? ".png" : ".txt");
    made.words.empty() ? write_png(folder.own(file), made.picture) : write_file(folder.own(file), made.words);
    if (events && made.words.empty()) events->append(step, "samples", made.picture);
    note(text("step ", step, ": samples ", file));
    if (const auto warning = watch.look_at_samples(made.first, previews->reals())) failing(*warning);
  }

  void test(double seconds) {
    const WithAverages averages(state);
    Row row;
    std::string line;
    for (const auto& [name, value] : test_scalars(state.recipe(), held_out(), settings.integer("test_count"))) {
      row.emplace_back(name, value);
      line += text(line.empty() ? "" : ", ", name, ' ', value);
    }
    const auto step = static_cast<int64_t>(counters.step);
    append(*tests, step, seconds, row);
    note(text("step ", step, ": ", line));
  }

  void evaluation(double seconds) {
    const auto step = static_cast<int64_t>(counters.step);
    std::vector<TrainingScore> found;
    try {
      const WithAverages averages(state);
      found = evaluate();
    } catch (const Error& error) {  // scores are not worth a run
      warn(text("step ", step, ": not scored: ", error.what()));
    }
    if (found.empty()) return;
    Row row;
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
    append(*scores, step, seconds, row);
  }

  void append(MetricsFile& file, int64_t step, double seconds, const Row& row) const {
    file.append(step, seconds, row);
    if (events) events->append(step, row);
  }

  bool due(const char* key) const {
    const int64_t every = settings.integer(key);
    return every > 0 && counters.step > 0 && counters.step % static_cast<uint64_t>(every) == 0;
  }
  bool complete() const { return counters.step >= static_cast<uint64_t>(steps); }

  bool run(Requests& asked) {
    const auto start = Clock::now();
    Speedometer speed;
    if (counters.step == 0) checkpoint();  // from here on there is always one to resume
    try {
      // What was interrupted is made up for: an interrupted run has the rows of one that was not.
      const auto missing = [&](const std::unique_ptr<MetricsFile>& file, const char* every) {
        return file && file->last_step() < static_cast<int64_t>(counters.step) && (complete() || due(every));
      };
      if (missing(tests, "test_every")) test(seconds_before);
      if (evaluate && missing(scores, "evaluate_every")) evaluation(seconds_before);
      Progress progress;
      while (!complete()) {
        if (Ranks::any(asked.stop)) throw Interrupted();  // all of them after the same step
        if (asked.checkpoint.exchange(false)) checkpoint();
        step(progress, speed, start);
      }
      return true;
    } catch (const Interrupted&) {
      checkpoint();
      return false;
    }
  }

  void step(Progress& progress, Speedometer& speed, Clock::time_point start) {
    const double factor = schedule(static_cast<int64_t>(counters.step), steps);
    const auto& players = state.recipe().players();
    for (size_t i = 0; i < players.size(); i++) players[i]->optimizer().lr = base_rates[i] * factor;
    const bool last = counters.step + 1 == static_cast<uint64_t>(steps);
    const bool read = last || (counters.step + 1) % static_cast<uint64_t>(settings.integer("read_every")) == 0;
    state.recipe().set_steps_done(static_cast<int64_t>(counters.step));
    try {
      Readings readings = stepper->step(read);
      for (Reading& reading : readings) reading.value = rank_mean(reading.value);
      if (read) progress.scalars = finite(look_at(readings));
    } catch (const NonFiniteError& error) {
      throw NonFiniteError(text("stopped in step ", counters.step + 1, ": ", error.what(),
                                "; the newest checkpoint is ", folder.checkpoint(folder.checkpoint_steps().back()),
                                "; a lower learning rate usually helps"));
    } catch (const DataError& error) {  // a picture that became unreadable: the step has not begun
      checkpoint();
      throw DataError(text("stopped after step ", counters.step, ": ", error.what(),
                           "; mend it, or leave it out: forger train --resume ", folder.path().string(),
                           " --skip-broken"));
    }
    state.update_averages();
    counters.step++;
    if (Ranks::count() > 1 && !averaging_told) {
      note(text(Ranks::count(), " processes, each of which hands over ", Ranks::bytes_averaged(),
                " bytes of gradients a step"));
      averaging_told = true;
    }
    state.recipe().after_step(static_cast<int64_t>(counters.step));
    counters.drawn = loader->drawn();
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    progress.step = static_cast<int64_t>(counters.step);
    progress.steps = steps;
    progress.seconds = seconds_before + elapsed;
    progress.images_per_second = speed.add(elapsed, static_cast<double>(counters.drawn));
    if (read) append_metrics(progress);
    observer.on_step(progress);
    if (read) {
      if (const auto warning = watch.look(progress.scalars)) failing(*warning);
    }
    if (last || due("preview_every")) preview();
    if (tests && (last || due("test_every"))) test(progress.seconds);
    if (evaluate && scores && (last || due("evaluate_every"))) evaluation(progress.seconds);
    if (last || due("checkpoint_every")) checkpoint();
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
    Row values;
    for (const auto& [name, value] : progress.scalars) values.emplace_back(name, value);
    append(*metrics, progress.step, progress.seconds, values);
  }
};

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;
int64_t Trainer::step() const { return static_cast<int64_t>(impl_->counters.step); }
std::string Trainer::folder() const { return impl_->folder.path().string(); }
bool Trainer::run(Requests& requests) { return impl_->run(requests); }

namespace {

// The data of a run that is to be trained: everything in it can be read.
DataSetPtr open_checked(const Settings& settings, bool skip_broken, const Observer& observer) {
  const std::string& spec = settings.text("data");
  DataOptions options = data_options(settings);
  options.check = true;
  options.skip_broken = skip_broken;
  options.ticker = [&](int64_t done, int64_t total) { observer.on_work("reading " + spec, done, total); };
  return open_data(spec, options);
}

// What the trainer finds out about the data, for config.toml; what a person should know of it, into the notes.
void describe(Settings& settings, const DataSet& data, std::vector<std::string>& notes) {
  settings.set("data_path", Value(absolute_spec(settings.text("data"))));
  settings.set("data_about", Value(data.about()));
  settings.set("data_hash", Value(data.hash()));
  settings.set("columns", Value(written(data.columns())));
  std::string left_out = settings.text("data_left_out");
  for (const DataSet::Broken& file : data.broken()) {
    left_out += (left_out.empty() ? "" : "//") + file.file;
    notes.push_back("left out: " + file.reason);
  }
  settings.set("data_left_out", Value(left_out));
  notes.insert(notes.begin(), text("data: ", settings.text("data"), ", ", data.about()));
}

// A run that wrote among its data, or over it, would change what it learns from.
void check_apart(const RunFolder& folder, const std::string& data) {
  const fs::path& out = folder.path();
  for (const fs::path from : paths_in(data)) {
    const bool same = lies_in(from, out) && lies_in(out, from);
    const bool over = same || lies_in(from, out / "samples") || lies_in(from, out / "checkpoints");
    const bool among = !over && fs::is_directory(from) && lies_in(out, from) && !folder.holds_run() &&
                       !(scan_pictures(out.string()).files.empty() && scan_sounds(out.string()).files.empty());
    check<UsageError>(!over && !among, "--out '", out.string(), "' and the data '", from.string(),
                      "' are the same folder, or one holds what the other is made of: name a folder for the run alone");
  }
}

void check_folder(const RunFolder& folder, bool force) {
  const std::string out = folder.path().string();
  const bool whole = folder.holds_run(), run = whole || folder.holds_files();
  check<UsageError>(force || !whole, "--out '", out, "' already holds a run; continue it with: forger train --resume ",
                    out, ", replace it with --force, or name another folder");
  check<UsageError>(force || !run, "--out '", out, "' holds what is left of a run, whose config.toml is ",
                    fs::exists(folder.config()) ? "damaged" : "gone",
                    ": replace it with --force, or name another folder");
  const auto foreign = folder.foreign_file();
  check<UsageError>(!foreign, "--out '", out, "': '", foreign.value_or(""), "' is not of ", run ? "the" : "a",
                    " run, and would be overwritten or mixed with its files; name another folder, or move it away");
}

}  // namespace

Trainer Trainer::start(const Settings& given, RunClaim claim, bool force, Observer observer,
                       const MakeEvaluate& make_evaluate) {
  const RunFolder folder = claim.folder();
  check_folder(folder, force);
  check_apart(folder, given.text("data"));
  Settings settings = given;
  settings.set("data_left_out", Value(std::string()));  // of another run, whose config.toml this one begins with
  apply_machine_settings(settings);
  const DataSetPtr data = open_checked(settings, settings.flag("skip_broken"), observer);
  check<UsageError>(settings.integer("batch") <= data->count(), "--batch ", settings.integer("batch"),
                    " is larger than the data: ", data->name(), " has ", data->count(), " samples");
  require_fit(find_recipe(settings.text("recipe")), settings.text("data"), data->columns());
  settings.set("version", Value(std::string(FORGER_VERSION)));
  std::vector<std::string> notes;
  describe(settings, *data, notes);
  auto impl = std::make_unique<Impl>(settings, std::move(claim), std::move(observer), data);
  if (const std::string& from = settings.text("init_from"); !from.empty()) {
    const bool run = fs::is_directory(from);
    Found found;
    if (run) found = newest_checkpoint(RunFolder(from), notes);
    check<UsageError>(!run || !found.path.empty(), "--init-from: '", from, "' holds no checkpoint");
    if (!run) found = {.checkpoint = nn::load_checkpoint(from), .path = from};
    notes.push_back(impl->state.begin_with(found.checkpoint, found.path));
  }
  impl->open(notes, make_evaluate, /*replace=*/folder.holds_run() || folder.holds_files());
  return Trainer(std::move(impl));
}

Trainer Trainer::resume(RunClaim claim, const Changes& changes, Observer observer, const MakeEvaluate& make_evaluate) {
  const RunFolder folder = claim.folder();
  Settings settings = read_config(folder);
  std::vector<std::string> notes;
  const auto change = [&](const char* key, const Value& value, const auto& before) {
    settings.set(key, value);
    if (Value(before) == value) return;
    notes.push_back(std::visit(
        [&](const auto& now) {
          return text(key, " was ", before, " and is ", now,
                      " from now on: results may differ in their last bits from those of a run that stayed");
        },
        value));
  };
  if (changes.steps > 0) settings.set("steps", Value(changes.steps));
  if (!changes.device.empty()) change("device", Value(changes.device), std::string(settings.text("device")));
  if (changes.threads > 0) change("threads", Value(changes.threads), settings.integer("threads"));
  if (!changes.data.empty()) move_data(settings, changes.data);
  const std::string device = settings.text("device"), missing = kernels::unavailable(device_named(device));
  check<UsageError>(missing.empty(), "the run computes on ", device, ", which is not to be had here (", missing,
                    "); --device cpu goes on here");
  if (settings.integer("threads") > kernels::available_threads())
    notes.push_back(text("the run computes with ", settings.integer("threads"), " threads and this machine offers ",
                         kernels::available_threads(), ": --threads ", kernels::available_threads(),
                         " is faster, but for the last bits of the results"));
  apply_machine_settings(settings);

  Found found = newest_checkpoint(folder, notes);
  check<DataError>(!found.path.empty() || !has_rows(folder.metrics()), "'", folder.path().string(),
                   "' holds no checkpoint to go on from, and its metrics.csv tells of steps that were trained: put the "
                   "checkpoint back, or start again with --force");
  DataSetPtr data;
  if (changes.skip_broken) {
    data = open_checked(settings, true, observer);
    const std::string before = settings.text("data_hash");
    if (!data->broken().empty()) describe(settings, *data, notes);
    check<DataError>(!data->broken().empty() || data->hash() == before, "the data '", settings.text("data"),
                     "' has changed since the run began, and nothing in it is broken; --data says where it is now");
    if (!data->broken().empty()) notes.push_back("the data is no longer what the run began with");
  } else {
    data = data_of(settings);
  }
  auto impl = std::make_unique<Impl>(settings, std::move(claim), std::move(observer), data);
  if (!found.path.empty()) {
    impl->counters = impl->state.load(found.checkpoint, found.path);
    impl->saved_step = static_cast<int64_t>(impl->counters.step);
  }
  check<UsageError>(static_cast<uint64_t>(impl->steps) >= impl->counters.step, "--steps ", impl->steps,
                    ": the run has done ", impl->counters.step, " already; it can only be made longer");
  impl->open(notes, make_evaluate);
  for (const std::string& damaged : found.damaged) {  // out of the way of those that are kept, and not thrown away
    std::error_code ignored;
    fs::rename(damaged, folder.own(damaged + ".damaged"), ignored);
  }
  return Trainer(std::move(impl));
}

}  // namespace forger::gan
