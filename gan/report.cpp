// The report's page: previews through time, one chart per family of scalars, timing, settings.
//
//   metrics.csv, tests.csv, scores.csv --gan/chart.h--> curves
//   evaluation.json, modes.png, sanity.svg, steganography.svg: where the run was evaluated; walk.png, where one was made
//   samples/step-*.png --at most 12, first and last among them--> base64; of words, .txt, as they are
#include "gan/report.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"
#include "gan/chart.h"
#include "gan/evaluation_file.h"
#include "gan/html.h"
#include "gan/report_style.h"
#include "gan/run_folder.h"
#include "gan/settings.h"
#include "kernels/kernels.h"

namespace forger::gan {
namespace fs = std::filesystem;
namespace {

constexpr size_t most_previews = 12;

// ---- reading a run folder ----

using Table = std::vector<std::pair<std::string, std::string>>;  // key and value, as text

// A value as a person writes it: text without its quotes, 0.0002 rather than 2e-04.
std::string written(const toml::node& node) {
  std::ostringstream out;
  if (node.is_string())
    out << *node.value<std::string>();
  else if (node.is_floating_point())
    out << *node.value<double>();
  else
    node.visit([&](const auto& each) { out << each; });
  return out.str();
}

// The settings in the order of the file.
Table parse_config(const std::string& toml_text) {
  Table rows;
  try {
    const toml::table file = toml::parse(toml_text);
    std::map<toml::source_index, std::pair<std::string, std::string>> by_line;
    for (const auto& [key, node] : file) {
      by_line[key.source().begin.line] = {std::string(key.str()), written(node)};
    }
    for (auto& [line, row] : by_line)
      if (row.first != "columns") rows.push_back(std::move(row));  // for programs, and long where there are many words
  } catch (const toml::parse_error&) {
    // A file that a person broke: the report goes without.
  }
  return rows;
}

std::string find(const Table& table, const std::string& key) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == key; });
  return found == table.end() ? "" : found->second;
}

// ---- text ----

std::string span_of_time(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return compact(seconds) + " s";
  if (whole < 3600) return text(whole / 60, " min ", whole % 60, " s");
  return text(whole / 3600, " h ", whole % 3600 / 60, " min");
}

// ---- previews ----

std::string previews(const std::string& run_folder) {
  std::ostringstream strip;
  std::string newest;
  size_t count = 0;
  bool words = false;
  for (const std::string& path : evenly(preview_files(run_folder), most_previews)) {
    const std::string step = step_of_preview(path), shown = element_of(path, "samples after step " + step);
    if (shown.empty()) continue;
    newest = step;
    words = shown.starts_with("<pre");
    strip << "<figure>" << shown << "<figcaption>" << newest << "</figcaption></figure>";
    count++;
  }
  if (count == 0) return "<p class='none'>No previews yet.</p>";
  if (words) return "<div class='strip words'>" + strip.str() + "</div>";
  return text("<div class='stage' hidden><img alt='samples'><label>after step <output>", newest,
              "</output><input type='range' min='0' max='", count - 1, "' value='", count - 1,
              "' aria-label='preview'></label></div><div class='strip'>", strip.str(), "</div>");
}

// A walk through the latent space, which moves.
std::string walk(const RunFolder& folder) {
  const std::string film = png_uri(folder.walk());
  if (film.empty()) return "";
  return "<h3>Walks through the latent space</h3><img class='modes' alt='samples that change into each other' src='" +
         film + "'>";
}

// ---- tables ----

std::string table(const Table& rows) {
  std::string html = "<table>";
  for (const auto& [key, value] : rows)
    html += "<tr><th>" + escape_html(key) + "</th><td>" + escape_html(value) + "</td></tr>";
  return html + "</table>";
}

// ---- scores ----

// Best and final of each score of scores.csv: "fcd_best" is the best of "fcd" so far.
Table best_and_final(const MetricsTable& scores) {
  Table rows;
  const std::vector<double>* steps = scores.find("step");
  if (!steps || steps->empty()) return rows;
  for (const std::string& name : scores.names) {
    const std::vector<double>*values = scores.find(name), *best = scores.find(name + best_suffix);
    if (!best) continue;
    const auto at = static_cast<size_t>(std::find(values->begin(), values->end(), best->back()) - values->begin());
    rows.emplace_back(
        name, text("best ", compact(best->back()), " at step ", compact((*steps)[std::min(at, steps->size() - 1)]),
                   ", final ", compact(values->back()), " at step ", compact(steps->back())));
  }
  return rows;
}

