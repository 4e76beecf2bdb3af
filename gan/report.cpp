// The report's page: previews through time, one chart per family of scalars, timing, settings.
//
//   metrics.csv --parse--> columns --families--> charts: inline SVG, axes with round ticks
//        loss_d, loss_g -> "loss"                 light band: least and greatest value of each of <= 600 stretches
//        grad_norm_d, ..-> "grad_norm"            line: mean of each stretch, smoothed over time
//   scores.csv, tests.csv, evaluation.json, modes.png, sanity.svg: where the run was evaluated
//   samples/step-*.png --at most 12, first and last among them--> base64
//
// Colours are CSS variables with a light and a dark set. The script only moves the slider and reads out a chart under
// the pointer; without it all pictures and curves are there all the same.
#include "gan/report.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"
#include "gan/run_folder.h"
#include "kernels/kernels.h"

namespace forger::gan {
namespace fs = std::filesystem;
namespace {

constexpr size_t most_points = 600, most_previews = 12, colours = 6;

// ---- reading a run folder ----

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  return bytes.str();
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
  return cells;
}

std::optional<double> number(const std::string& cell) {
  double value = 0;
  const char* end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  if (error != std::errc() || stop != end) return {};
  return value;
}

struct Metrics {
  std::vector<std::string> names;
  std::vector<std::vector<double>> columns;  // one per name, equally long
  size_t rows() const { return columns.empty() ? 0 : columns.front().size(); }
  const std::vector<double>* find(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? nullptr : &columns[static_cast<size_t>(found - names.begin())];
  }
};

// A row that lacks its line end, has another number of cells or something else than numbers in them is left out.
Metrics parse_metrics(const std::string& csv) {
  Metrics metrics;
  std::istringstream in(csv);
  std::string line;
  if (!std::getline(in, line) || in.eof()) return metrics;
  metrics.names = split(line);
  metrics.columns.resize(metrics.names.size());
  while (std::getline(in, line) && !in.eof()) {
    std::vector<double> row;
    for (const std::string& cell : split(line))
      if (const auto value = number(cell)) row.push_back(*value);
    if (row.size() != metrics.columns.size() || row.size() != split(line).size()) continue;
    for (size_t i = 0; i < row.size(); i++) metrics.columns[i].push_back(row[i]);
  }
  return metrics;
}

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
    for (auto& [line, row] : by_line) rows.push_back(std::move(row));
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

std::string escape(const std::string& text) {
  const std::map<char, const char*> entities{
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  std::string safe;
  for (const char c : text) {
    const auto entity = entities.find(c);
    entity == entities.end() ? safe += c : safe += entity->second;
  }
  return safe;
}

std::string base64(const std::string& bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;  // 24 bits
    for (size_t j = 0; j < 3; j++) group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; j++) out += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

// Four significant digits: 0.6931, 1234, 2.5e-05.
std::string compact(double value) {
  std::ostringstream out;
  out.precision(4);
  out << value;
  return out.str();
}

std::string span_of_time(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return compact(seconds) + " s";
  if (whole < 3600) return text(whole / 60, " min ", whole % 60, " s");
  return text(whole / 3600, " h ", whole % 3600 / 60, " min");
}

// ---- charts ----

struct Stretch {  // of neighbouring steps
  double step, low, high, mean;
};

// At most most_points stretches of equally many steps; values that are not finite are left out.
std::vector<Stretch> down_sample(const std::vector<double>& steps, const std::vector<double>& values) {
  std::vector<Stretch> stretches;
  const size_t width = std::max<size_t>((values.size() + most_points - 1) / most_points, 1);
  for (size_t begin = 0; begin < values.size(); begin += width) {
    Stretch stretch{0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 0};
    size_t count = 0;
    for (size_t i = begin; i < std::min(begin + width, values.size()); i++) {
      if (!std::isfinite(values[i])) continue;
      stretch.low = std::min(stretch.low, values[i]);
      stretch.high = std::max(stretch.high, values[i]);
      stretch.mean += values[i];
      stretch.step += steps[i];
      count++;
    }
    if (count == 0) continue;
    stretch.mean /= static_cast<double>(count);
    stretch.step /= static_cast<double>(count);
    stretches.push_back(stretch);
  }
  return stretches;
}

// A moving average over a thirtieth of the run, as far ahead as behind, so that it lags nowhere.
std::vector<double> smoothed(const std::vector<Stretch>& stretches) {
  const size_t reach = stretches.size() / 60;
  std::vector<double> means;
  for (size_t i = 0; i < stretches.size(); i++) {
    const size_t begin = i - std::min(i, reach), end = std::min(i + reach + 1, stretches.size());
    double total = 0;
    for (size_t j = begin; j < end; j++) total += stretches[j].mean;
    means.push_back(total / static_cast<double>(end - begin));
  }
  return means;
}

struct Range {
  double low, high;
};

// 1, 2 or 5 times a power of ten, for about `count` ticks.
double tick_distance(const Range& range, int count) {
  const double rough = (range.high - range.low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

std::vector<double> ticks(const Range& range, int count) {
  const double distance = tick_distance(range, count);
  std::vector<double> at;
  for (double k = std::ceil(range.low / distance); k * distance <= range.high; k++) at.push_back(k * distance);
  return at;
}

struct Curve {
  std::string name;
  std::vector<Stretch> stretches;
  std::vector<double> means;
};

// The middle 98 % of what the band covers and all of the smoothed line: one wild step does not flatten a whole curve.
Range vertical_range(const std::vector<Curve>& curves) {
  std::vector<double> values;
  for (const Curve& curve : curves)
    for (const Stretch& stretch : curve.stretches) values.insert(values.end(), {stretch.low, stretch.high});
  std::sort(values.begin(), values.end());
  Range range{values[values.size() / 100], values[values.size() - 1 - values.size() / 100]};
  for (const Curve& curve : curves)
    for (const double mean : curve.means) range = {std::min(range.low, mean), std::max(range.high, mean)};
  const double margin = std::max(0.05 * (range.high - range.low), 1e-3 * std::max(std::abs(range.low), 1e-6));
  return {range.low - margin, range.high + margin};
}

// Where the data lie in the drawing; sizes in the SVG's own units.
struct Frame {
  static constexpr double width = 640, height = 260, left = 68, right = 28, top = 10, bottom = 30;
  Range steps, values;
  double x(double step) const {
    return left + (step - steps.low) / std::max(steps.high - steps.low, 1e-9) * (width - left - right);
  }
  double y(double value) const {
    return height - bottom - (value - values.low) / (values.high - values.low) * (height - top - bottom);
  }
};

std::string coordinate(double value) {
  char digits[32];
  const auto end =
      std::to_chars(std::begin(digits), std::end(digits), std::clamp(value, -1e4, 1e4), std::chars_format::fixed, 1)
          .ptr;
  return {digits, end};
}

std::string point(const Frame& frame, double step, double value) {
  return coordinate(frame.x(step)) + "," + coordinate(frame.y(value)) + " ";
}

std::string axes(const Frame& frame) {
  std::ostringstream svg;
  const std::string left = coordinate(Frame::left), right = coordinate(Frame::width - Frame::right);
  for (const double value : ticks(frame.values, 6)) {
    const std::string y = coordinate(frame.y(value));
    svg << "<line class='rule' x1='" << left << "' x2='" << right << "' y1='" << y << "' y2='" << y << "'/><text x='"
        << coordinate(Frame::left - 6) << "' y='" << coordinate(frame.y(value) + 4) << "' text-anchor='end'>"
        << compact(std::abs(value) < 1e-12 ? 0 : value) << "</text>";
  }
  for (const double step : ticks(frame.steps, 6))
    svg << "<text x='" << coordinate(frame.x(step)) << "' y='" << coordinate(Frame::height - 10)
        << "' text-anchor='middle'>" << static_cast<int64_t>(step) << "</text>";
  svg << "<text x='" << coordinate(Frame::left - 6) << "' y='" << coordinate(Frame::height - 10)
      << "' text-anchor='end'>step</text>";
  return svg.str();
}

std::string drawn(const Frame& frame, const Curve& curve, size_t colour) {
  std::string band, line;
  for (const Stretch& stretch : curve.stretches) band += point(frame, stretch.step, stretch.high);
  for (auto stretch = curve.stretches.rbegin(); stretch != curve.stretches.rend(); ++stretch)
    band += point(frame, stretch->step, stretch->low);
  for (size_t i = 0; i < curve.means.size(); i++) line += point(frame, curve.stretches[i].step, curve.means[i]);
  return text("<polygon class='band c", colour, "' points='", band, "'/><polyline class='line c", colour, "' points='",
              line, "'/>");
}

std::string legend(const std::vector<Curve>& curves) {
  std::ostringstream html;
  html << "<p class='legend'>";
  for (size_t i = 0; i < curves.size(); i++)
    html << "<span><i class='c" << i % colours << "'></i>" << escape(curves[i].name) << " <b>"
         << compact(curves[i].means.back()) << "</b></span>";
  html << "</p>";
  return html.str();
}

// What the script reads out under the pointer: name, then x and value of each point.
std::string readings(const Frame& frame, const std::vector<Curve>& curves) {
  std::ostringstream json;
  json << "[";
  for (size_t k = 0; k < curves.size(); k++) {
    json << (k > 0 ? "," : "") << "[";
    for (size_t i = 0; i < curves[k].means.size(); i++)
      json << (i > 0 ? "," : "") << "[" << coordinate(frame.x(curves[k].stretches[i].step)) << ","
           << std::llround(curves[k].stretches[i].step) << ",\"" << compact(curves[k].means[i]) << "\"]";
    json << "]";
  }
  json << "]";
  return json.str();
}

// "grad_norm" of "grad_norm_d": scalars that differ in their last word share a chart.
std::string family(const std::string& name) { return name.substr(0, name.rfind('_')); }

std::string chart(const std::string& title, const std::vector<Curve>& curves, const Range& steps, size_t id) {
  const Frame frame{steps, vertical_range(curves)};
  std::ostringstream html;
  html << "<figure class='chart'><figcaption>" << escape(title) << "</figcaption>" << legend(curves)
       << "<svg viewBox='0 0 " << Frame::width << ' ' << Frame::height << "' role='img' aria-label='" << escape(title)
       << " by step' data-readings='" << readings(frame, curves) << "'><clipPath id='clip" << id << "'><rect x='"
       << Frame::left << "' y='" << Frame::top << "' width='" << Frame::width - Frame::left - Frame::right
       << "' height='" << Frame::height - Frame::top - Frame::bottom << "'/></clipPath>" << axes(frame)
       << "<g clip-path='url(#clip" << id << ")'>";
  for (size_t i = 0; i < curves.size(); i++) html << drawn(frame, curves[i], i % colours);
  html << "</g><line class='cursor' y1='" << Frame::top << "' y2='" << Frame::height - Frame::bottom
       << "' x1='-9' x2='-9'/></svg></figure>";
  return html.str();
}

// `first_id` keeps the identifiers of several calls on one page apart.
std::string charts(const Metrics& metrics, size_t first_id = 0) {
  const std::vector<double>* steps = metrics.find("step");
  if (!steps || steps->empty()) return "<p class='none'>No steps yet.</p>";
  std::vector<std::pair<std::string, std::vector<Curve>>> families;
  for (size_t i = 0; i < metrics.names.size(); i++) {
    if (metrics.names[i] == "step" || metrics.names[i] == "seconds") continue;
    Curve curve{metrics.names[i], down_sample(*steps, metrics.columns[i]), {}};
    if (curve.stretches.empty()) continue;
    curve.means = smoothed(curve.stretches);
    const std::string title = family(curve.name);
    auto found = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.first == title; });
    if (found == families.end()) found = families.insert(families.end(), {title, {}});
    found->second.push_back(std::move(curve));
  }
  std::string html;
  for (size_t i = 0; i < families.size(); i++)
    html += chart(families[i].first, families[i].second, {steps->front(), steps->back()}, first_id + i);
  return html;
}

// ---- previews ----

std::vector<std::string> chosen_previews(const std::string& run_folder) {
  const std::vector<std::string> all = preview_files(run_folder);
  if (all.size() <= most_previews) return all;
  std::vector<std::string> chosen;
  for (size_t i = 0; i < most_previews; i++) chosen.push_back(all[i * (all.size() - 1) / (most_previews - 1)]);
  return chosen;
}

// "500" of "samples/step-000500.png"
std::string step_of(const std::string& path) {
  const std::string stem = fs::path(path).stem().string();
  const size_t digits = stem.find_first_of("123456789");
  return digits == stem.npos ? "0" : stem.substr(digits);
}

std::string previews(const std::string& run_folder) {
  std::ostringstream strip;
  std::string newest;
  size_t count = 0;
  for (const std::string& path : chosen_previews(run_folder)) {
    const std::string bytes = read_file(path);
    if (bytes.empty()) continue;
    newest = step_of(path);
    strip << "<figure><img alt='samples after step " << newest << "' src='data:image/png;base64," << base64(bytes)
          << "'><figcaption>" << newest << "</figcaption></figure>";
    count++;
  }
  if (count == 0) return "<p class='none'>No previews yet.</p>";
  return text("<div class='stage' hidden><img alt='samples'><label>after step <output>", newest,
              "</output><input type='range' min='0' max='", count - 1, "' value='", count - 1,
              "' aria-label='preview'></label></div><div class='strip'>", strip.str(), "</div>");
}

// ---- tables ----

std::string table(const Table& rows) {
  std::string html = "<table>";
  for (const auto& [key, value] : rows) html += "<tr><th>" + escape(key) + "</th><td>" + escape(value) + "</td></tr>";
  return html + "</table>";
}

// ---- scores ----

// Best and final of each score of scores.csv: "fcd_best" is the best of "fcd" so far.
Table best_and_final(const Metrics& scores) {
  Table rows;
  const std::vector<double>* steps = scores.find("step");
  if (!steps || steps->empty()) return rows;
  for (const std::string& name : scores.names) {
    const std::vector<double>*values = scores.find(name), *best = scores.find(name + "_best");
    if (!best) continue;
    const auto at = static_cast<size_t>(std::find(values->begin(), values->end(), best->back()) - values->begin());
    rows.emplace_back(
        name, text("best ", compact(best->back()), " at step ", compact((*steps)[std::min(at, steps->size() - 1)]),
                   ", final ", compact(values->back()), " at step ", compact(steps->back())));
  }
  return rows;
}

// What `forger evaluate` found: a line per metric, what there is to remark on it, and its pictures.
std::string evaluation(const RunFolder& folder) {
  std::string html;
  try {
    const auto found = nlohmann::ordered_json::parse(read_file(folder.evaluation()));
    Table rows;
    for (const auto& [metric, score] : found.at("scores").items()) {
      const std::string remark = score.at("remark");
      rows.emplace_back(metric, score.at("text").get<std::string>() + (remark.empty() ? "" : "; " + remark));
    }
    for (const std::string line : found.at("seen_by")) rows.emplace_back("seen by", line);
    html =
        text("<p class='none'>After step ", found.at("step").get<int64_t>(), ", by forger evaluate:</p>", table(rows));
  } catch (const nlohmann::json::exception&) {
    // None yet, or a file that a person broke: the report goes without.
  }
  if (const std::string modes = read_file(folder.modes()); !modes.empty())
    html +=
        "<h3>Real images that D doubts most (upper half) and is surest of (lower half)</h3><figure><img class='modes' "
        "alt='real images with extreme verdicts' src='data:image/png;base64," +
        base64(modes) +
        "'><figcaption class='none'>What the generator misses is among those that D is surest "
        "of.</figcaption></figure>";
  if (const std::string sanity = read_file(folder.sanity()); !sanity.empty())
    html += "<h3>How fcd answers to damaged real images</h3>" + sanity;
  return html;
}

std::string scores(const RunFolder& folder) {
  const Metrics scores = parse_metrics(read_file(folder.scores()));
  constexpr size_t first_id = 1000;
  std::string html = evaluation(folder);
  if (const Metrics tests = parse_metrics(read_file(folder.tests())); tests.rows() > 0)
    html = "<div class='charts'>" + charts(tests, 2 * first_id) + "</div>" + html;
  if (scores.rows() > 0)
    html = "<div class='charts'>" + charts(scores, first_id) + "</div>" + table(best_and_final(scores)) + html;
  return html.empty() ? "" : "<h2>Scores</h2>" + html;
}

// ---- the page ----

Table timing(const Metrics& metrics, const Table& config) {
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
  const auto batch = number(find(config, "batch")), critic = number(find(config, "n_critic"));
  if (batch) rows.emplace_back("real images per second", compact(done * *batch * critic.value_or(1) / time));
  rows.emplace_back("vector instructions", kernels::simd_level());
  return rows;
}

constexpr const char* style = R"(
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2129;--soft:#667085;--rule:#e4e7ec;--card:#f8f9fb;
--c0:#2563eb;--c1:#dc5f00;--c2:#0d9488;--c3:#9333ea;--c4:#be123c;--c5:#64748b}
@media(prefers-color-scheme:dark){:root{--paper:#14171c;--ink:#e6e8ec;--soft:#98a2b3;--rule:#2b313b;--card:#1b1f26;
--c0:#6ea8fe;--c1:#ffa657;--c2:#4fd1c5;--c3:#c49bff;--c4:#ff8095;--c5:#a3b1c6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:.2rem 0}h3{font-size:.95rem;margin:1.2rem 0 .5rem}.modes{max-width:420px}
h2{font-size:1.1rem;margin:2.2rem 0 .8rem}
.lead{color:var(--soft);margin:0}.none{color:var(--soft)}
figure{margin:0}figcaption{font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:1rem}
.chart{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.8rem}
.chart svg{width:100%;height:auto;display:block;touch-action:pan-y}
svg text{fill:var(--soft);font-size:12px}@media(max-width:560px){svg text{font-size:19px}}
.rule{stroke:var(--rule)}.cursor{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke:var(--k);stroke-width:1.8;stroke-linejoin:round}.band{fill:var(--k);opacity:.17}
.c0{--k:var(--c0)}.c1{--k:var(--c1)}.c2{--k:var(--c2)}.c3{--k:var(--c3)}.c4{--k:var(--c4)}.c5{--k:var(--c5)}
.legend{margin:.1rem 0 .3rem;color:var(--soft);font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:3px;background:var(--k);margin-right:.4em}
.legend b{color:var(--ink);font-variant-numeric:tabular-nums}
img{image-rendering:pixelated;display:block;width:100%;border-radius:6px}
.stage{max-width:560px;margin:0 0 1rem}.stage label{display:block;margin-top:.5rem;color:var(--soft)}
.stage output{color:var(--ink);font-weight:600}.stage input{width:100%}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(76px,1fr));gap:.6rem}
.strip figcaption{font-weight:400;font-size:.85rem;color:var(--soft);text-align:center}.strip img{cursor:pointer}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:0 2rem;align-items:start}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.28rem .4rem;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft);width:45%}td{font-variant-numeric:tabular-nums}
)";

