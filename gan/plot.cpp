#include "gan/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "gan/chart.h"

namespace forger::gan {
namespace {

constexpr double width = 640, height = 400, left = 70, right = 20, top = 16, bottom = 48;
constexpr const char* colours[] = {"#2563eb", "#dc5f00", "#0d9488", "#9333ea", "#be123c", "#64748b", "#a16207"};

// 1, 2 or 5 times a power of ten, for about `count` ticks.
double tick_distance(const Range& range, int count) {
  const double rough = (range.high - range.low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

Range range_of(const Plot& plot, std::vector<double> Plot::Curve::*values) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const Plot::Curve& curve : plot.curves)
    for (const double value : curve.*values)
      if (std::isfinite(value)) range = {std::min(range.low, value), std::max(range.high, value)};
  if (!(range.low <= range.high)) return {0, 1};
  const double margin = std::max(0.04 * (range.high - range.low), 1e-6 * std::max(1.0, std::abs(range.high)));
  return {range.low - margin, range.high + margin};
}

}  // namespace

std::vector<double> ticks(const Range& range, int count) {
  const double distance = tick_distance(range, count);
  std::vector<double> at;
  for (double k = std::ceil(range.low / distance); k * distance <= range.high; k++) at.push_back(k * distance);
  return at;
}

std::string svg_of(const Plot& plot) {
  const Range xs = range_of(plot, &Plot::Curve::x), ys = range_of(plot, &Plot::Curve::y);
  const auto x_of = [&](double x) { return left + (x - xs.low) / (xs.high - xs.low) * (width - left - right); };
  const auto y_of = [&](double y) {
    return height - bottom - (y - ys.low) / (ys.high - ys.low) * (height - top - bottom);
  };
  const double legend = 20 * static_cast<double>((plot.curves.size() + 1) / 2);
  std::ostringstream svg;
  svg.precision(5);
  svg << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << ' ' << height + legend
      << "' role='img' aria-label='" << escape_html(plot.title)
      << "' font-family='system-ui,sans-serif' font-size='12' fill='#64748b'>\n";
  const auto number = [](double value) { return compact(std::abs(value) < 1e-12 ? 0 : value); };
  for (const double y : ticks(ys, 6))
    svg << "<path d='M" << left << ' ' << y_of(y) << " H" << width - right
        << "' stroke='#94a3b8' stroke-opacity='0.35'/><text x='" << left - 6 << "' y='" << y_of(y) + 4
        << "' text-anchor='end'>" << number(y) << "</text>\n";
  for (const double x : ticks(xs, 8))
    svg << "<text x='" << x_of(x) << "' y='" << height - bottom + 16 << "' text-anchor='middle'>" << number(x)
        << "</text>\n";
  svg << "<text x='" << (left + width - right) / 2 << "' y='" << height - bottom + 36 << "' text-anchor='middle'>"
      << escape_html(plot.x_label) << "</text><text transform='rotate(-90)' x='" << -(top + height - bottom) / 2
      << "' y='16' text-anchor='middle'>" << escape_html(plot.y_label) << "</text>\n";
  for (size_t k = 0; k < plot.curves.size(); k++) {
    const Plot::Curve& curve = plot.curves[k];
    const char* colour = colours[k % std::size(colours)];
    const auto each = [&](const auto& draw) {
      for (size_t i = 0; i < curve.x.size(); i++)
        if (std::isfinite(curve.x[i]) && std::isfinite(curve.y[i])) draw(x_of(curve.x[i]), y_of(curve.y[i]));
    };
    if (curve.dots) {
      each([&](double x, double y) {
        svg << "<circle cx='" << x << "' cy='" << y << "' r='3.5' fill='" << colour << "'/>";
      });
    } else {
      svg << "<polyline fill='none' stroke='" << colour << "' stroke-width='2' points='";
      each([&](double x, double y) { svg << x << ',' << y << ' '; });
      svg << "'/>";
    }
    const double at = left + static_cast<double>(k % 2) * (width - left - right) / 2,
                 row = height + 14 + 20 * static_cast<double>(k / 2);
    svg << (curve.dots ? "<circle cx='" : "<rect x='") << (curve.dots ? at + 6 : at)
        << (curve.dots ? "' cy='" : "' y='") << row - 4
        << (curve.dots ? "' r='4' fill='" : "' width='12' height='3' fill='") << colour << "'/><text x='" << at + 18
        << "' y='" << row << "'>" << escape_html(curve.name) << "</text>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

std::string csv_of(const Plot& plot) {
  std::ostringstream csv;
  csv.precision(10);
  csv << "curve,x,y\n";
  for (const Plot::Curve& curve : plot.curves)
    for (size_t i = 0; i < curve.x.size(); i++)
      csv << '"' << curve.name << "\"," << curve.x[i] << ',' << curve.y[i] << '\n';
  return csv.str();
}

}  // namespace forger::gan
