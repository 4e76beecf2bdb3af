#include "gan/tournament.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/error.h"
#include "core/utf8.h"
#include "gan/chart.h"
#include "gan/html.h"
#include "gan/metrics_file.h"
#include "gan/report.h"
#include "gan/run_folder.h"

namespace forger::gan {
namespace {

constexpr size_t most_frames = 40;

// The scores that any of them has, in the order of the files.
std::vector<std::string> columns_of(const std::vector<Entrant>& entrants) {
  std::vector<std::string> names;
  for (const Entrant& entrant : entrants)
    for (const std::string& run : entrant.runs)
      for (const std::string& name : read_metrics(RunFolder(run).scores()).names)
        if (name.ends_with(best_suffix)) {
          const std::string score = name.substr(0, name.size() - best_suffix.size());
          if (std::ranges::find(names, score) == names.end()) names.push_back(score);
        }
  return names;
}

std::string cell(const Standing& standing) {
  return compact(standing.mean) + " +- " + compact(standing.spread) + " (best " + compact(standing.best) + ")";
}

// A header, and a row of each entrant.
std::vector<std::vector<std::string>> table_of(const std::vector<Entrant>& entrants) {
  const std::vector<std::string> scores = columns_of(entrants);
  std::vector<std::vector<std::string>> rows{{"system", "seeds"}};
  rows.front().insert(rows.front().end(), scores.begin(), scores.end());
  for (const Entrant& entrant : entrants) {
    const auto found = standings(entrant);
    const int64_t ended = found.empty() ? 0 : found.begin()->second.seeds;
    std::vector<std::string> row{entrant.name, text(ended, " of ", entrant.runs.size())};
    for (const std::string& score : scores) {
      const auto standing = found.find(score);
      row.push_back(standing == found.end() ? "-" : cell(standing->second));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string film(const Entrant& entrant) {
  if (entrant.runs.empty()) return "";
  const std::vector<std::string> frames = evenly(preview_files(entrant.runs.front()), most_frames);
  std::ostringstream html;
  html << "<figure class='film'><figcaption>" << escape_html(to_utf8(entrant.name)) << "</figcaption>";
  for (size_t i = 0; i < frames.size(); i++)
    html << element_of(frames[i], "samples after step " + step_of_preview(frames[i]), i + 1 < frames.size());
  html << "<div class='others'>";
  for (size_t k = 1; k < entrant.runs.size(); k++)
    if (const auto all = preview_files(entrant.runs[k]); !all.empty()) html << element_of(all.back(), "another seed");
  html << "</div></figure>";
  return html.str();
}

constexpr const char* film_style = R"(
.films{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:1rem}
.film img[hidden]{display:none}.film figcaption{font-size:.9rem;min-height:2.6em}.others{display:flex;gap:3px;margin-top:3px}.others img{width:25%}
td{white-space:nowrap}th{width:auto}
)";
constexpr const char* film_script = R"(
const films=[...document.querySelectorAll('.film')].map(f=>[...f.querySelectorAll(':scope>img,:scope>pre')]);
let frame=0;
setInterval(()=>{frame++;for(const f of films){if(!f.length)continue;const at=Math.min(frame%(f.length+6),f.length-1);
f.forEach((image,i)=>image.hidden=i!==at)}},250);
)";

}  // namespace

std::map<std::string, Standing> standings(const Entrant& entrant) {
  std::map<std::string, std::vector<double>> last, best;
  for (const std::string& run : entrant.runs) {
    const MetricsTable scores = read_metrics(RunFolder(run).scores());
    if (scores.rows() == 0) continue;
    for (const std::string& name : scores.names)
      if (const std::vector<double>* best_so_far = scores.find(name + best_suffix)) {
        last[name].push_back(scores.find(name)->back());
        best[name].push_back(best_so_far->back());
      }
  }
  std::map<std::string, Standing> all;
  for (const auto& [name, values] : last) {
    const auto n = static_cast<double>(values.size());
    Standing standing{.seeds = std::ssize(values)};
    for (size_t i = 0; i < values.size(); i++) {
      standing.mean += values[i] / n;
      standing.best += best[name][i] / n;
    }
    for (const double value : values) standing.spread += (value - standing.mean) * (value - standing.mean) / n;
    standing.spread = std::sqrt(standing.spread);
    standing.least = std::ranges::min(values);
    standing.most = std::ranges::max(values);
    all[name] = standing;
  }
  return all;
}

std::string tournament_table(const std::vector<Entrant>& entrants) {
  const std::vector<std::vector<std::string>> rows = table_of(entrants);
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); i++) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    table += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return table;
}

std::string tournament_csv(const std::vector<Entrant>& entrants) {
  std::ostringstream csv;
  csv.precision(9);
  csv << "system,score,seeds,mean,spread,least,most,best\n";
  for (const Entrant& entrant : entrants)
    for (const auto& [name, s] : standings(entrant))
      csv << '"' << entrant.name << "\"," << name << ',' << s.seeds << ',' << s.mean << ',' << s.spread << ','
          << s.least << ',' << s.most << ',' << s.best << '\n';
  return csv.str();
}

std::string tournament_page(const std::vector<Entrant>& entrants, const std::string& title) {
  std::ostringstream body;
  body << "<p class='lead'>Mean and spread of the last scores over the seeds; in brackets the mean of each run's "
          "best.</p><table>";
  std::string cell_kind = "th";  // of the first row
  for (const std::vector<std::string>& row : table_of(entrants)) {
    body << "<tr>";
    for (const std::string& text_of_cell : row)
      body << '<' << cell_kind << '>' << escape_html(to_utf8(text_of_cell)) << "</" << cell_kind << '>';
    body << "</tr>";
    cell_kind = "td";
  }
  body << "</table>";
  for (const Entrant& entrant : entrants)
    for (const std::string& reason : entrant.failed)
      body << "<p class='none'>" << escape_html(to_utf8(entrant.name + ": " + reason)) << "</p>";
  body << "<h2>Samples through time, and of the other seeds at the end</h2><div class='films'>";
  for (const Entrant& entrant : entrants) body << film(entrant);
  body << "</div>";
  return html_page(title, body.str(), film_style, film_script);
}

}  // namespace forger::gan