// What `forger evaluate` found: a line per metric, and what there is to remark on it. DataError for a damaged file.
Table evaluated(const RunFolder& folder, int64_t* step = nullptr) {
  Table rows;
  const auto found = read_evaluation(folder.evaluation());
  if (!found) return rows;
  for (const Score& score : found->scores)
    rows.emplace_back(to_utf8(score.key()),
                      to_utf8(line_of(score) + (score.remark.empty() ? "" : "; " + score.remark)));
  for (const auto& [name, value] : found->tests) rows.emplace_back(to_utf8(name), compact(value));
  for (const std::string& network : found->seen_by) rows.emplace_back("seen by", to_utf8(network));
  if (step) *step = found->step;
  return rows;
}

// The same and its pictures.
std::string evaluation(const RunFolder& folder) {
  std::string html;
  try {
    int64_t step = 0;
    const Table rows = evaluated(folder, &step);
    if (!rows.empty()) html = text("<p class='none'>After step ", step, ", by forger evaluate:</p>", table(rows));
  } catch (const DataError& error) {
    html = "<p class='none'>" + escape_html(to_utf8(error.what())) + "</p>";
  }
  if (const std::string modes = png_uri(folder.modes()); !modes.empty())
    html +=
        "<h3>Real images that D doubts most (upper half) and is surest of (lower half)</h3><figure><img class='modes' "
        "alt='real images with extreme verdicts' src='" +
        modes +
        "'><figcaption class='none'>What the generator misses is among those that D is surest "
        "of.</figcaption></figure>";
  if (const std::string sanity = file_or_nothing(folder.sanity()); !sanity.empty())
    html += "<h3>How fcd answers to damaged real images</h3>" + sanity;
  if (const std::string cycle = file_or_nothing(folder.steganography()); !cycle.empty())
    html +=
        "<h3>The cycle under noise</h3><figure>" + cycle +
        "<figcaption class='none'>Noise over the picture in between, beside the same noise over the first one. Where "
        "the first breaks the cycle sooner, the way back reads what nobody sees.</figcaption></figure>";
  return html;
}

std::string scores(const RunFolder& folder) {
  const MetricsTable scores = read_metrics(folder.scores());
  constexpr size_t first_id = 1000;
  std::string html = evaluation(folder);
  if (const MetricsTable tests = read_metrics(folder.tests()); tests.rows() > 0)
    html = "<div class='charts'>" + charts(tests, 2 * first_id) + "</div>" + html;
  if (scores.rows() > 0)
    html = "<div class='charts'>" + charts(scores, first_id) + "</div>" + table(best_and_final(scores)) + html;
  return html.empty() ? "" : "<h2>Scores</h2>" + html;
}

// ---- the page ----

Table timing(const MetricsTable& metrics, const Table& config) {
  Table rows;
  const std::vector<double>*steps = metrics.find("step"), *seconds = metrics.find("seconds");
  if (!steps || !seconds || steps->empty()) return rows;
  const double done = steps->back(), time = seconds->back();
  const std::string asked = find(config, "steps");
  rows.emplace_back("steps", compact(done) + (asked.empty() ? "" : " of " + asked));
  rows.emplace_back("training time", span_of_time(time));
  if (time <= 0) return rows;
  rows.emplace_back("per step", compact(1000 * time / done) + " ms");
  rows.emplace_back("steps per second", compact(done / time));
  int64_t batch = 0, critic = 1;
  read_number(find(config, "n_critic"), critic);
  if (read_number(find(config, "batch"), batch))
    rows.emplace_back("real images per second", compact(done * static_cast<double>(batch * critic) / time));
  rows.emplace_back("vector instructions", kernels::simd_level());
  return rows;
}

std::string page(const std::string& run_folder) {
  const RunFolder folder(run_folder);
  const MetricsTable metrics = read_metrics(folder.metrics());
  const Table config = parse_config(file_or_nothing(folder.config()));
  const std::string name = to_utf8(fs::absolute(run_folder).lexically_normal().filename().string());
  const std::string recipe = find(config, "recipe"), data = find(config, "data");
  std::ostringstream body;
  body << "<p class='lead'>" << escape_html(recipe) << (data.empty() ? "" : " on ") << escape_html(data) << "</p>"
       << "<h2>Samples</h2>" << previews(run_folder) << walk(folder) << "<h2>Curves</h2><div class='charts'>"
       << charts(metrics) << "</div>" << scores(folder) << "<div class='tables'><div><h2>Timing</h2>"
       << table(timing(metrics, config)) << "</div><div><h2>Settings</h2>" << table(config) << "</div></div>";
  return html_page(name, body.str(), "", report_script);
}

