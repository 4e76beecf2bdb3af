// forger fid A B and forger stats A: the Frechet distance of two sets of images, and what it needs of one set, kept in
// a file. A set is a folder of pictures, a data set, a run (its samples) or such a file.
#include <filesystem>
#include <iostream>
#include <optional>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "gan/data/picture_folder.h"
#include "gan/evaluation_file.h"
#include "metrics/frechet_file.h"
#include "metrics/judge.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;

struct FidOptions {
  std::vector<std::string> sets;
  std::string inception, convention = "tf", judge, split = "test", out;
  std::string size;
  int64_t count = 0, seed = 0;
  gan::Place place;
  bool skip_broken = false, json = false;
};

bool is_run(const std::string& set) { return gan::is_trained(set); }
bool is_statistics(const std::string& set) { return set.ends_with(".safetensors") && !is_run(set); }
bool is_folder(const std::string& set) { return fs::is_directory(set) && !is_run(set) && !gan::is_data_name(set); }

// A set, as far as it is there before the long work; what is none of these is a folder of pictures.
struct Set {
  std::string name;
  std::optional<metrics::Statistics> statistics = {};
  std::shared_ptr<gan::Trained> run = {};
  gan::DataSetPtr data = {};
};

// Data sets are brought to the size of the run among the sets, if there is one and --size says nothing else.
gan::DataOptions common_size(const FidOptions& options, const std::vector<Set>& sets) {
  for (const Set& set : sets)
    if (options.size.empty() && set.run) return gan::data_options(set.run->settings);
  gan::Settings settings = gan::common_settings();
  settings.set("size", options.size.empty() ? "0" : options.size);
  return gan::data_options(settings);
}

// What is not there is found out here.
std::vector<Set> open_sets(const FidOptions& options) {
  std::vector<Set> sets;
  for (const std::string& name : options.sets) {
    sets.push_back({name});
    if (is_run(name))
      sets.back().run = std::make_shared<gan::Trained>(
          load({.run = name, .place = options.place, .seed = options.seed, .raw = false}));
    if (is_statistics(name)) sets.back().statistics = metrics::load_statistics(name);
    check<DataError>(!is_folder(name) || gan::scan_pictures(name).files.size() > 1, "'", name,
                     "': a distance needs at least 2 images, and there are not so many");
  }
  const gan::DataOptions size = common_size(options, sets);
  const auto subset = options.split == "test" ? gan::Subset::test : gan::Subset::train;
  for (Set& set : sets)
    if (!set.statistics && !set.run && !is_folder(set.name)) set.data = gan::open_data(set.name, size, subset);
  return sets;
}

// Inception, or the judge of --judge, of a run's data or of a data set among the sets.
metrics::ExtractorPtr chosen_extractor(const FidOptions& options, const std::vector<Set>& sets, Terminal& terminal) {
  const metrics::Convention convention = metrics::find_convention(options.convention);
  if (!options.inception.empty())
    return metrics::inception_extractor(std::make_shared<const metrics::Inception>(options.inception), convention);
  const gan::DataOptions size = common_size(options, sets);
  std::function<gan::DataSetPtr(gan::Subset)> open;
  if (!options.judge.empty()) open = [&](gan::Subset subset) { return gan::open_data(options.judge, size, subset); };
  for (const Set& set : sets) {
    if (open) break;
    if (set.run) open = [&](gan::Subset subset) { return gan::data_of(set.run->settings, subset); };
    if (set.data) open = [&](gan::Subset subset) { return gan::open_data(set.name, size, subset); };
  }
  check<UsageError>(static_cast<bool>(open), "somebody must look at the images: --inception FILE, or --judge DATA for ",
                    "the classifier of a labelled data set");
  return metrics::Judge::of(open(gan::Subset::train), open(gan::Subset::test), 0, "", [&](int64_t done, int64_t total) {
    terminal.work("training the built-in judge", done, total);
  });
}

metrics::Pictures pictures_in(const FidOptions& options, const Set& set, int channels, Terminal& terminal) {
  constexpr int64_t samples = 10'000;
  const auto seed = static_cast<uint64_t>(options.seed);
  metrics::Pictures pictures;
  if (set.run) {
    gan::apply_machine_settings(set.run->settings);
    pictures = metrics::pictures_of(
        *set.run->recipe, options.count > 0 ? options.count : samples, seed, "samples of " + set.name,
        [&](int64_t done, int64_t total) { terminal.work("sampling " + set.name, done, total); });
  } else if (set.data) {
    pictures = metrics::pictures_of(set.data, set.name + " (" + options.split + ")");
  } else {
    pictures = metrics::pictures_in_folder(set.name, channels, options.skip_broken);
    std::cerr << "note: " << set.name << ": " << pictures.count << " pictures" << pictures.about << std::endl;
    for (const std::string& file : pictures.broken) std::cerr << "forger: left out '" << file << "'\n";
    if (!pictures.broken.empty())
      std::cerr << "forger: " << pictures.broken.size() << " broken images left out" << std::endl;
  }
  return options.count > 0 ? pictures.subset(options.count, seed) : pictures;
}

