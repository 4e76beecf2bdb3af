// forger sample: new pictures, or words, from a trained generator. The same seed, count and checkpoint give the same file.
#include <iostream>
#include <optional>

#include "apps/common.h"
#include "core/ops.h"
#include "gan/latent.h"
#include "gan/words.h"

namespace forger::apps {
namespace {

struct SampleOptions {
  Use use;
  std::string out, each;
  std::vector<std::string> words;
  std::optional<std::string> caption;
  int64_t count = 64, columns = 0;
  double temperature = 1;
  bool force = false;
};

// z ~ N(0, t^2 I): below 1 likelier samples, and fewer kinds of them (of a flow, see Kingma and Dhariwal 2018).
gan::Batch at_temperature(const gan::Batch& drawn, double t) {
  if (t == 1) return drawn;
  check<UsageError>(drawn.has("z"), "--temperature: this run's samples are made from no z that could be scaled");
  return gan::with_latent(drawn, drawn["z"] * t);
}

int sample_words(const SampleOptions& options, gan::Recipe& recipe, const gan::View& view, const gan::Batch& drawn,
                 const gan::Column& like) {
  check<UsageError>(options.each.empty() && options.columns == 0, options.each.empty() ? "--columns" : "--each",
                    ": this run's samples are words, not pictures; --out FILE takes one a line");
  write_words(options.out, like, recipe, view, drawn);
  return exit_done;
}

int sample(const SampleOptions& options) {
  const bool wants_grid = options.each.empty() || !options.out.empty();
  const std::string out = options.out.empty() ? "samples.png" : options.out;
  gan::Trained trained = load(options.use);
  const gan::View view = gan::sampling_view(*trained.recipe);
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  const gan::Column* spelt = gan::find_words(columns, view.like);
  if (wants_grid && spelt == nullptr) check_picture_name("--out", out);
  if (wants_grid) check_not_data("--out", out, trained.settings);
  if (!options.each.empty()) check_not_data("--each", options.each, trained.settings);

  Random random = sampling_random(options.use.seed);
  gan::Batch drawn = at_temperature(view.draw(options.count, random), options.temperature);
  std::vector<std::string> words = options.words;
  check<UsageError>(!options.caption || drawn.has("caption"),
                    "--caption: this run's samples are not made from captions (gan-cls and stackgan read them)");
  if (options.caption) words.push_back("caption=" + *options.caption);
  set_words(drawn, words, trained.settings);
  if (spelt != nullptr) return sample_words(options, *trained.recipe, view, drawn, *spelt);

  std::optional<NumberedPictures> each;
  if (!options.each.empty()) each.emplace(options.each, "sample", options.force);
  gan::PictureBuilder picture(options.count, options.columns);
  make_in_parts(*trained.recipe, view, drawn, [&](const gan::Batch&, const gan::Batch& made) {
    const Tensor& samples = made.tensors.front().tensor;
    if (each) each->add(samples);
    if (wants_grid) picture.add(samples);
  });
  if (each) std::cout << options.each << '\n';
  if (wants_grid) write_picture(out, picture.picture());
  return exit_done;
}

}  // namespace

Command sample_command(CLI::App& root) {
  const auto options = std::make_shared<SampleOptions>();
  CLI::App* app = root.add_subcommand("sample", "New pictures from a trained generator");
  add_use(*app, options->use, "Another seed, other pictures");
  app->add_option("--count", options->count, "How many")->capture_default_str()->check(CLI::Range(1, 1000000));
  app->add_option(
      "--out", options->out,
      "The grid of all of them; samples.png when left out, - for standard output, where words go, one a line");
  app->add_option("--columns", options->columns, "Columns of the grid; a square when left out")
      ->check(CLI::Range(1, 10000));
  app->add_option("--each", options->each, "A folder for one PNG per sample (then a grid only with --out)");
  app->add_option("--set", options->words, "What is drawn is given instead, as label=Coat")->type_name("COLUMN=WORD");
  app->add_option("--caption", options->caption, "Of a system that reads: what the pictures are to show");
  app->add_option("--temperature", options->temperature, "Of the noise: its standard deviation, as a factor")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 100.0));
  app->add_flag("--force", options->force, "Replace the samples that --each's folder holds from an earlier call");
  app->footer(
      "Examples:\n"
      "  forger sample runs/dcgan --count 16 --seed 3 --out sixteen.png\n"
      "  forger sample runs/dcgan --count 1000 --each fakes\n"
      "  forger sample runs/cgan --set label=Coat --out coats.png\n"
      "  forger sample runs/flow --temperature 0.7 --out likely.png\n"
      "  forger sample runs/gan-cls --caption 'a dark pullover with long sleeves' --out dark.png\n"
      "  forger sample runs/seqgan --count 1000 --out words.txt\n"
      "  forger sample runs/dcgan/checkpoints/step-000500.safetensors --out early.png");
  return {app, [options] { return sample(*options); }};
}

}  // namespace forger::apps
