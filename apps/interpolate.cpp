// forger interpolate: a walk through the latent space. A generator that has learnt the data, rather than a list of
// pictures, changes smoothly along it.
#include <iostream>

#include "apps/common.h"
#include "gan/film.h"
#include "gan/walk.h"

namespace forger::apps {
namespace {

struct WalkOptions {
  Use use;
  std::string out = "interpolation.png", frames, film;
  int64_t rows = 8, columns = 10, walks = 16;
  double per_second = 25;
  bool force = false;
  bool loop() const { return !frames.empty() || !film.empty(); }
};

int write_film(const WalkOptions& options, gan::Recipe& recipe, const gan::View& view, Random& random) {
  const std::vector<gan::Image> frames =
      film_of_walks(recipe, view, options.walks, options.rows, options.columns, random);
  write_output(options.film, gan::encode_film(options.film, frames, options.per_second),
               text(": ", frames.size(), " frames"));
  return exit_done;
}

int write_frames(const WalkOptions& options, gan::Recipe& recipe, const gan::View& view, Random& random) {
  NumberedPictures frames(options.frames, "frame", options.force);
  make_in_parts(recipe, view, gan::loop(view, options.rows, options.columns, random),
                [&](const gan::Batch&, const gan::Batch& made) { frames.add(made.tensors.front().tensor); });
  std::cout << options.frames << ": " << frames.count() << " frames\n";
  return exit_done;
}

int interpolate(const WalkOptions& options) {
  if (!options.film.empty()) gan::check_film_name("--film", options.film);
  if (!options.loop()) check_picture_name("--out", options.out);
  gan::Trained trained = load(options.use);
  for (const auto& [option, path] : {std::pair("--film", options.film), std::pair("--frames", options.frames),
                                     std::pair("--out", options.loop() ? "" : options.out)})
    if (!path.empty()) check_not_data(option, path, trained.settings);
  gan::Recipe& recipe = *trained.recipe;
  const gan::View view = gan::sampling_view(recipe);
  Random random = sampling_random(options.use.seed);
  if (!options.film.empty()) return write_film(options, recipe, view, random);
  if (!options.frames.empty()) return write_frames(options, recipe, view, random);
  write_picture(
      options.out,
      gan::picture(make_all(recipe, view, gan::walks(view, options.rows, options.columns, random)), options.columns));
  return exit_done;
}

}  // namespace

Command interpolate_command(CLI::App& root) {
  const auto options = std::make_shared<WalkOptions>();
  CLI::App* app = root.add_subcommand("interpolate", "A walk through the latent space of a trained generator");
  add_use(*app, options->use, "Another seed, another walk");
  app->add_option("--rows", options->rows, "Walks (of a grid), or latents passed (by frames and films)")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app->add_option("--columns", options->columns, "Steps of a walk")->capture_default_str()->check(CLI::Range(2, 10000));
  CLI::Option* out = app->add_option("--out", options->out, "The grid: a walk per row")->capture_default_str();
  CLI::Option* film = app->add_option("--film", options->film,
                                      "Instead of a grid: walks side by side as a .gif, .png or .mp4 that loops")
                          ->option_text("FILE")
                          ->excludes(out);
  app->add_option("--walks", options->walks, "So many of them")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000))
      ->needs(film);
  app->add_option("--per-second", options->per_second, "Frames of a film in a second")
      ->capture_default_str()
      ->check(CLI::Range(1, 100))
      ->needs(film);
  app->add_option("--frames", options->frames, "Instead of a grid: a folder of numbered PNGs that loop")
      ->option_text("DIR")
      ->excludes(out)
      ->excludes(film);
  app->add_flag("--force", options->force, "Replace the frames that the folder holds from an earlier call");
  app->footer(
      "Examples:\n"
      "  forger interpolate runs/dcgan --rows 4 --columns 12 --out walk.png\n"
      "  forger interpolate runs/dcgan --rows 6 --columns 30 --film walk.mp4\n"
      "  forger interpolate runs/dcgan --rows 6 --columns 30 --frames walk");
  return {app, [options] { return interpolate(*options); }};
}

}  // namespace forger::apps
