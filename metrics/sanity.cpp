#include "metrics/sanity.h"

#include <cmath>
#include <sstream>

#include "metrics/frechet_file.h"

namespace forger::metrics {
namespace {

// Each picture as `change(image, i)` makes it.
template <class F>
Pictures changed(const Pictures& pictures, const F& change) {
  Pictures spoilt = pictures;
  spoilt.read = [read = pictures.read, change](int64_t i) {
    gan::Image image = read(i);
    change(image, i);
    return image;
  };
  return spoilt;
}

uint8_t byte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

// Along one axis of `count` pixels, `step` bytes apart.
void blur_line(uint8_t* first, int64_t count, int64_t step, const std::vector<double>& weights) {
  const int64_t reach = std::ssize(weights) / 2;
  std::vector<double> line(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; i++) {
    for (int64_t k = -reach; k <= reach; k++)
      line[i] += weights[k + reach] * first[std::clamp<int64_t>(i + k, 0, count - 1) * step];
  }
  for (int64_t i = 0; i < count; i++) first[i * step] = byte(line[i]);
}

// Three digits: 0.05, 1.5, 1370.
std::string number(double x) {
  std::ostringstream out;
  out.precision(3);
  x < 100 ? out << x : out << std::llround(x);
  return out.str();
}

}  // namespace

Pictures with_noise(const Pictures& pictures, double stddev, uint64_t seed) {
  return changed(pictures, [stddev, seed](gan::Image& image, int64_t i) {
    if (stddev == 0) return;
    const Tensor noise = Random(seed, static_cast<uint64_t>(i)).normal({std::ssize(image.pixels)}, 0, 127.5 * stddev);
    for (size_t p = 0; p < image.pixels.size(); p++)
      image.pixels[p] = byte(image.pixels[p] + double(noise.data<float>()[p]));
  });
}

Pictures with_blur(const Pictures& pictures, double sigma) {
  std::vector<double> weights;
  const auto reach = static_cast<int64_t>(std::ceil(3 * sigma));
  double total = 0;
  for (int64_t k = -reach; k <= reach; k++) {
    weights.push_back(sigma > 0 ? std::exp(-0.5 * double(k * k) / (sigma * sigma)) : 1);
    total += weights.back();
  }
  for (double& w : weights) w /= total;
  return changed(pictures, [weights](gan::Image& image, int64_t) {
    const int64_t row = image.width * image.channels;
    for (int64_t y = 0; y < image.height; y++)
      for (int64_t c = 0; c < image.channels; c++)
        blur_line(image.pixels.data() + y * row + c, image.width, image.channels, weights);
    for (int64_t x = 0; x < row; x++) blur_line(image.pixels.data() + x, image.height, row, weights);
  });
}

Pictures with_salt_and_pepper(const Pictures& pictures, double share, uint64_t seed) {
  return changed(pictures, [share, seed](gan::Image& image, int64_t i) {
    const int64_t pixels = image.height * image.width;
    const Tensor dice = Random(seed, static_cast<uint64_t>(i)).uniform({pixels});
    for (int64_t p = 0; p < pixels; p++) {
      const double u = double(dice.data<float>()[p]);
      if (u <= share) std::fill_n(image.pixels.begin() + p * image.channels, image.channels, u <= share / 2 ? 0 : 255);
    }
  });
}

Pictures with_duplicates(const Pictures& pictures, int64_t distinct) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < pictures.count; i++) rows.push_back(i % distinct);
  return pictures.at(std::move(rows));
}

Pictures without_classes(const Pictures& pictures, int64_t dropped) {
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < pictures.count; i++)
    if (pictures.label(i) >= dropped) kept.push_back(i);
  return pictures.at(std::move(kept));
}

bool SanityCurve::rises() const {
  for (size_t i = 1; i < points.size(); i++)
    if (!(points[i].second > points[i - 1].second)) return false;
  return true;
}