std::vector<metrics::Statistics> statistics_of_sets(const FidOptions& options) {
  Terminal terminal;
  const std::vector<Set> sets = open_sets(options);
  std::vector<metrics::Statistics> all;
  metrics::ExtractorPtr extractor;
  for (const Set& set : sets) {
    if (set.statistics) {
      all.push_back(*set.statistics);
      continue;
    }
    if (!extractor) extractor = chosen_extractor(options, sets, terminal);
    const metrics::Pictures pictures = pictures_in(options, set, extractor->channels(), terminal);
    kernels::set_threads(
        static_cast<int>(options.place.threads > 0 ? options.place.threads : kernels::available_threads()));
    all.push_back(metrics::statistics_of(*extractor, pictures, [&](int64_t done, int64_t total) {
      terminal.work("looking at " + pictures.name, done, total);
    }));
    if (set.data) all.back().split = options.split;
  }
  return all;
}

int fid(const FidOptions& options) {
  check<UsageError>(options.sets.size() == 2, "two sets are compared, got ", options.sets.size());
  const auto sets = statistics_of_sets(options);
  const gan::Score score = metrics::frechet_score(sets[0], sets[1]);
  if (options.json) {
    std::cout << gan::json_of({score}) << '\n';
    return exit_done;
  }
  std::cout << score.metric << ' ' << gan::line_of(score) << '\n';
  if (!score.remark.empty()) std::cerr << "forger: " << score.remark << std::endl;
  return exit_done;
}

// Weights have such names, too: those of Inception among them.
void check_statistics_or_nothing(const std::string& file) {
  if (!fs::exists(file) || !is_replaceable(file)) return;
  try {
    (void)metrics::load_statistics(file);
  } catch (const DataError&) {
    throw UsageError(text("--out: '", file, "' is there and holds something else than statistics: name another file"));
  }
}

int stats(const FidOptions& options) {
  check<UsageError>(is_statistics(options.out), "--out must end in .safetensors, got '", options.out, "'");
  const fs::path folder = fs::absolute(options.out).parent_path();
  check<UsageError>(fs::is_directory(folder), "--out: there is no folder '", folder.string(), "'");
  check_statistics_or_nothing(options.out);
  const metrics::Statistics statistics = statistics_of_sets(options).front();
  metrics::save_statistics(options.out, statistics);
  std::cout << options.out << ": " << statistics.gaussian.count << " images of " << statistics.name << ", "
            << statistics.extractor << ", " << statistics.convention << '\n';
  return exit_done;
}

void add_options(CLI::App& app, FidOptions& options) {
  app.add_option("--inception", options.inception, "Inception's weights, from metrics/convert_inception.py")
      ->option_text("FILE");
  app.add_option("--convention", options.convention, "How Inception's images are resized: tf, pytorch, clean, friendly")
      ->capture_default_str();
  app.add_option("--judge", options.judge, "Without Inception: the labelled data set whose classifier looks")
      ->option_text("DATA");
  app.add_option("--split", options.split, "Of data sets: test or train")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "train"}));
  app.add_option("--count", options.count, "Only so many images, drawn by --seed; all when left out")
      ->check(CLI::Range(2, 10'000'000));
  app.add_option("--size", options.size,
                 "Of data sets' images, as 64 or 64x96; that of a run among the sets, or as they are, when left out");
  app.add_option("--seed", options.seed, "Of a run's samples, and of what --count draws")->capture_default_str();
  add_place(app, options.place);
  app.add_flag("--skip-broken", options.skip_broken, "Leave unreadable images out, and name them");
}

}  // namespace

Command fid_command(CLI::App& root) {
  const auto options = std::make_shared<FidOptions>();
  CLI::App* app = root.add_subcommand("fid", "Frechet distance of two sets of images");
  app->add_option("SET", options->sets, "Two of: a folder of pictures, a data set, a run, a statistics file")
      ->required()
      ->expected(2);
  add_options(*app, *options);
  app->add_flag("--json", options->json, "A line of JSON on standard output");
  app->footer(
      "Examples:\n"
      "  forger fid photos fakes --inception inception.safetensors\n"
      "  forger fid photos.safetensors runs/photos --inception inception.safetensors     (of forger stats)\n"
      "  forger fid fashion-mnist runs/dcgan                                             (named fcd: no Inception)");
  return {app, [options] { return fid(*options); }};
}

Command stats_command(CLI::App& root) {
  const auto options = std::make_shared<FidOptions>();
  CLI::App* app = root.add_subcommand("stats", "Mean and covariance of a set's features, kept for forger fid");
  app->add_option("SET", options->sets, "A folder of pictures, a data set or a run")->required()->expected(1);
  app->add_option("--out", options->out, "The file to write")->option_text("FILE.safetensors")->required();
  add_options(*app, *options);
  app->footer("Example:\n  forger stats photos --inception inception.safetensors --out photos.safetensors");
  return {app, [options] { return stats(*options); }};
}

}  // namespace forger::apps
