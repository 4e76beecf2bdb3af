// forger theory: the figures of gan/theory.h as SVG and CSV, and on one page.
#include <filesystem>
#include <iostream>
#include <sstream>

#include "apps/common.h"
#include "apps/terminal.h"
#include "core/file.h"
#include "gan/chart.h"
#include "gan/html.h"
#include "gan/theory.h"

namespace forger::apps {
namespace {

namespace fs = std::filesystem;

int theory(gan::TheoryOptions options, const std::string& out) {
  const gan::Requests& asked = watch_signals();
  fs::create_directories(out);
  Terminal terminal;
  options.ticker = [&](int64_t done, int64_t total) {
    if (asked.stop) throw Interrupted();
    terminal.work("training optimal discriminators", done, total);
  };
  std::ostringstream body;
  for (const gan::Plot& plot : gan::theory_plots(options)) {
    const fs::path file = fs::path(out) / plot.name;
    const std::string svg = gan::svg_of(plot);
    write_file(file.string() + ".svg", svg);
    write_file(file.string() + ".csv", gan::csv_of(plot));
    body << "<h2>" << gan::escape_html(plot.title) << "</h2><p>" << gan::escape_html(plot.caption) << "</p>" << svg;
  }
  terminal.finish();
  const std::string page = fs::path(out) / "theory.html";
  write_file(page, gan::html_page("The theory, drawn", body.str(), "svg{max-width:760px;display:block}"));
  std::cout << page << '\n';
  return exit_done;
}

}  // namespace

Command theory_command(CLI::App& root) {
  struct Asked {
    gan::TheoryOptions options;
    int64_t seed = 0;
    std::string out = "runs/theory";
  };
  const auto asked = std::make_shared<Asked>();
  CLI::App* app = root.add_subcommand("theory", "What theory says, drawn beside trained optimal discriminators");
  app->add_option("--out", asked->out, "Folder of the figures (SVG, CSV) and of theory.html")->capture_default_str();
  app->add_option("--steps", asked->options.steps, "Training steps of each discriminator")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app->add_option("--seed", asked->seed, "Other first weights")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()));
  app->footer("Example:\n  forger theory --out theory      minutes; then look at theory/theory.html");
  return {app, [asked] {
            asked->options.seed = static_cast<uint64_t>(asked->seed);
            return theory(asked->options, asked->out);
          }};
}

}  // namespace forger::apps
