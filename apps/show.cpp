// forger show: any view of a trained system (gan/recipe.h), as a picture: what it was given, what it made, and the
// truth where that is known. `forger sample` is the first one that needs no data.
#include <iostream>

#include "apps/common.h"
#include "gan/words.h"

namespace forger::apps {
namespace {

struct ShowOptions {
  Use use;
  std::string view, out, data;
  std::vector<std::string> words;
  int64_t count = 16, columns = 0, first = 0;
};

// The data that a view starts from: what the run holds out, or another set with such columns.
gan::DataSetPtr held_out(const ShowOptions& options, const gan::Settings& settings) {
  if (options.data.empty()) return gan::data_of(settings, gan::Subset::test);
  return gan::open_data(options.data, gan::data_options(settings), gan::Subset::test);
}

// Rows of what a view is given, and of what is shown beside it.
void add_rows(gan::Batch& from, const gan::View& view, const ShowOptions& options, const gan::Settings& settings) {
  const gan::DataSetPtr data = held_out(options, settings);
  const gan::Columns trained = gan::read_columns(settings.text("columns"));
  for (const std::string& name : view.given) {
    const gan::Column *here = gan::find_column(data->columns(), name), *there = gan::find_column(trained, name);
    check<UsageError>(here != nullptr, "the view ", view.name, " needs ", name, "; ", data->name(), " has ",
                      gan::names_of(data->columns()));
    check<UsageError>(there == nullptr || here->sample == there->sample, name, " of ", data->name(), " is ",
                      here->sample, ", and the run was trained on ", there == nullptr ? Shape{} : there->sample);
  }
  check<UsageError>(options.first + options.count <= data->count(), "--first ", options.first, " --count ",
                    options.count, ": ", data->name(), " holds out ", data->count(), " rows");
  const gan::Batch rows = gan::read_rows(*data, options.first, options.count, gan::columns_of(view));
  for (const auto& [name, tensor] : rows.tensors) from.add(name, tensor);
}

int list_views(gan::Recipe& recipe) {
  for (const gan::View& view : recipe.views()) {
    std::string from = view.draw ? "noise" : "";
    for (const std::string& given : view.given) from += (from.empty() ? "" : " and ") + given;
    std::cout << view.name << ": from " << from << (view.like.empty() ? "" : ", like " + view.like) << '\n';
  }
  return exit_done;
}

int show(const ShowOptions& options) {
  gan::Trained trained = load(options.use);
  if (options.view.empty()) return list_views(*trained.recipe);
  const gan::View view = gan::view_of(*trained.recipe, options.view);
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  const gan::Column* words = gan::find_words(columns, view.like);
  const std::string out = options.out.empty() && words == nullptr ? "view.png" : options.out;
  if (words == nullptr) check_picture_name("--out", out);
  check_not_data("--out", out, trained.settings);
  gan::Batch from;
  Random random = sampling_random(options.use.seed);
  if (view.draw) from = view.draw(options.count, random);
  if (!view.given.empty()) add_rows(from, view, options, trained.settings);
  set_words(from, options.words, trained.settings);
  if (words != nullptr) {
    write_words(options.out, *words, *trained.recipe, view, from);
    return exit_done;
  }
  std::vector<gan::Batch> parts;
  make_in_parts(*trained.recipe, view, from,
                [&](const gan::Batch& rows, const gan::Batch& made) { parts.push_back(gan::shown(view, rows, made)); });
  write_picture(out, gan::picture(gan::joined(parts), options.columns));
  return exit_done;
}

}  // namespace

Command show_command(CLI::App& root) {
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* app = root.add_subcommand("show", "A view of a trained system, on data that it was not trained on");
  add_use(*app, options->use, "Another seed, other noise");
  app->add_option("VIEW", options->view, "Which one; their list when left out");
  app->add_option("--data", options->data, "Other data than what the run holds out, with the columns that it needs")
      ->option_text("DATA");
  app->add_option("--count", options->count, "How many rows")->capture_default_str()->check(CLI::Range(1, 100000));
  app->add_option("--first", options->first, "From which row of the data on")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app->add_option("--columns", options->columns, "Columns of the grid; a square when left out")
      ->check(CLI::Range(1, 10000));
  app->add_option("--set", options->words, "What is drawn is given instead, as label=Coat")->type_name("COLUMN=WORD");
  app->add_option("--out", options->out, "The picture; view.png when left out, - for standard output, where words go");
  app->footer(
      "Examples:\n"
      "  forger show runs/pix2pix                        which views there are\n"
      "  forger show runs/pix2pix translate --count 8    source, translation and truth, side by side\n"
      "  forger show runs/vae reconstruct --data folder:photos");
  return {app, [options] { return show(*options); }};
}

}  // namespace forger::apps