constexpr const char* script = R"(
const stage=document.querySelector('.stage');
if(stage){
  const pictures=[...document.querySelectorAll('.strip figure')],slider=stage.querySelector('input');
  const show=i=>{slider.value=i;stage.querySelector('img').src=pictures[i].querySelector('img').src;
    stage.querySelector('output').textContent=pictures[i].querySelector('figcaption').textContent};
  slider.oninput=()=>show(+slider.value);
  pictures.forEach((p,i)=>p.onclick=()=>show(i));
  stage.hidden=false;show(pictures.length-1);
}
for(const svg of document.querySelectorAll('.chart svg')){
  const curves=JSON.parse(svg.dataset.readings),cursor=svg.querySelector('.cursor');
  const values=[...svg.parentNode.querySelectorAll('.legend b')],last=values.map(v=>v.textContent);
  const caption=svg.parentNode.querySelector('figcaption'),title=caption.textContent;
  svg.onpointermove=event=>{
    const box=svg.getBoundingClientRect(),x=(event.clientX-box.left)/box.width*svg.viewBox.baseVal.width;
    curves.forEach((points,k)=>{
      const near=points.reduce((a,b)=>Math.abs(b[0]-x)<Math.abs(a[0]-x)?b:a);
      values[k].textContent=near[2];caption.textContent=title+', step '+near[1];
      cursor.setAttribute('x1',near[0]);cursor.setAttribute('x2',near[0]);
    });
  };
  svg.onpointerleave=()=>{values.forEach((v,k)=>v.textContent=last[k]);caption.textContent=title;
    cursor.setAttribute('x1',-9);cursor.setAttribute('x2',-9)};
}
)";

