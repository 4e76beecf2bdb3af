// forger roll: what a system that makes the next frame makes of its own frames, ten times over, beside the truth: a
// moving picture, and how far each frame is from the truth where nothing moving would be, too.
#include <iostream>

#include "apps/common.h"
#include "core/file.h"
#include "core/ops.h"
#include "gan/film.h"
#include "gan/rollout.h"

namespace forger::apps {
namespace {

struct RollOptions {
  Use use;
  std::string view, out = "roll.gif";
  int64_t count = 64, first = 0, shown = 8;
};

constexpr const char* truth_column = "later";  // of the rows that are held out

gan::View chosen_view(gan::Recipe& recipe, const std::string& name, const gan::Columns& columns) {
  if (!name.empty()) {
    const gan::View view = gan::view_of(recipe, name);
    check<UsageError>(gan::makes_next_frame(view, columns), "--view '", name, "' makes no next frame from past ones");
    return view;
  }
  for (const gan::View& view : recipe.views())
    if (gan::makes_next_frame(view, columns)) return view;
  throw UsageError("this system makes no next frame from past ones; pix2pix does on --data frames:SET");
}

// Truth and what was made side by side, a row for each film, after the past frames, which are the same on either side.
std::vector<gan::Image> drawn(const Tensor& past, const Tensor& made, const Tensor& truth, int64_t channels) {
  std::vector<gan::Image> images;
  const auto add = [&](const Tensor& left, const Tensor& right, int64_t k) {
    const auto frame = [&](const Tensor& film) { return slice(film, 3, k * channels, (k + 1) * channels); };
    images.push_back(gan::grid(concat(std::vector<Tensor>{frame(left), frame(right)}, 2), /*columns=*/1));
  };
  for (int64_t k = 0; k < past.size(3) / channels; k++) add(past, past, k);
  for (int64_t k = 0; k < truth.size(3) / channels; k++) add(truth, made, k);
  return images;
}

int roll(const RollOptions& options) {
  gan::check_film_name("--out", options.out);
  gan::Trained trained = load(options.use);
  check_not_data("--out", options.out, trained.settings);
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  const gan::View view = chosen_view(*trained.recipe, options.view, columns);
  const gan::DataSetPtr data = gan::data_of(trained.settings, gan::Subset::test);
  const int64_t channels = gan::find_column(columns, view.like)->sample[2];
  const gan::Column* later = gan::find_column(data->columns(), truth_column);
  check<UsageError>(later != nullptr, data->name(), " does not know what comes ", truth_column, "; frames:SET does");
  check<UsageError>(options.first < data->count(), "--first ", options.first, ": ", data->name(), " holds out ",
                    data->count(), " rows");
  const int64_t count = std::min(options.count, data->count() - options.first);
  const gan::Batch rows = gan::read_rows(*data, options.first, count, {view.given.front(), truth_column});
  const Tensor &past = rows[view.given.front()], &truth = rows[truth_column];
  Random random = sampling_random(options.use.seed);
  const Tensor made = gan::rolled(*trained.recipe, view, past, truth.size(3) / channels, random);

  const gan::RolloutErrors errors = gan::rollout_errors(past, made, truth, channels);
  std::cout << "frame   l1       l1 if nothing moved\n";
  for (size_t k = 0; k < errors.l1.size(); k++) {
    char line[64];
    std::snprintf(line, sizeof line, "%-6zu  %-7.4f  %.4f\n", k + 1, errors.l1[k], errors.l1_still[k]);
    std::cout << line;
  }
  const int64_t shown = std::min(options.shown, count);
  const auto top = [&](const Tensor& films) { return slice(films, 0, 0, shown); };
  constexpr double per_second = 5;
  write_file(options.out, gan::encode_film(options.out, drawn(top(past), top(made), top(truth), channels), per_second));
  std::cout << options.out << ": " << shown << (shown == 1 ? " film" : " films") << ", the truth on the left\n";
  return exit_done;
}

}  // namespace

Command roll_command(CLI::App& root) {
  const auto options = std::make_shared<RollOptions>();
  CLI::App* app = root.add_subcommand("roll", "Frames from frames from frames, beside the truth");
  add_use(*app, options->use, "Another seed, other noise");
  add_data(*app, options->use.place);
  app->add_option("--view", options->view, "Which view; the first that makes a next frame when left out")
      ->option_text("VIEW");
  app->add_option("--count", options->count, "Films that are measured")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app->add_option("--first", options->first, "From which of those held out on")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app->add_option("--shown", options->shown, "So many of them are drawn")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app->add_option("--out", options->out, "The film: .gif, .png (animated) or, by ffmpeg, .mp4")
      ->option_text("FILE")
      ->capture_default_str();
  app->footer(
      "Example:\n"
      "  forger train pix2pix --data frames:fashion-mnist --out runs/frames\n"
      "  forger roll runs/frames --out roll.gif");
  return {app, [options] { return roll(*options); }};
}

}  // namespace forger::apps
