// forger report: the page of a run, made again and with walks through its latent space; a page that compares several
// runs; the previews of a training as a film.
#include "gan/report.h"

#include <filesystem>
#include <iostream>

#include "apps/common.h"
#include "core/file.h"
#include "gan/chart.h"
#include "gan/film.h"
#include "gan/picture_file.h"
#include "gan/run_folder.h"
#include "gan/walk.h"
#include "gan/words.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out = "comparison.html", film;
  gan::Place place;
  double per_second = 4;
};

// Samples that change into each other, into the run's folder; nothing where it makes none that could be drawn.
void write_walk(const ReportOptions& options) {
  const gan::RunFolder folder(options.runs.front());
  if (folder.checkpoint_steps().empty()) return;
  gan::Trained trained = load({.run = options.runs.front(), .place = options.place});
  const std::vector<gan::View> views = trained.recipe->views();
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  const auto drawn = std::find_if(views.begin(), views.end(), [&](const gan::View& view) {
    return view.draw && view.given.empty() && gan::find_words(columns, view.like) == nullptr;
  });
  if (drawn == views.end()) return;
  Random random = sampling_random(0);
  constexpr int64_t count = 16, stops = 5, steps = 20;
  constexpr double per_second = 20;
  const auto frames = film_of_walks(*trained.recipe, *drawn, count, stops, steps, random);
  write_file(folder.own(folder.walk()), gan::encode_apng(frames, per_second));
}

int write_film(const ReportOptions& options) {
  const std::vector<std::string> previews = gan::preview_files(options.runs.front());
  check<UsageError>(!previews.empty() && previews.front().ends_with(".png"), "'", options.runs.front(),
                    "' has no previews that could be a film");
  constexpr int colours = 3;
  std::vector<gan::Image> frames;
  for (const std::string& file : previews) frames.push_back(gan::read_image(file, colours));
  write_output(options.film, gan::encode_film(options.film, frames, options.per_second),
               text(": ", frames.size(), " frames"));
  return exit_done;
}

int report(const ReportOptions& options) {
  check<UsageError>(options.runs.size() <= gan::most_runs, "a page compares up to ", gan::most_runs, " runs, not ",
                    options.runs.size());
  for (const std::string& run : options.runs) gan::RunFolder(run).require_run();
  if (!options.film.empty()) {
    check<UsageError>(options.runs.size() == 1, "--film is of one run");
    gan::check_film_name("--film", options.film);
    return write_film(options);
  }
  if (options.runs.size() > 1) {
    write_output(options.out, gan::comparison_page(options.runs));
    return exit_done;
  }
  write_walk(options);
  gan::write_report(options.runs.front());
  std::cout << gan::RunFolder(options.runs.front()).report() << '\n';
  return exit_done;
}

}  // namespace

Command report_command(CLI::App& root) {
  const auto options = std::make_shared<ReportOptions>();
  CLI::App* app = root.add_subcommand("report", "A run's page again, with walks; a page that compares several runs");
  app->add_option("RUN", options->runs, "Run folders")->required()->option_text("DIR ...");
  add_place(*app, options->place);
  CLI::Option* film =
      app->add_option("--film", options->film, "Instead: the run's previews as a .gif, .png (animated) or .mp4")
          ->option_text("FILE");
  app->add_option("--per-second", options->per_second, "Frames of a film in a second")
      ->capture_default_str()
      ->check(CLI::Range(1, 100))
      ->needs(film);
  app->add_option("--out", options->out, "The page on several runs")
      ->option_text("FILE")
      ->capture_default_str()
      ->excludes(film);
  app->footer(
      "Examples:\n"
      "  forger report runs/dcgan                                   adds walks through its latent space\n"
      "  forger report runs/dcgan runs/wgan-gp --out both.html\n"
      "  forger report runs/dcgan --film training.mp4");
  return {app, [options] { return report(*options); }};
}

}  // namespace forger::apps
