#include "gan/chart.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "core/error.h"
#include "gan/plot.h"

namespace forger::gan {

std::string escape_html(const std::string& text) {
  const std::map<char, const char*> entities{
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
  std::string safe;
  for (const char c : text) {
    const auto entity = entities.find(c);
    entity == entities.end() ? safe += c : safe += entity->second;
  }
  return safe;
}

std::string compact(double value) {
  std::ostringstream out;
  out.precision(4);
  out << value;
  return out.str();
}

namespace {

constexpr size_t most_points = 600, colours = most_runs;

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
    html << "<span><i class='c" << i % colours << "'></i>" << escape_html(curves[i].name) << " <b>"
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
  html << "<figure class='chart'><figcaption>" << escape_html(title) << "</figcaption>" << legend(curves)
       << "<svg viewBox='0 0 " << Frame::width << ' ' << Frame::height << "' role='img' aria-label='"
       << escape_html(title) << " by step' data-readings='" << readings(frame, curves) << "'><clipPath id='clip" << id
       << "'><rect x='" << Frame::left << "' y='" << Frame::top << "' width='"
       << Frame::width - Frame::left - Frame::right << "' height='" << Frame::height - Frame::top - Frame::bottom
       << "'/></clipPath>" << axes(frame) << "<g clip-path='url(#clip" << id << ")'>";
  for (size_t i = 0; i < curves.size(); i++) html << drawn(frame, curves[i], i % colours);
  html << "</g><line class='cursor' y1='" << Frame::top << "' y2='" << Frame::height - Frame::bottom
       << "' x1='-9' x2='-9'/></svg></figure>";
  return html.str();
}

// Of a column of a run; without stretches where nothing in it is finite.
Curve curve_of(const std::string& name, const std::vector<double>& steps, const std::vector<double>& values) {
  Curve curve{name, down_sample(steps, values), {}};
  curve.means = smoothed(curve.stretches);
  return curve;
}

bool is_scalar(const std::string& column) { return column != "step" && column != "seconds"; }

// Titles with their curves, in the order in which they came.
class Families {
 public:
  void add(const std::string& title, Curve curve) {
    if (curve.stretches.empty()) return;
    auto found = std::find_if(families_.begin(), families_.end(), [&](const auto& f) { return f.first == title; });
    if (found == families_.end()) found = families_.insert(families_.end(), {title, {}});
    found->second.push_back(std::move(curve));
  }
  std::string charts(const Range& steps, size_t first_id) const {
    std::string html;
    for (const auto& [title, curves] : families_) html += chart(title, curves, steps, first_id++);
    return html;
  }

 private:
  std::vector<std::pair<std::string, std::vector<Curve>>> families_;
};

}  // namespace

std::string charts(const MetricsTable& metrics, size_t first_id) {
  const std::vector<double>* steps = metrics.find("step");
  if (!steps || steps->empty()) return "<p class='none'>No steps yet.</p>";
  Families families;
  for (size_t i = 0; i < metrics.names.size(); i++) {
    const std::string& name = metrics.names[i];
    if (is_scalar(name)) families.add(family(name), curve_of(name, *steps, metrics.columns[i]));
  }
  return families.charts({steps->front(), steps->back()}, first_id);
}

std::string charts_of_runs(const std::vector<std::pair<std::string, MetricsTable>>& runs, size_t first_id) {
  Families families;
  Range range{std::numeric_limits<double>::infinity(), 0};
  for (const auto& [run, metrics] : runs) {
    const std::vector<double>* steps = metrics.find("step");
    if (!steps || steps->empty()) continue;
    range = {std::min(range.low, steps->front()), std::max(range.high, steps->back())};
    for (size_t i = 0; i < metrics.names.size(); i++)
      if (is_scalar(metrics.names[i])) families.add(metrics.names[i], curve_of(run, *steps, metrics.columns[i]));
  }
  return families.charts(range, first_id);
}

}  // namespace forger::gan
