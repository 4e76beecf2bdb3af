// A roofline picture (Williams, Waterman and Patterson 2009) as a self-contained SVG: the rate of each kernel over its
// operational intensity, both logarithmic, under the roof that memory and arithmetic make.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace forger::bench {

struct RooflinePoint {
  double intensity, gflops;  // operations per byte, 1e9 operations per second
  std::string group, label;  // a group has a colour
};

struct Roofline {
  std::string title, caption;
  double peak_gflops, gbytes;  // the flat and the sloped part of the roof
  std::vector<RooflinePoint> points;
};

// 1, 2, 5, 10, 20, ...: what an axis shows; tick(0) is 1, tick(-1) is 0.5.
inline double tick(int i) {
  constexpr std::array steps{1, 2, 5};
  const int decade = (i >= 0 ? i : i - 2) / 3;
  return steps[static_cast<size_t>(i - 3 * decade)] * std::pow(10.0, decade);
}

// From values to pixels, logarithmic, from the last tick below `low` to the first one above `high`.
class LogAxis {
 public:
  LogAxis(double low, double high, double begin, double end) : begin_(begin), end_(end) {
    while (tick(first_) >= low) first_--;
    while (tick(first_ + 1) < low) first_++;
    last_ = first_ + 1;
    while (tick(last_) <= high) last_++;
  }
  int first() const { return first_; }
  int last() const { return last_; }
  double low() const { return tick(first_); }
  double high() const { return tick(last_); }
  double at(double value) const {
    const double pixel = begin_ + (end_ - begin_) * std::log(value / low()) / std::log(high() / low());
    return std::round(10 * pixel) / 10;  // shorter to write
  }

 private:
  double begin_, end_;
  int first_ = 0, last_ = 0;
};

// Moves sorted positions apart to `gap` at least, each as little as that allows (isotonic regression: neighbours that
// are in each other's way share their middle), and into [first, last].
inline std::vector<double> spread(const std::vector<double>& wanted, double gap, double first, double last) {
  struct Block {
    double sum;
    int count;
    double mean() const { return sum / count; }
  };
  std::vector<Block> blocks;
  for (double shift = 0; const double w : wanted) {
    Block block{w - shift, 1};
    for (; !blocks.empty() && blocks.back().mean() > block.mean(); blocks.pop_back()) {
      block.sum += blocks.back().sum, block.count += blocks.back().count;
    }
    blocks.push_back(block);
    shift += gap;
  }
  last -= gap * static_cast<double>(wanted.size() - 1);  // of the first position
  std::vector<double> positions;
  for (const Block& block : blocks) {
    for (int i = 0; i < block.count; i++) {
      positions.push_back(std::clamp(block.mean(), first, last) + gap * static_cast<double>(positions.size()));
    }
  }
  return positions;
}

class RooflinePicture {
 public:
  explicit RooflinePicture(Roofline r) : r_(std::move(r)) {
    std::ranges::sort(r_.points, std::ranges::greater(), &RooflinePoint::gflops);
    for (const RooflinePoint& p : r_.points) {
      if (std::ranges::find(groups_, p.group) == groups_.end()) groups_.push_back(p.group);
    }
    std::ranges::sort(groups_);
  }

  std::string svg() {
    out_ = text("<svg xmlns='http://www.w3.org/2000/svg' width='", width, "' height='", bottom_ + 76,
                "' font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n");
    write(left, 26, "font-size='15'", r_.title);
    legend();
    axes();
    roof();
    leaders_and_labels();
    for (const RooflinePoint& p : r_.points) circle(x_.at(p.intensity), y_.at(p.gflops), p.group);
    write(left, bottom_ + 60, at_start, r_.caption);
    return out_ + "</svg>\n";
  }

 private:
  static constexpr double width = 900, left = 60, right = 640, labels = 680, top = 70, line_height = 13;
  static constexpr const char *at_start = "text-anchor='start'", *at_middle = "text-anchor='middle'",
                              *at_end = "text-anchor='end'";

  void write(double x, double y, const std::string& style, const std::string& words) {
    out_ += text("<text x='", x, "' y='", y, "' ", style, ">", words, "</text>\n");
  }
  void line(const std::string& points, const std::string& style) {
    out_ += text("<polyline points='", points, "' fill='none' ", style, "/>\n");
  }
  void circle(double x, double y, const std::string& group) {
    out_ += text("<circle cx='", x, "' cy='", y, "' r='4.5' fill='", colour(group), "' stroke='white'/>\n");
  }

