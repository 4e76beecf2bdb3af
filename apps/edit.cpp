// forger edit: pictures changed in the noise that they are made from. A picture of one's own is first projected there
// (gan/latent.h); then it moves towards a class, or along what the generator's pictures answer to most
// (metrics/directions.h); or all of that can be tried on a page with sliders.
#include <iostream>
#include <optional>
#include <sstream>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "core/ops.h"
#include "gan/chart.h"
#include "gan/data/images.h"
#include "gan/html.h"
#include "gan/picture_file.h"
#include "metrics/directions.h"

namespace forger::apps {
namespace {

struct EditOptions {
  Use use;
  std::string image, towards, out = "edit.png", page;
  std::vector<std::string> words;
  int64_t direction = 0, count = 8;  // direction 0: none
  std::optional<double> amount;
  gan::InversionOptions inversion;
};

// A trained generator, and what it draws for the pictures that are edited.
struct Studio {
  gan::Trained trained;
  gan::View view;
  gan::Batch from;   // "z" and what else is drawn
  Tensor originals;  // what it makes of that, (N, H, W, C)

  Tensor z() const { return to(from["z"], Device::cpu); }
  Tensor make(const Tensor& z) { return to(make_all(*trained.recipe, view, gan::with_latent(from, z)), Device::cpu); }
  // The pictures, moved by each amount: amounts.size() tensors.
  std::vector<Tensor> frames(const Tensor& direction, const std::vector<double>& amounts) {
    std::vector<Tensor> all;
    for (const double amount : amounts) all.push_back(make(gan::moved(z(), direction, amount)));
    return all;
  }
};

// A picture per row and frame, and columns for what comes first.
gan::Image rows_of_frames(const std::vector<Tensor>& columns) {
  std::vector<Tensor> cells;
  for (int64_t row = 0; row < columns.front().size(0); row++)
    for (const Tensor& column : columns) cells.push_back(slice(column, 0, row, row + 1));
  return gan::picture(concat(cells, 0), std::ssize(columns));
}

Random random_for(const EditOptions& options, uint64_t stream) {
  return Random(static_cast<uint64_t>(options.use.seed), stream);
}

// What is edited: the picture given, projected, which is said and shown; or samples.
Studio open_studio(const EditOptions& options, Terminal& terminal, std::vector<Tensor>& shown) {
  Studio studio{.trained = load(options.use), .view = {}, .from = {}, .originals = {}};
  gan::Recipe& recipe = *studio.trained.recipe;
  studio.view = gan::sampling_view(recipe);
  const gan::Columns columns = gan::read_columns(studio.trained.settings.text("columns"));
  const gan::Column* like = gan::find_column(columns, studio.view.like);
  check<UsageError>(like != nullptr && like->sample.rank() == 3,
                    "this run makes no pictures: there is nothing to edit");
  if (options.image.empty()) {
    Random random = sampling_random(options.use.seed);
    studio.from = studio.view.draw(options.count, random);
    check<UsageError>(studio.from.has("z"), "this run's samples are made from no z that could be moved");
    set_words(studio.from, options.words, studio.trained.settings);
    studio.originals = studio.make(studio.z());
    return studio;
  }
  const Shape& sample = like->sample;
  const Tensor picture({1, sample[0], sample[1], sample[2]}, DType::f32);
  read_sample(options.image, studio.trained.settings, sample, picture.data<float>());
  gan::View drawing = studio.view;
  drawing.draw = [&](int64_t n, Random& random) {
    gan::Batch drawn = studio.view.draw(n, random);
    set_words(drawn, options.words, studio.trained.settings);
    return drawn;
  };
  Random random = random_for(options, /*stream=*/0x696e76657274);  // "invert"
  const gan::Inverted found =
      gan::invert(recipe, drawing, picture, options.inversion, random,
                  [&](int64_t done, int64_t total) { terminal.work("looking for " + options.image, done, total); });
  terminal.finish();
  std::cout << options.image << ": projected, PSNR " << std::round(10 * found.psnr) / 10 << " dB\n";
  studio.from = found.from;
  studio.originals = found.made;
  shown.push_back(picture);
  return studio;
}

// ---- towards a class ----

struct Towards {
  Tensor direction;
  int64_t target;
  std::shared_ptr<const metrics::Judge> judge;
};

Towards find_towards(const EditOptions& options, Studio& studio, Terminal& terminal) {
  constexpr int64_t samples = 2000;
  const auto images = [&](gan::Subset subset) {
    return gan::images_of(gan::data_of(studio.trained.settings, subset), studio.view.like);
  };
  const gan::DataSetPtr train = images(gan::Subset::train);
  Towards found;
  std::string names;
  for (found.target = 0; found.target < train->classes(); found.target++) {
    const std::string& name = train->class_name(found.target);
    if (name == options.towards) break;
    names += (names.empty() ? "" : ", ") + name;
  }
  check<UsageError>(found.target < train->classes(), "--towards: ", train->name(), " has no class '", options.towards,
                    names.empty() ? "'" : "'; there are: " + names);
  found.judge = metrics::Judge::of(
      train, images(gan::Subset::test), /*seed=*/0, /*cache=*/"",
      [&](int64_t done, int64_t total) { terminal.work("training the built-in judge", done, total); });
  terminal.work("sampling", 0, samples);
  Random random = random_for(options, metrics::judged_stream);
  const gan::Batch drawn = studio.view.draw(samples, random);
  const Tensor made = to(make_all(*studio.trained.recipe, studio.view, drawn), Device::cpu);
  found.direction =
      metrics::towards_class(drawn["z"], metrics::classes_of(*found.judge, made), found.target, options.towards);
  terminal.finish();
  return found;
}

// How far each picture has to go until the judge takes it for the class: the first of sixteen steps up to twice the
// length of z; the last one where it never does.
std::vector<double> amounts_until(const Towards& towards, Studio& studio) {
  constexpr int64_t steps = 16;
  const double length = std::sqrt(static_cast<double>(studio.z().size(1)));  // of a normal z
  std::vector<double> amounts(static_cast<size_t>(studio.z().size(0)), 2 * length);
  for (int64_t step = steps; step >= 0; step--) {
    const double amount = 2 * length * static_cast<double>(step) / steps;
    const auto classes = metrics::classes_of(*towards.judge, studio.frames(towards.direction, {amount}).front());
    for (size_t i = 0; i < classes.size(); i++)
      if (classes[i] == towards.target) amounts[i] = amount;
  }
  return amounts;
}

// z, each row moved by its own amount times a share.
Tensor moved_each(const Tensor& z, const Tensor& direction, const std::vector<double>& amounts, double share) {
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < z.size(0); i++)
    rows.push_back(gan::moved(slice(z, 0, i, i + 1), direction, share * amounts[static_cast<size_t>(i)]));
  return concat(rows, 0);
}

void edit_towards(const EditOptions& options, const Towards& towards, Studio& studio, std::vector<Tensor>& shown) {
  const auto of_class = [&](const Tensor& pictures) {
    return std::ranges::count(metrics::classes_of(*towards.judge, pictures), towards.target);
  };
  const std::vector<double> amounts =
      options.amount ? std::vector<double>(static_cast<size_t>(studio.z().size(0)), *options.amount)
                     : amounts_until(towards, studio);
  for (const double share : {1.0 / 3, 2.0 / 3, 1.0})
    shown.push_back(studio.make(moved_each(studio.z(), towards.direction, amounts, share)));
  double mean_amount = 0;
  for (const double amount : amounts) mean_amount += amount / static_cast<double>(amounts.size());
  std::cout << options.towards << ": the judge finds it in " << of_class(shown.back()) << " of " << amounts.size()
            << (amounts.size() == 1 ? " picture" : " pictures") << ", before the edit in " << of_class(studio.originals)
            << "; moved by " << std::round(10 * mean_amount) / 10 << (options.amount ? "\n" : " on average\n");
}

// ---- along the principal directions ----

constexpr double usual_amount = 3;  // along a direction of length 1 a normal z seldom lies further out

Tensor principal(int64_t count, const EditOptions& options, Studio& studio, Terminal& terminal) {
  Random random = random_for(options, /*stream=*/0x6a61636f6269);  // "jacobi"
  const Tensor all = metrics::principal_directions(
      *studio.trained.recipe, studio.view, count, random,
      [&](int64_t done, int64_t total) { terminal.work("looking for directions", done, total); });
  terminal.finish();
  return all;
}

Tensor row_of(const Tensor& directions, int64_t k) {
  return reshape(slice(directions, 0, k, k + 1), {directions.size(1)});
}

std::vector<double> either_way(double amount, int64_t frames) {
  std::vector<double> amounts;
  for (int64_t i = 0; i < frames; i++)
    amounts.push_back(amount * (2 * static_cast<double>(i) / static_cast<double>(frames - 1) - 1));
  return amounts;
}

// ---- the page ----

constexpr const char* dial_style = R"(
.dial{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.8rem;margin-bottom:1rem}
.dial .now{max-width:280px}.dial input{width:100%}
.strip{grid-template-columns:repeat(auto-fill,minmax(64px,1fr))}
)";

