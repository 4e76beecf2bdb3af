// forger neighbours: samples beside the training images nearest to them. A copy shows at a glance, also when it was
// moved by a few pixels or mirrored.
#include <iostream>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "core/ops.h"
#include "metrics/extractor.h"
#include "metrics/memorisation.h"

namespace forger::apps {
namespace {

struct NeighboursOptions {
  Use use;
  std::string out = "neighbours.png";
  int64_t count = 10, nearest = 5;
};

int neighbours(const NeighboursOptions& options) {
  Terminal terminal;
  check_picture_name("--out", options.out);
  gan::Trained trained = load(options.use);
  Random random = sampling_random(options.use.seed);
  const gan::View view = gan::sampling_view(*trained.recipe);
  const Tensor samples = to(make_all(*trained.recipe, view, view.draw(options.count, random)), Device::cpu);
  const gan::DataSetPtr data = gan::data_of(trained.settings);
  const Tensor train = metrics::as_tensor(metrics::pictures_of(data, data->name()), 0, data->count());
  constexpr int64_t shift = 3;
  const auto nearest = metrics::nearest_images(
      samples, train, options.nearest, shift,
      [&](int64_t done, int64_t total) { terminal.work("comparing with " + data->name(), done, total); });
  std::vector<Tensor> cells;
  for (int64_t i = 0; i < options.count; i++) {
    cells.push_back(slice(samples, 0, i, i + 1));
    for (const metrics::Neighbour& neighbour : nearest[static_cast<size_t>(i)])
      cells.push_back(slice(train, 0, neighbour.row, neighbour.row + 1));
  }
  write_picture(options.out, gan::picture(concat(cells, 0), options.nearest + 1),
                ": samples in the first column, then the training images nearest to each");
  if (!is_replaceable(options.out)) return exit_done;
  for (int64_t i = 0; i < options.count; i++)
    std::cout << "  sample " << i << ": image " << nearest[static_cast<size_t>(i)].front().row << " at "
              << nearest[static_cast<size_t>(i)].front().distance << " (root mean square, of 2)\n";
  return exit_done;
}

}  // namespace

Command neighbours_command(CLI::App& root) {
  const auto options = std::make_shared<NeighboursOptions>();
  CLI::App* app = root.add_subcommand("neighbours", "Samples beside their nearest training images");
  add_use(*app, options->use, "Another seed, other samples");
  add_data(*app, options->use.place);
  app->add_option("--count", options->count, "Samples: rows of the picture")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app->add_option("--nearest", options->nearest, "Training images beside each")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app->add_option("--out", options->out, "The picture")->capture_default_str();
  app->footer("Example:\n  forger neighbours runs/dcgan --count 12 --nearest 6 --out neighbours.png");
  return {app, [options] { return neighbours(*options); }};
}

}  // namespace forger::apps