// ---- several runs ----

struct Run {
  std::string name, path;
  Table config;
};

std::vector<Run> runs_of(const std::vector<std::string>& folders) {
  std::vector<Run> runs;
  std::set<std::string> names;
  for (const std::string& folder : folders) {
    const std::string name = to_utf8(fs::absolute(folder).lexically_normal().filename().string());
    runs.push_back({name, folder, parse_config(file_or_nothing(RunFolder(folder).config()))});
    names.insert(name);
  }
  if (names.size() < runs.size())
    for (Run& run : runs) run.name = to_utf8(run.path);
  return runs;
}

// A row per key, a column per run.
std::string side_by_side(const std::vector<Run>& runs, const std::vector<Table>& tables, bool differing) {
  std::vector<std::string> keys;
  for (const Table& one : tables)
    for (const auto& row : one)
      if (std::find(keys.begin(), keys.end(), row.first) == keys.end()) keys.push_back(row.first);
  std::ostringstream html;
  html << "<table><tr><th></th>";
  for (const Run& run : runs) html << "<th>" << escape_html(run.name) << "</th>";
  html << "</tr>";
  for (const std::string& key : keys) {
    std::ostringstream cells;
    for (const Table& one : tables) cells << "<td>" << escape_html(find(one, key)) << "</td>";
    const bool alike = std::all_of(tables.begin(), tables.end(),
                                   [&](const Table& one) { return find(one, key) == find(tables.front(), key); });
    if (!alike || !differing) html << "<tr><th>" << escape_html(key) << "</th>" << cells.str() << "</tr>";
  }
  return html.str() + "</table>";
}

}  // namespace

std::string comparison_page(const std::vector<std::string>& run_folders) {
  const std::vector<Run> runs = runs_of(run_folders);
  std::ostringstream strip;
  std::vector<Table> settings, scores;
  std::vector<std::pair<std::string, MetricsTable>> curves, score_curves;
  for (const Run& run : runs) {
    const RunFolder folder(run.path);
    const std::vector<std::string> previews = preview_files(run.path);
    strip << "<figure>" << (previews.empty() ? "" : element_of(previews.back(), "samples of " + escape_html(run.name)))
          << "<figcaption>" << escape_html(run.name)
          << (previews.empty() ? "" : ", step " + step_of_preview(previews.back())) << "</figcaption></figure>";
    settings.push_back(run.config);
    score_curves.emplace_back(run.name, read_metrics(folder.scores()));
    scores.push_back(best_and_final(score_curves.back().second));
    for (auto& row : evaluated(folder)) scores.back().push_back(std::move(row));
    curves.emplace_back(run.name, read_metrics(folder.metrics()));
    for (auto& row : timing(curves.back().second, run.config)) scores.back().push_back(std::move(row));
  }
  constexpr size_t first_id = 1000;
  std::string names;
  for (const Run& run : runs) names += (names.empty() ? "" : ", ") + run.name;
  return html_page(names,
                   "<h2>Samples</h2><div class='strip runs'>" + strip.str() + "</div><h2>Scores</h2>" +
                       side_by_side(runs, scores, /*differing=*/false) + "<div class='charts'>" +
                       charts_of_runs(score_curves, first_id) + "</div><h2>Settings that differ</h2>" +
                       side_by_side(runs, settings, /*differing=*/true) + "<h2>Curves</h2><div class='charts'>" +
                       charts_of_runs(curves) + "</div>",
                   ".runs{grid-template-columns:repeat(auto-fit,minmax(min(100%,240px),1fr))}th{width:auto}",
                   report_script);
}

std::vector<std::string> preview_files(const std::string& run_folder) {
  std::vector<std::string> files;
  std::error_code error;  // no such folder yet: no previews
  for (const auto& entry : fs::directory_iterator(fs::path(run_folder) / "samples", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && (name.ends_with(".png") || name.ends_with(".txt")))
      files.push_back(entry.path().string());
  }
  // Steps are padded to six digits, so that longer names are later steps.
  std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return files;
}

std::string step_of_preview(const std::string& path) {
  const std::string stem = fs::path(path).stem().string();
  const size_t digits = stem.find_first_of("123456789");
  return digits == stem.npos ? "0" : stem.substr(digits);
}

void write_report(const std::string& run_folder) { write_file(RunFolder(run_folder).report(), page(run_folder)); }

}  // namespace forger::gan
