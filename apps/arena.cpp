// forger arena: systems x seeds on one data set, as many at a time as there are cores, each a run of its own.
//
//   out/SYSTEM-seedK/     a run folder, trained by `forger train` in a process of its own, on one core
//   out/arena.csv         system, score, mean, spread, best
//   out/arena.html        the table, and films of the previews
//
// The same command again goes on where it was stopped: what is complete is kept, what is not is resumed.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <sstream>

#include "apps/common.h"
#include "core/file.h"
#include "gan/data.h"
#include "gan/state.h"
#include "gan/tournament.h"
#include "gan/words.h"
#include "kernels/kernels.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;

struct ArenaOptions {
  std::vector<std::string> systems, losses, penalties, assignments;
  std::string data = "ring8", out = "runs/arena";
  int64_t seeds = 3, steps = 0, jobs = 0, evaluations = 10;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// "gan --loss minimax" as a file's name: "gan-loss-minimax".
std::string file_name(const std::string& system) {
  std::string name;
  for (const char c : system) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
    if (plain) name += c;
    if (!plain && !name.empty() && name.back() != '-') name += '-';
  }
  return name;
}

// The systems by name, or all that make samples of this data from noise alone; each with every objective and penalty
// that was asked for.
std::vector<std::string> systems_of(const ArenaOptions& options, const gan::Columns& columns) {
  std::vector<std::string> systems = options.systems;
  if (systems.empty())
    for (const gan::RecipeEntry& recipe : gan::recipes())
      // Those of no further structure: their networks can be chosen (gan/networks/arch.h).
      if (gan::settings_for(recipe).has("arch") &&
          std::ranges::find(recipe.needs, columns.front().name) != recipe.needs.end())
        systems.push_back(recipe.name);
  const auto times = [&](const char* flag, const std::vector<std::string>& values) {
    if (values.empty()) return;
    std::vector<std::string> all;
    for (const std::string& system : systems)
      for (const std::string& value : values) all.push_back(system + ' ' + flag + ' ' + value);
    systems = all;
  };
  times("--loss", options.losses);
  times("--penalty", options.penalties);
  return systems;
}

// One run, and the process that trains it.
struct Match {
  size_t entrant;
  std::string folder;
  std::vector<std::string> words;  // of forger train
  int errors = -1;                 // the pipe of its standard error
  std::string said = {};
};