std::vector<SanityCurve> sanity_curves(const Judge& judge, const gan::DataSetPtr& train, const gan::DataSetPtr& test,
                                       int64_t count, const Ticker& ticker) {
  constexpr uint64_t seed = 0;
  const Pictures whole = pictures_of(test, test->name()).subset(std::min(count, test->count()), seed);
  struct Experiment {
    std::string title, axis;
    std::vector<double> levels;
    std::function<Pictures(double level)> damage;
  };
  std::vector<double> classes;
  for (int64_t c = 0; c < judge.classes(); c++) classes.push_back(double(c));
  const std::vector<Experiment> experiments{
      {"Gaussian noise",
       "standard deviation",
       {0, 0.05, 0.1, 0.2, 0.4, 0.8},
       [&](double x) { return with_noise(whole, x, seed); }},
      {"Blur", "sigma, pixels", {0, 0.5, 1, 1.5, 2, 3}, [&](double x) { return with_blur(whole, x); }},
      {"Salt and pepper",
       "share of pixels",
       {0, 0.01, 0.02, 0.05, 0.1, 0.2},
       [&](double x) { return with_salt_and_pepper(whole, x, seed); }},
      {"Missing classes", "classes dropped", classes,
       [&](double x) { return without_classes(whole, static_cast<int64_t>(x)); }},
      {"Duplicates", "copies of each image", {1, 4, 16, 64, 256}, [&](double x) {
         return with_duplicates(whole, std::max<int64_t>(2, whole.count / static_cast<int64_t>(x)));
       }}};
  int64_t done = 0, total = 1;
  for (const Experiment& e : experiments) total += std::ssize(e.levels);
  const auto statistics = [&](const Pictures& pictures) {
    const Statistics s = statistics_of(judge, pictures);
    if (ticker) ticker(++done, total);
    return s;
  };
  const Statistics reference =
      statistics(pictures_of(train, train->name()).subset(std::min(count, train->count()), seed));
  std::vector<SanityCurve> curves;
  for (const Experiment& e : experiments) {
    SanityCurve curve{e.title, e.axis, {}};
    for (const double level : e.levels)
      curve.points.emplace_back(level, frechet_score(reference, statistics(e.damage(level))).value());
    curves.push_back(std::move(curve));
  }
  return curves;
}

std::string draw(const std::vector<SanityCurve>& curves) {
  constexpr double panel = 200, height = 190, left = 44, right = 10, top = 34, bottom = 42;
  std::ostringstream svg;
  svg.precision(6);
  svg << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << panel * double(curves.size()) << ' ' << height
      << "' role='img' aria-label='FCD of damaged real images' font-family='system-ui,sans-serif' font-size='11' "
         "fill='currentColor' color='#64748b'>\n";
  for (size_t k = 0; k < curves.size(); k++) {
    const SanityCurve& curve = curves[k];
    double most = 1e-9;
    for (const auto& [x, y] : curve.points) most = std::max(most, y);
    const double from = panel * double(k) + left, width = panel - left - right, base = height - bottom;
    const auto steps = double(std::max<size_t>(curve.points.size() - 1, 1));
    // Levels stand evenly: they grow about geometrically.
    const auto x_of = [&](size_t i) { return from + width * double(i) / steps; };
    const auto y_of = [&](double y) { return base - (base - top) * y / most; };
    svg << "<text x='" << from << "' y='16' font-weight='600'>" << curve.title << "</text><text x='" << from
        << "' y='29'>" << (curve.rises() ? "rises throughout" : "does not rise throughout") << "</text>\n<path d='M"
        << from << ' ' << top << " V" << base << " H" << from + width
        << "' fill='none' stroke='currentColor' stroke-width='0.7'/><text x='" << from - 4 << "' y='" << top + 4
        << "' text-anchor='end'>" << number(most) << "</text><text x='" << from - 4 << "' y='" << base + 4
        << "' text-anchor='end'>0</text>\n";
    svg << "<polyline fill='none' stroke='#2563eb' stroke-width='1.8' points='";
    for (size_t i = 0; i < curve.points.size(); i++) svg << x_of(i) << ',' << y_of(curve.points[i].second) << ' ';
    svg << "'/>\n";
    for (size_t i = 0; i < curve.points.size(); i++) {
      const auto& [level, fcd] = curve.points[i];
      svg << "<circle cx='" << x_of(i) << "' cy='" << y_of(fcd) << "' r='3' fill='#2563eb'><title>" << number(level)
          << ": FCD " << number(fcd) << "</title></circle><text x='" << x_of(i) << "' y='" << base + 15
          << "' text-anchor='middle' font-size='9'>" << number(level) << "</text>\n";
    }
    svg << "<text x='" << from + width / 2 << "' y='" << height - 8 << "' text-anchor='middle'>" << curve.axis
        << "</text>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

}  // namespace forger::metrics
