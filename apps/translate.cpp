// forger translate: a folder of pictures through a view that makes pictures from pictures; what comes out has the
// name of what went in, as PNG. Where the pictures of a run are spectra, a folder of sounds, as WAV.
#include <filesystem>
#include <iostream>
#include <set>

#include "apps/common.h"
#include "apps/terminal.h"
#include "gan/data/picture_folder.h"
#include "gan/picture_file.h"
#include "gan/sound_file.h"
#include "gan/sound_translation.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;

struct TranslateOptions {
  Use use;
  std::string view, in, out;
  std::vector<std::string> words;
  int passes = 0;
  bool force = false;
};

bool is_image(const gan::Columns& columns, const std::string& name) {
  const gan::Column* column = gan::find_column(columns, name);
  return column != nullptr && column->sample.rank() == 3;
}

bool translates(const gan::View& view, const gan::Columns& columns) {
  return view.given.size() == 1 && is_image(columns, view.given.front()) && is_image(columns, view.like);
}

gan::View chosen_view(gan::Recipe& recipe, const std::string& name, const gan::Columns& columns) {
  std::string names;
  for (const gan::View& view : recipe.views()) {
    if (!translates(view, columns)) continue;
    if (name.empty() || view.name == name) return view;
    names += (names.empty() ? "" : ", ") + view.name;
  }
  check<UsageError>(!names.empty(), "this system makes no pictures from pictures");
  throw UsageError(text("--view '", name, "' makes no pictures from pictures; there are: ", names));
}

struct Work {
  std::string from, into;
};

// What becomes what: all of it is known, and nothing in the way, before the first picture is written.
std::vector<Work> plan(const TranslateOptions& options, bool sounds) {
  check<UsageError>(fs::is_directory(options.in), "--in: no folder '", options.in, "'");
  check<UsageError>(!gan::lies_in(options.in, options.out) && !gan::lies_in(options.out, options.in), "--out '",
                    options.out, "' and --in are one folder, or one lies in the other: name another");
  const std::string what = sounds ? "sound" : "picture";
  const gan::FolderScan found = sounds ? gan::scan_sounds(options.in) : gan::scan_pictures(options.in);
  check<UsageError>(!found.files.empty(), "--in: no ", what, " in '", options.in, "' (",
                    sounds ? "WAV, FLAC, Ogg; this run is of sounds" : "PNG, JPEG, WebP, GIF, BMP", ")",
                    found.about_left_out());
  const std::string ending = sounds ? ".wav" : ".png";
  std::vector<Work> all;
  std::set<fs::path> taken;
  for (const std::string& file : found.files) {
    const fs::path into = (options.out / fs::path(file).lexically_relative(options.in)).replace_extension(ending);
    check<UsageError>(taken.insert(into).second, "two ", what, "s in '", options.in, "' would become ", into.string(),
                      ": give them names that differ in more than their ending");
    check<UsageError>(options.force || !fs::exists(into), "'", into.string(),
                      "' is there already: name another folder, or replace what is there with --force");
    all.push_back({file, into.string()});
  }
  return all;
}

using Drawn = std::function<gan::Batch(int64_t rows)>;  // a view's noise, and the words that are given instead
using Ticker = std::function<void(int64_t done)>;

void translate_pictures(gan::Trained& trained, const gan::View& view, const Shape& sample,
                        const std::vector<Work>& work, const Drawn& drawn, const Ticker& ticker) {
  constexpr int64_t made_at_once = 64;
  const auto total = std::ssize(work);
  for (int64_t first = 0; first < total; first += made_at_once) {
    const int64_t rows = std::min(made_at_once, total - first);
    ticker(first);
    gan::Batch from = drawn(rows);
    const Tensor pictures({rows, sample[0], sample[1], sample[2]}, DType::f32);
    for (int64_t i = 0; i < rows; i++)
      read_sample(work[static_cast<size_t>(first + i)].from, trained.settings, sample,
                  pictures.data<float>() + i * sample.numel());
    const Tensor made =
        to(trained.recipe->make(view, from.add(view.given.front(), pictures)).tensors.front().tensor, Device::cpu);
    for (int64_t i = 0; i < rows; i++) {
      const std::string& into = work[static_cast<size_t>(first + i)].into;
      fs::create_directories(fs::path(into).parent_path());
      gan::write_png(into, gan::grid(slice(made, 0, i, i + 1), 1));
    }
  }
}

void translate_sounds(gan::Trained& trained, const gan::View& view, const Shape& sample, const std::vector<Work>& work,
                      const Drawn& drawn, int passes, const Ticker& ticker) {
  for (int64_t done = 0; const auto& [from, into] : work) {
    ticker(done++);
    const gan::Sound made = gan::translated(*trained.recipe, view, sample, gan::read_sound(from), drawn, passes);
    fs::create_directories(fs::path(into).parent_path());
    gan::write_wav(into, made);
  }
}

int translate(const TranslateOptions& options) {
  gan::Trained trained = load(options.use);
  check_not_data("--out", options.out, trained.settings);
  const gan::Columns columns = gan::read_columns(trained.settings.text("columns"));
  const gan::View view = chosen_view(*trained.recipe, options.view, columns);
  const Shape sample = gan::find_column(columns, view.given.front())->sample;
  const bool sounds = gan::translates_sound(view, columns);
  const std::vector<Work> work = plan(options, sounds);

  Terminal terminal;
  Random random = sampling_random(options.use.seed);
  const auto drawn = [&](int64_t rows) {
    gan::Batch from;
    if (view.draw) from = view.draw(rows, random);
    set_words(from, options.words, trained.settings);
    return from;
  };
  const auto total = std::ssize(work);
  const auto ticker = [&](int64_t done) { terminal.work("translating " + options.in, done, total); };
  if (sounds) translate_sounds(trained, view, sample, work, drawn, options.passes, ticker);
  if (!sounds) translate_pictures(trained, view, sample, work, drawn, ticker);
  terminal.finish();
  std::cout << options.out << ": " << total << (sounds ? " sound" : " picture") << (total == 1 ? ", " : "s, ")
            << view.name << '\n';
  return exit_done;
}

}  // namespace

Command translate_command(CLI::App& root) {
  const auto options = std::make_shared<TranslateOptions>();
  CLI::App* app = root.add_subcommand("translate", "A folder of pictures, or of sounds, through a trained translator");
  add_use(*app, options->use, "Another seed, other noise");
  app->add_option("--in", options->in, "The pictures or sounds; sub-folders are searched, too")
      ->option_text("DIR")
      ->required();
  app->add_option("--out", options->out, "Where they go, under the same names")->option_text("DIR")->required();
  app->add_option("--view", options->view, "Which translation; the first one when left out (forger show RUN)");
  app->add_option("--set", options->words, "What is drawn is given instead, as label=negative")
      ->type_name("COLUMN=WORD");
  app->add_option("--passes", options->passes,
                  "Of sounds: passes of Griffin-Lim from the phase that they had; 0, which keeps it, is best for noise")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  app->add_flag("--force", options->force, "Replace what --out holds of these names");
  app->footer(
      "Examples:\n"
      "  forger translate runs/pix2pix --in sketches --out drawn\n"
      "  forger translate runs/cyclegan --in photos --out back --view b-to-a\n"
      "  forger translate runs/speech --in noisy --out clean");
  return {app, [options] { return translate(*options); }};
}

}  // namespace forger::apps