// Without it all frames are there all the same.
constexpr const char* dial_script = R"(
for(const dial of document.querySelectorAll('.dial')){
  const frames=[...dial.querySelectorAll('.strip figure')],slider=dial.querySelector('input');
  const show=i=>{slider.value=i;dial.querySelector('.now img').src=frames[i].querySelector('img').src;
    dial.querySelector('output').textContent=frames[i].querySelector('figcaption').textContent};
  slider.oninput=()=>show(+slider.value);
  frames.forEach((f,i)=>f.onclick=()=>show(i));
  dial.querySelector('.now').hidden=false;show(frames.findIndex(f=>f.querySelector('figcaption').textContent=='0'));
}
)";

void write_dial(std::ostream& body, const std::string& name, Studio& studio, const Tensor& direction,
                const std::vector<double>& amounts) {
  body << "<div class='dial'><h2>" << gan::escape_html(name) << "</h2><div class='now' hidden><img alt=''>"
       << "<label>moved by <output></output><input type='range' min='0' max='" << amounts.size() - 1
       << "'></label></div><div class='strip'>";
  const std::vector<Tensor> frames = studio.frames(direction, amounts);
  for (size_t i = 0; i < frames.size(); i++)
    body << "<figure><img alt='' src='" << gan::png_uri_of(gan::encode_png(gan::picture(frames[i]))) << "'><figcaption>"
         << std::round(10 * amounts[i]) / 10 << "</figcaption></figure>";
  body << "</div></div>";
}