pid_t start(Match& match) {
  int ends[2];
  check<Error>(pipe2(ends, O_CLOEXEC) == 0, "no pipe can be made: ", std::strerror(errno));
  std::vector<char*> argv;
  static std::string self = "/proc/self/exe";
  argv.push_back(self.data());
  for (std::string& word : match.words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  check<Error>(child >= 0, "no process can be made: ", std::strerror(errno));
  if (child == 0) {
    setpgid(0, 0);  // Ctrl-C reaches this process alone, which asks each of them to stop
    const int nothing = open("/dev/null", O_WRONLY);
    dup2(nothing, STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execv(self.c_str(), argv.data());
    _exit(127);
  }
  close(ends[1]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  match.errors = ends[0];
  return child;
}

// What the process said so far; the pipe is emptied, so that it never waits for us.
void read_errors(Match& match) {
  std::string& said = match.said;
  char bytes[4096];
  for (ssize_t n; (n = read(match.errors, bytes, sizeof bytes)) > 0;) said.append(bytes, static_cast<size_t>(n));
  constexpr size_t enough = 4096;
  if (said.size() > enough) said.erase(0, said.size() - enough);
}

std::string last_line(std::string said) {
  while (!said.empty() && said.back() == '\n') said.pop_back();
  const size_t from = said.find_last_of("\n\r");
  return from == said.npos ? said : said.substr(from + 1);
}

bool is_complete(const gan::RunFolder& folder) {
  if (!folder.holds_run()) return false;
  const std::vector<int64_t> steps = folder.checkpoint_steps();
  return !steps.empty() && steps.back() >= gan::read_config(folder).integer("steps");
}

// Runs of other settings would stand in one table with these: what all have in common is kept beside them.
void check_same(const ArenaOptions& options, const std::string& file) {
  const nlohmann::ordered_json common{{"data", options.data},
                                      {"steps", options.steps},
                                      {"set", options.assignments},
                                      {"evaluations", options.evaluations}};
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    write_file(file, written(common) + '\n');
    return;
  }
  const auto there = nlohmann::ordered_json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  check<UsageError>(there == common, "'", options.out, "' holds a tournament of other settings, ",
                    there.is_discarded() ? "whose arena.json is damaged" : written(there), "; name another --out");
}

std::vector<Match> matches_of(const ArenaOptions& options, const std::vector<std::string>& systems,
                              const gan::DataSet& data, std::vector<gan::Entrant>& entrants) {
  const bool spelt = gan::find_words(data.columns(), data.columns().front().name) != nullptr,
             points = !spelt && data.sample().rank() == 1;
  const char* metric = spelt ? "words" : points ? "mixture" : "fcd";
  const auto each = [&](int64_t parts) { return std::to_string(std::max<int64_t>(1, options.steps / parts)); };
  std::vector<Match> matches;
  for (const std::string& system : systems) {
    gan::Entrant entrant{.name = system, .runs = {}};
    for (int64_t seed = 0; seed < options.seeds; seed++) {
      Match match{.entrant = entrants.size(),
                  .folder = fs::path(options.out) / (file_name(system) + "-seed" + std::to_string(seed)),
                  .words = {"train"}};
      const auto add = [&](const std::vector<std::string>& words) {
        match.words.insert(match.words.end(), words.begin(), words.end());
      };
      const std::vector<std::string> own = words_of(system);
      add(own);
      add({"--data", options.data, "--steps", std::to_string(options.steps), "--seed", std::to_string(seed)});
      // As settings, which those of the command line come after.
      std::vector<std::string> assignments{std::string("evaluate=") + metric,
                                           "evaluate_every=" + each(options.evaluations),
                                           "preview_every=" + each(40),
                                           "checkpoint_every=" + each(5),
                                           "keep_checkpoints=1",
                                           "read_every=10",
                                           "threads=1"};
      if (points) assignments.insert(assignments.end(), {"arch=mlp", "previews=500"});
      assignments.insert(assignments.end(), options.assignments.begin(), options.assignments.end());
      for (const std::string& assignment : assignments) add({"--set", assignment});
      add({"--out", match.folder});
      entrant.runs.push_back(match.folder);
      matches.push_back(std::move(match));
    }
    entrants.push_back(std::move(entrant));
  }
  return matches;
}

// Trains them all, `jobs` at a time.
void hold(std::vector<Match>& matches, std::vector<gan::Entrant>& entrants, int64_t jobs, const gan::Requests& asked) {
  const size_t total = matches.size();
  size_t next = 0, done = 0;
  bool stopping = false;
  std::map<pid_t, size_t> running;
  const auto ended = [&](size_t i, const std::string& how) {
    done++;
    std::cerr << '[' << done << '/' << total << "] " << matches[i].folder << ": " << how << std::endl;
  };
  while (next < total || !running.empty()) {
    if (asked.stop && !stopping) {
      stopping = true;
      for (const auto& [process, i] : running) kill(process, SIGTERM);  // also under nohup, where SIGINT is ignored
    }
    if (stopping && running.empty()) throw Interrupted();
    while (!stopping && next < total && std::ssize(running) < jobs) {
      Match& match = matches[next];
      const gan::RunFolder folder(match.folder);
      if (is_complete(folder)) {
        ended(next++, "is there");
        continue;
      }
      if (folder.holds_run()) match.words = {"train", "--resume", match.folder};
      running[start(match)] = next++;
    }
    usleep(50'000);
    for (const auto& [process, i] : running) read_errors(matches[i]);
    int status = 0;
    for (pid_t process; (process = waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = running.find(process);
      if (found == running.end()) continue;
      Match& match = matches[found->second];
      read_errors(match);
      close(match.errors);
      const bool well = WIFEXITED(status) && WEXITSTATUS(status) == exit_done;
      const std::string reason = last_line(match.said);
      if (!stopping)
        ended(found->second, well ? "trained" : reason.empty() ? text("ended by signal ", WTERMSIG(status)) : reason);
      if (!well && !stopping) entrants[match.entrant].failed.push_back(reason);
      running.erase(found);
    }
  }
}

int arena(ArenaOptions options) {
  const gan::Requests& asked = watch_signals();
  const gan::DataSetPtr data = gan::open_data(options.data, gan::DataOptions(32));
  const std::vector<std::string> systems = systems_of(options, data->columns());
  check<UsageError>(!systems.empty(), "no system makes samples of ", options.data, " from noise alone: name some");
  for (const std::string& system : systems) {
    const std::vector<std::string> words = words_of(system);
    check<UsageError>(!words.empty(), "a system is a recipe, with options of forger train if need be; got ''");
    gan::find_recipe(words.front());
  }
  if (options.jobs == 0) options.jobs = kernels::available_threads();
  fs::create_directories(options.out);
  check_same(options, fs::path(options.out) / "arena.json");

  std::vector<gan::Entrant> entrants;
  std::vector<Match> matches = matches_of(options, systems, *data, entrants);
  hold(matches, entrants, options.jobs, asked);
  const std::string csv = fs::path(options.out) / "arena.csv", page = fs::path(options.out) / "arena.html";
  write_file(csv, gan::tournament_csv(entrants));
  write_file(page, gan::tournament_page(entrants, text("Arena: ", options.data, ", ", options.steps, " steps")));
  std::cout << gan::tournament_table(entrants) << "\n  table  " << csv << "\n  page   " << page << '\n';
  const bool all = std::ranges::all_of(entrants, [](const gan::Entrant& e) { return e.failed.empty(); });
  return all ? exit_done : exit_failed;
}

}  // namespace

Command arena_command(CLI::App& root) {
  const auto options = std::make_shared<ArenaOptions>();
  CLI::App* app = root.add_subcommand("arena", "A tournament: systems beside each other, over several seeds");
  app->add_option("SYSTEM", options->systems,
                  "A recipe, or in quotes with options of forger train; all that fit the data when left out");
  app->add_option("--data", options->data, "Data set")->capture_default_str();
  app->add_option("--loss", options->losses, "Each system with each of these objectives")->delimiter(',');
  app->add_option("--penalty", options->penalties, "Each system with each of these penalties")->delimiter(',');
  app->add_option("--seeds", options->seeds, "Runs of each system")->capture_default_str()->check(CLI::Range(1, 1000));
  app->add_option("--steps", options->steps, "Training steps of each run")
      ->default_val(5000)
      ->check(CLI::Range(1, 1'000'000'000));
  app->add_option("--set", options->assignments, "A setting of forger train for all of them; can be given again")
      ->option_text("KEY=VALUE")
      ->allow_extra_args(false);
  app->add_option("--evaluations", options->evaluations, "How often each run is scored")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app->add_option("--jobs", options->jobs, "Runs at a time, on one core each; 0: as many as there are cores")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app->add_option("--out", options->out, "Folder of the runs, the table and the page")->capture_default_str();
  app->footer(
      "The same command again goes on where it was stopped; more systems or seeds join those that are there.\n\n"
      "Examples:\n"
      "  forger arena --data grid25 --seeds 5\n"
      "  forger arena gan \"wgan-gp --n-critic 1\" --loss non-saturating,hinge --penalty none,gp\n"
      "  forger arena dcgan sngan --data fashion-mnist --steps 3000 --set width=16");
  return {app, [options] { return arena(*options); }};
}

}  // namespace forger::apps