std::string page(const std::string& run_folder) {
  const Metrics metrics = parse_metrics(read_file(fs::path(run_folder) / "metrics.csv"));
  const Table config = parse_config(read_file(fs::path(run_folder) / "config.toml"));
  const std::string name = to_utf8(fs::absolute(run_folder).lexically_normal().filename().string());
  const std::string recipe = find(config, "recipe"), data = find(config, "data");
  std::ostringstream html;
  html << "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
       << "<meta name='viewport' content='width=device-width,initial-scale=1'><title>" << escape(name)
       << "</title><style>" << style << "</style></head><body><h1>" << escape(name) << "</h1><p class='lead'>"
       << escape(recipe) << (data.empty() ? "" : " on ") << escape(data) << "</p>"
       << "<h2>Samples</h2>" << previews(run_folder) << "<h2>Curves</h2><div class='charts'>" << charts(metrics)
       << "</div>" << scores(RunFolder(run_folder)) << "<div class='tables'><div><h2>Timing</h2>"
       << table(timing(metrics, config)) << "</div><div><h2>Settings</h2>" << table(config) << "</div></div><script>"
       << script << "</script></body></html>\n";
  return html.str();
}

}  // namespace

std::vector<std::string> preview_files(const std::string& run_folder) {
  std::vector<std::string> files;
  std::error_code error;  // no such folder yet: no previews
  for (const auto& entry : fs::directory_iterator(fs::path(run_folder) / "samples", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".png")) files.push_back(entry.path().string());
  }
  // Steps are padded to six digits, so that longer names are later steps.
  std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return files;
}

void write_report(const std::string& run_folder) {
  write_file((fs::path(run_folder) / "report.html").string(), page(run_folder));
}

}  // namespace forger::gan