void write_page(const EditOptions& options, const Towards* towards, Studio& studio, Terminal& terminal) {
  constexpr int64_t frames = 13, most = 8;
  const double amount = options.amount.value_or(usual_amount);
  const Tensor directions = principal(std::min(most, studio.z().size(1)), options, studio, terminal);
  std::ostringstream body;
  body << "<p class='lead'>" << gan::escape_html(options.image.empty() ? "samples" : options.image)
       << ", moved in the noise that " << gan::escape_html(options.use.run) << " makes them from</p>";
  if (towards != nullptr)
    write_dial(body, "towards " + options.towards, studio, towards->direction, either_way(3 * amount, frames));
  for (int64_t k = 0; k < directions.size(0); k++)
    write_dial(body, text("direction ", k + 1), studio, row_of(directions, k), either_way(amount, frames));
  write_file(options.page, gan::html_page("Edits", body.str(), dial_style, dial_script));
  std::cout << options.page << '\n';
}

int edit(const EditOptions& options) {
  check<UsageError>(
      !options.image.empty() || !options.towards.empty() || options.direction > 0 || !options.page.empty(),
      "nothing is asked for: --image FILE projects a picture, --towards CLASS, --direction K and --page FILE edit it, "
      "or samples");
  check_picture_name("--out", options.out);
  Terminal terminal;
  std::vector<Tensor> shown;  // columns of the picture
  Studio studio = open_studio(options, terminal, shown);
  check_not_data("--out", options.out, studio.trained.settings);
  std::optional<Towards> towards;
  if (!options.towards.empty()) towards = find_towards(options, studio, terminal);
  if (!options.page.empty()) write_page(options, towards ? &*towards : nullptr, studio, terminal);
  if (options.direction > 0) {
    const Tensor direction = row_of(principal(options.direction, options, studio, terminal), options.direction - 1);
    for (const Tensor& frame :
         studio.frames(direction, either_way(options.amount.value_or(usual_amount), /*frames=*/5)))
      shown.push_back(frame);
  } else {
    shown.push_back(studio.originals);
    if (towards) edit_towards(options, *towards, studio, shown);
  }
  write_picture(options.out, rows_of_frames(shown));
  return exit_done;
}

}  // namespace

Command edit_command(CLI::App& root) {
  const auto options = std::make_shared<EditOptions>();
  CLI::App* app = root.add_subcommand("edit", "A picture projected into a generator's noise, and changed there");
  add_use(*app, options->use, "Another seed, other samples and other starts");
  add_data(*app, options->use.place);
  CLI::Option* image =
      app->add_option("--image", options->image, "The picture; samples are edited when left out")->option_text("FILE");
  app->add_option("--count", options->count, "Samples that are edited")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000))
      ->excludes(image);
  app->add_option("--set", options->words, "What is drawn is given instead, as label=Coat")->type_name("COLUMN=WORD");
  app->add_option("--starts", options->inversion.starts, "Descents to the picture; the best one counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app->add_option("--steps", options->inversion.steps, "Steps of each")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  CLI::Option* towards =
      app->add_option("--towards", options->towards, "A class: as far as the built-in judge needs to find it")
          ->option_text("CLASS");
  app->add_option("--direction", options->direction, "The K-th principal direction of the generator, from 1 on")
      ->option_text("K")
      ->check(CLI::Range(1, 65536))
      ->excludes(towards);
  app->add_option("--amount", options->amount, "How far, in standard deviations of the noise")
      ->check(CLI::Range(-1000.0, 1000.0));
  app->add_option("--page", options->page, "A page with a slider for each direction")->option_text("FILE.html");
  app->add_option("--out", options->out, "The picture: original, projection, edits")->capture_default_str();
  app->footer(
      "Examples:\n"
      "  forger edit runs/dcgan --image boot.png                          what of it the generator can make\n"
      "  forger edit runs/dcgan --image boot.png --towards Sandal --out sandal.png\n"
      "  forger edit runs/dcgan --direction 1 --amount 2 --count 4\n"
      "  forger edit runs/dcgan --count 1 --page edit.html");
  return {app, [options] { return edit(*options); }};
}

}  // namespace forger::apps
