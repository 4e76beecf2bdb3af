// forger sample: new pictures from a trained generator. The same seed, count and checkpoint give the same file.
#include <filesystem>
#include <iostream>

#include "apps/common.h"

namespace forger::apps {
namespace {

struct SampleOptions {
  std::string run, out, each;
  int64_t count = 64, columns = 0, seed = 0;
  bool raw = false;
};

void write_each(const Tensor& samples, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (int64_t i = 0; i < samples.size(0); i++) gan::write_png(numbered(folder, "sample", i), single(samples, i));
  std::cout << folder << '\n';
}

int sample(const SampleOptions& options) {
  gan::Trained trained = gan::load_trained(options.run, /*averaged=*/!options.raw);
  Random random = sampling_random(options.seed);
  const Tensor samples = generate_all(*trained.recipe, trained.recipe->latent(options.count, random));
  if (!options.each.empty()) write_each(samples, options.each);
  if (!options.each.empty() && options.out.empty()) return exit_done;

  const std::string out = options.out.empty() ? "samples.png" : options.out;
  gan::write_png(out, gan::picture(samples, options.columns));
  std::cout << out << '\n';
  return exit_done;
}

}  // namespace

Command sample_command(CLI::App& root) {
  const auto options = std::make_shared<SampleOptions>();
  CLI::App* app = root.add_subcommand("sample", "New pictures from a trained generator");
  app->add_option("RUN", options->run, "A run folder, or one of its checkpoints")->required();
  app->add_option("--count", options->count, "How many")->capture_default_str()->check(CLI::Range(1, 1000000));
  app->add_option("--seed", options->seed, "Another seed, other pictures")->capture_default_str();
  app->add_option("--out", options->out, "The grid of all of them; samples.png when left out");
  app->add_option("--columns", options->columns, "Columns of the grid; a square when left out")
      ->check(CLI::Range(1, 10000));
  app->add_option("--each", options->each, "A folder for one PNG per sample (then a grid only with --out)");
  app->add_flag("--raw", options->raw, "The weights of the last step, not their moving average");
  app->footer(
      "Examples:\n"
      "  forger sample runs/dcgan --count 16 --seed 3 --out sixteen.png\n"
      "  forger sample runs/dcgan --count 1000 --each fakes\n"
      "  forger sample runs/dcgan/checkpoints/step-000500.safetensors --out early.png");
  return {app, [options] { return sample(*options); }};
}

}  // namespace forger::apps
