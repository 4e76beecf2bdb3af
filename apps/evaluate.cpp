// forger evaluate: scores of what each view of a trained system makes, and the system's own tests, as a table for
// people or JSON for programs. In the run's folder it leaves evaluation.json, modes.png (the real images that D is
// least and most sure of), sanity.svg and steganography.svg, for the report.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "gan/evaluation_file.h"
#include "gan/report.h"
#include "gan/run_folder.h"
#include "gan/test.h"
#include "metrics/codes.h"
#include "metrics/denoising.h"
#include "metrics/linear_probe.h"
#include "metrics/probe.h"
#include "metrics/reconstruction.h"
#include "metrics/sanity.h"
#include "metrics/slope.h"
#include "metrics/steganography.h"
#include "metrics/system.h"

namespace forger::apps {
namespace {

struct EvaluateOptions {
  Use use;
  std::string view, metrics, convention = "tf", split = "test", inception;
  int64_t count = 10'000;
  bool all_conventions = false, sanity = false, slope = false, steganography = false, denoising = false, json = false;
};

// One score per key; where there are several conventions the first one's, with the values of all.
std::vector<gan::Score> one_per_key(const std::vector<gan::Score>& scores) {
  std::vector<gan::Score> merged;
  for (const gan::Score& score : scores) {
    const auto first =
        std::find_if(merged.begin(), merged.end(), [&](const auto& other) { return other.key() == score.key(); });
    if (first == merged.end()) {
      merged.push_back(score);
      continue;
    }
    if (first->conventions.empty()) first->conventions = {{first->convention, first->value()}};
    first->conventions.emplace_back(score.convention, score.value());
  }
  return merged;
}

// What can be said of its codes, and of what goes through them; none where no judge can be had.
std::vector<gan::Score> scores_of_codes(gan::Trained& trained, metrics::Evaluation* first, const gan::DataSet& test,
                                        int64_t count, uint64_t seed) {
  if (first == nullptr || first->train()->classes() < 2) return {};
  gan::Recipe& recipe = *trained.recipe;
  std::vector<gan::Score> scores = metrics::code_scores(recipe, first->judge(), test, count, seed);
  const auto add = [&](const std::vector<gan::Score>& more) { scores.insert(scores.end(), more.begin(), more.end()); };
  add(metrics::reconstruction_scores(recipe, first->judge(), test, count));
  const auto fresh = gan::find_recipe(trained.settings.text("recipe"))
                         .make(trained.settings, gan::read_columns(trained.settings.text("columns")));
  add(metrics::linear_probe_scores(recipe, *fresh, *first->train(), test, count));
  return scores;
}

size_t column_for(const std::vector<gan::Score>& scores) {
  size_t column = 14;
  for (const gan::Score& score : scores) column = std::max(column, score.key().size() + 2);
  return column;
}

void print_line(const std::string& name, size_t column, const std::string& line) {
  std::cout << name << std::string(column - name.size(), ' ') << line << '\n';
}

void print_text(const std::vector<gan::Score>& scores, const gan::Scalars& tests,
                const std::vector<metrics::CycleCurve>& cycles, const metrics::Denoising& denoised,
                const std::vector<std::string>& seen_by) {
  constexpr size_t longest_bar = 40;
  const size_t column = column_for(scores);
  const std::string indent(column, ' ');
  for (const gan::Score& score : scores) {
    print_line(score.key(), column, gan::line_of(score));
    if (!score.remark.empty()) std::cout << indent << score.remark << '\n';
    double most = 0;
    for (const auto& [name, share] : score.classes) most = std::max(most, share);
    for (const auto& [name, share] : score.classes) {
      char percent[16];
      std::snprintf(percent, sizeof percent, "%5.1f %%  ", 100 * share);
      const auto bar = static_cast<size_t>(std::lround(share / most * longest_bar));
      std::cout << indent << percent << std::string(bar, '#') << (bar > 0 ? " " : "") << name << '\n';
    }
  }
  std::string line;
  for (const auto& [name, value] : tests) line += text(line.empty() ? "" : "  ", name, ' ', value);
  if (!tests.empty()) print_line("test", column, line);
  for (const metrics::CycleCurve& cycle : cycles) print_line("steganography", column, metrics::line_of(cycle));
  for (const std::string& row : metrics::table_of(denoised)) print_line("denoising", column, row);
  for (const std::string& network : seen_by) print_line("seen by", column, network);
}

int evaluate(const EvaluateOptions& options) {
  Terminal terminal;
  const std::string& run = options.use.run;
  gan::Trained trained = load(options.use);
  const bool whole_run = !std::filesystem::is_regular_file(run);  // not one of its checkpoints
  check<UsageError>(whole_run || !options.sanity, "--sanity draws into a run's folder, and '", run,
                    "' is a checkpoint");
  const bool kept = whole_run && access(run.c_str(), W_OK) == 0;
  if (whole_run && !kept)
    std::cerr << "note: cannot write into " << run << " (" << std::strerror(errno)
              << "): the scores are printed and kept nowhere" << std::endl;
  const gan::DataSetPtr train = gan::data_of(trained.settings),
                        test = gan::data_of(trained.settings, gan::Subset::test);

  metrics::Request request;
  if (!options.metrics.empty()) request.metrics = metrics::parse_metrics(options.metrics);
  request.count = options.count;
  request.seed = static_cast<uint64_t>(options.use.seed);
  request.split = options.split == "test" ? gan::Subset::test : gan::Subset::train;
  request.inception = options.inception;
  request.conventions = {metrics::find_convention(options.convention)};
  if (options.all_conventions) {
    for (const metrics::Convention c : metrics::all_conventions)
      if (c != request.conventions.front()) request.conventions.push_back(c);
  }
  const auto announce = [&](const std::string& what, int64_t done, int64_t total) { terminal.work(what, done, total); };
  metrics::SystemEvaluation evaluation(*trained.recipe, train, test, request, options.view, announce);
  metrics::Evaluation* first = evaluation.first();
  check<UsageError>(first != nullptr || !options.sanity,
                    "--sanity damages the images that a view should make, and no view is scored");
  // First what may be refused, and takes no judge.
  std::vector<gan::Score> slopes;
  if (options.slope) slopes = metrics::slope_scores(*trained.recipe, *test, options.count, request.seed);
  std::vector<metrics::CycleCurve> cycles;
  if (options.steganography) {
    constexpr int64_t enough = 512;  // rows: a mean over so many pixels hardly varies
    cycles =
        metrics::cycle_under_noise(*trained.recipe, *test, std::min(options.count, enough), request.seed, announce);
  }
  metrics::Denoising denoised;
  if (options.denoising) denoised = metrics::denoising(*trained.recipe, *test, options.count, request.seed, announce);
  std::vector<gan::Score> scores = evaluation.scores(run);
  for (gan::Score& score : evaluation.baselines()) scores.push_back(std::move(score));
  if (options.metrics.empty() && options.view.empty())
    for (gan::Score& score : scores_of_codes(trained, first, *test, options.count, request.seed))
      scores.push_back(std::move(score));
  scores.insert(scores.end(), slopes.begin(), slopes.end());
  gan::Scalars tests = gan::test_scalars(*trained.recipe, *test, options.count);
  for (gan::Scalar& found : metrics::probe(*trained.recipe, *train, *test, options.count, request.seed, announce))
    tests.push_back(std::move(found));
  check<UsageError>(!scores.empty() || !tests.empty(),
                    evaluation.left_out().empty() ? "this system makes nothing that can be scored, and tests nothing"
                                                  : evaluation.left_out().front());
  for (const std::string& line : evaluation.left_out()) std::cerr << "note: " << line << std::endl;
  for (const gan::Scalar& number : metrics::numbers_of(cycles)) tests.push_back(number);
  for (const gan::Scalar& number : metrics::numbers_of(denoised)) tests.push_back(number);
  const gan::EvaluationFile found{trained.step, one_per_key(scores), evaluation.networks(), tests};
  if (options.json) {
    std::cout << gan::json_of(found.scores, tests) << '\n';
  } else {
    print_text(scores, tests, cycles, denoised, found.seen_by);
  }

  if (!kept) return exit_done;
  const gan::RunFolder folder(run);
  write_evaluation(folder.own(folder.evaluation()), found);
  const bool judged = std::any_of(scores.begin(), scores.end(), [](const auto& s) { return s.key() == "modes"; });
  if (first != nullptr && judged) {
    constexpr int64_t each_way = 20, columns = 10;
    const Tensor extremes = first->extreme_reals(*trained.recipe, each_way);
    if (extremes.defined()) gan::write_png(folder.own(folder.modes()), gan::picture(extremes, columns));
  }
  if (options.sanity) {
    const auto curves = metrics::sanity_curves(
        first->judge(), first->train(), first->test(), options.count,
        [&](int64_t done, int64_t total) { terminal.work("damaging real images", done, total); });
    write_file(folder.own(folder.sanity()), metrics::draw(curves));
  }
  if (options.steganography) {
    const gan::Plot plot = metrics::plot_of(cycles);
    write_file(folder.own(folder.steganography()), gan::svg_of(plot));
    write_file(folder.own(folder.steganography_values()), gan::csv_of(plot));
  }
  gan::write_report(run);
  if (!options.json) print_line("report", column_for(scores), run + "/report.html");
  return exit_done;
}

}  // namespace

Command evaluate_command(CLI::App& root) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* app = root.add_subcommand("evaluate", "Scores of what a trained system makes, and its own tests");
  add_use(*app, options->use, "Another seed, other samples");
  add_data(*app, options->use.place);
  app->add_option("--view", options->view, "Score this view alone (forger show lists them)")->option_text("VIEW");
  app->add_option("--metrics", options->metrics,
                  "Comma-separated, of those of forger list; what the data allows when left out");
  app->add_option("--count", options->count,
                  "Samples, or held-out rows that a view starts from; as many real images, where there are")
      ->capture_default_str()
      ->check(CLI::Range(2, 10'000'000));
  app->add_option("--split", options->split, "Real images to compare with: test or train")
      ->capture_default_str()
      ->check(CLI::IsMember({"test", "train"}));
  app->add_option("--inception", options->inception, "Inception's weights, from metrics/convert_inception.py")
      ->option_text("FILE");
  app->add_option("--convention", options->convention,
                  "How Inception's images are resized: tf, pytorch, clean, friendly")
      ->capture_default_str();
  app->add_flag("--report-all-conventions", options->all_conventions, "Inception's scores under all four");
  app->add_flag("--sanity", options->sanity, "Also damage real images step by step and draw how fcd answers");
  app->add_flag("--slope", options->slope,
                "Also how steep D is between real and fake samples, and what spectral norm makes of its layers");
  app->add_flag("--steganography", options->steganography,
                "Also add noise between two translators and draw how far their cycle breaks");
  app->add_flag("--denoising", options->denoising,
                "Also how far sounds are from the clean ones, noisy and denoised: log-spectral distance, SI-SDR");
  app->add_flag("--json", options->json, "An object by metric, VIEW.metric after the first view, on standard output");
  app->footer(
      "Without Inception's weights a small classifier, trained on the data set's own labels and kept in the cache "
      "folder,\n"
      "looks at the images; its scores are named fcd, cs and kcd. They compare generators of one data set.\n\n"
      "Examples:\n"
      "  forger evaluate runs/dcgan\n"
      "  forger evaluate runs/dcgan --metrics fcd,memorisation,parzen --count 5000 --json\n"
      "  forger evaluate runs/photos --inception inception.safetensors --metrics fid,kid --report-all-conventions");
  return {app, [options] { return evaluate(*options); }};
}

}  // namespace forger::apps
