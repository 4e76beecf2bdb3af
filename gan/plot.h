// Plots of curves over a plane, as SVG files of their own.
#pragma once
#include <string>
#include <vector>

namespace forger::gan {

struct Range {
  double low, high;
};
// Round numbers within it, about `count`: 1, 2 or 5 times a power of ten apart.
std::vector<double> ticks(const Range& range, int count);

struct Plot {
  struct Curve {
    std::string name;
    std::vector<double> x, y;
    bool dots = false;  // what was measured, as points; what is known, as a line
  };
  std::string name;   // of its files: "wasserstein"
  std::string title;  // what is seen
  std::string caption, x_label, y_label;
  std::vector<Curve> curves;
};

// An SVG file, legible on white and on black. Values that are not finite are left out.
std::string svg_of(const Plot& plot);
// curve,x,y: a row per point.
std::string csv_of(const Plot& plot);

}  // namespace forger::gan