  // Okabe and Ito's colours, which the colour-blind can tell apart.
  const char* colour(const std::string& group) const {
    constexpr std::array colours{"#0072b2", "#d55e00", "#009e73", "#555555", "#cc79a7", "#e69f00"};
    return colours[static_cast<size_t>(std::ranges::find(groups_, group) - groups_.begin()) % colours.size()];
  }

  void legend() {
    double x = left + 5;
    for (const std::string& group : groups_) {
      circle(x, 46, group);
      write(x + 9, 50, at_start, group);
      x += 140;
    }
  }

  void axes() {
    const std::string thin = "stroke='#bbb'";
    for (int i = x_.first(); i <= x_.last(); i++) {
      const double x = x_.at(tick(i));
      line(text(x, ',', bottom_, ' ', x, ',', bottom_ + 5), thin);
      write(x, bottom_ + 18, at_middle, text(tick(i)));
    }
    for (int i = y_.first(); i <= y_.last(); i++) {
      const double y = y_.at(tick(i));
      line(text(left - 5, ',', y, ' ', left, ',', y), thin);
      write(left - 8, y + 4, at_end, text(tick(i)));
    }
    line(text(left, ',', top, ' ', left, ',', bottom_, ' ', right, ',', bottom_, ' ', right, ',', top, ' ', left, ',',
              top),
         thin);
    write((left + right) / 2, bottom_ + 36, at_middle, "operations per byte of the three arrays");
    write(0, 0, text(at_middle, " transform='translate(16 ", (top + bottom_) / 2, ") rotate(-90)'"), "GFLOP/s");
  }

  // The words stand above and left of the roof, where few points are: dashes lead to the flat part.
  void roof() {
    const double ridge = r_.peak_gflops / r_.gbytes, low = std::max(x_.low(), y_.low() / r_.gbytes);
    const double flat = y_.at(r_.peak_gflops), along = std::cbrt(low * ridge * ridge);
    line(text(x_.at(low), ',', y_.at(low * r_.gbytes), ' ', x_.at(ridge), ',', flat, ' ', right, ',', flat),
         "stroke='black' stroke-width='1.5'");
    line(text(left, ',', flat, ' ', x_.at(ridge), ',', flat), "stroke='#888' stroke-dasharray='4 4'");
    write(left + 8, flat - 6, at_start, text("multiply-add peak: ", std::round(r_.peak_gflops), " GFLOP/s"));
    write(x_.at(along) - 10, y_.at(along * r_.gbytes) - 4, at_end,
          text("memory: ", std::round(10 * r_.gbytes) / 10, " GB/s"));
  }

  // The labels stand in the order of the points' heights, so that no two of their lines cross.
  void leaders_and_labels() {
    std::vector<double> wanted;
    for (const RooflinePoint& p : r_.points) wanted.push_back(y_.at(p.gflops));
    const std::vector<double> heights = spread(wanted, line_height, top, bottom_);
    for (size_t i = 0; i < heights.size(); i++) {
      const RooflinePoint& p = r_.points[i];
      const double y = wanted[i];
      line(text(x_.at(p.intensity), ',', y, ' ', right, ',', y, ' ', labels - 12, ',', heights[i], ' ', labels - 3, ',',
                heights[i]),
           text("stroke='", colour(p.group), "' stroke-width='0.6' opacity='0.5'"));
      write(labels, heights[i] + 4, text("fill='", colour(p.group), "'"), p.label);
    }
  }

  LogAxis axis(double RooflinePoint::*value, double roof, double begin, double end) const {
    double low = roof, high = 1.5 * roof;  // room for the words above the roof
    for (const RooflinePoint& p : r_.points) low = std::min(low, p.*value), high = std::max(high, p.*value);
    return {low, high, begin, end};
  }

  Roofline r_;
  std::vector<std::string> groups_;
  std::string out_;
  double bottom_ = top + std::max(454.0, static_cast<double>(r_.points.size()) * line_height);
  LogAxis x_ = axis(&RooflinePoint::intensity, r_.peak_gflops / r_.gbytes, left, right);
  LogAxis y_ = axis(&RooflinePoint::gflops, r_.peak_gflops, bottom_, top);
};

inline std::string roofline_svg(const Roofline& r) { return RooflinePicture(r).svg(); }

}  // namespace forger::bench
