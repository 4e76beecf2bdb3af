#include "metrics/codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/ops.h"
#include "gan/captions.h"
#include "metrics/directions.h"
#include "metrics/probe.h"

namespace forger::metrics {

// Rows are added one by one. What it costs to give row i column j is minus its count, seen from prices of both that keep
// every such cost at 0 or more, and at 0 where a pair is matched; a new row finds its place along the cheapest path of
// exchanges (Dijkstra), and the prices move by what that path took.
std::vector<int64_t> best_matching(std::span<const int64_t> counts, int64_t rows, int64_t columns) {
  const int64_t n = std::max(rows, columns);  // a square, filled up with zeros; row and column 0 stand for nothing
  const auto cost = [&](int64_t i, int64_t j) {
    return i > rows || j > columns ? int64_t{0} : -counts[static_cast<size_t>((i - 1) * columns + j - 1)];
  };
  const auto size = static_cast<size_t>(n + 1);
  std::vector<int64_t> row_price(size), column_price(size), row_of(size);
  for (int64_t i = 1; i <= n; i++) {
    std::vector<int64_t> least(size, std::numeric_limits<int64_t>::max()), before(size);
    std::vector<bool> done(size);
    int64_t at = 0;  // the column where the path ends
    row_of[0] = i;
    do {
      const auto here = static_cast<size_t>(at);
      done[here] = true;
      const int64_t row = row_of[here];
      int64_t step = std::numeric_limits<int64_t>::max();
      for (size_t j = 1; j < size; j++) {
        if (done[j]) continue;
        const int64_t path = cost(row, static_cast<int64_t>(j)) - row_price[static_cast<size_t>(row)] - column_price[j];
        if (path < least[j]) least[j] = path, before[j] = static_cast<int64_t>(here);
        if (least[j] < step) step = least[j], at = static_cast<int64_t>(j);
      }
      for (size_t j = 0; j < size; j++) {
        if (done[j]) row_price[static_cast<size_t>(row_of[j])] += step, column_price[j] -= step;
        if (!done[j] && j > 0) least[j] -= step;
      }
    } while (row_of[static_cast<size_t>(at)] != 0);
    for (; at != 0; at = before[static_cast<size_t>(at)])
      row_of[static_cast<size_t>(at)] = row_of[static_cast<size_t>(before[static_cast<size_t>(at)])];
  }
  std::vector<int64_t> column_of(static_cast<size_t>(rows), -1);
  for (int64_t j = 1; j <= columns; j++)
    if (const int64_t i = row_of[static_cast<size_t>(j)]; i <= rows) column_of[static_cast<size_t>(i - 1)] = j - 1;
  return column_of;
}

double correlation_within(std::span<const double> x, std::span<const double> y, std::span<const int64_t> groups) {
  struct Sums {
    double n = 0, x = 0, y = 0;
  };
  std::map<int64_t, Sums> sums;
  for (size_t i = 0; i < x.size(); i++) {
    Sums& of = sums[groups[i]];
    of.n++, of.x += x[i], of.y += y[i];
  }
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const Sums& of = sums[groups[i]];
    const double dx = x[i] - of.x / of.n, dy = y[i] - of.y / of.n;
    xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

namespace {

std::vector<int64_t> integers(const Tensor& x) {
  const std::vector<double> values = x.to_vector();
  return {values.begin(), values.end()};
}

// How categories and classes of the same pictures go together.
gan::Score category_score(const std::vector<int64_t>& categories, int64_t kinds, const std::vector<int64_t>& classes,
                          const std::vector<std::string>& class_names) {
  const int64_t named = std::ssize(class_names);
  std::vector<int64_t> counts(static_cast<size_t>(kinds * named));
  for (size_t i = 0; i < categories.size(); i++) counts[static_cast<size_t>(categories[i] * named + classes[i])]++;
  const std::vector<int64_t> matched = best_matching(counts, kinds, named);
  gan::Score score{.metric = "category", .values = {}, .classes = {}, .fakes = std::ssize(categories)};
  int64_t right = 0, most = 0;
  for (int64_t k = 0; k < kinds; k++) {
    const std::span row = std::span(counts).subspan(static_cast<size_t>(k * named), static_cast<size_t>(named));
    const auto largest = std::ranges::max_element(row);
    const int64_t drawn = std::max<int64_t>(1, std::accumulate(row.begin(), row.end(), int64_t{0}));
    if (const int64_t c = matched[static_cast<size_t>(k)]; c >= 0) right += row[static_cast<size_t>(c)];
    most += *largest;
    score.classes.emplace_back(text(k, ": ", class_names[static_cast<size_t>(largest - row.begin())]),
                               static_cast<double>(*largest) / static_cast<double>(drawn));
  }
  const auto all = static_cast<double>(score.fakes);
  score.values = {{"agreement", static_cast<double>(right) / all}, {"purity", static_cast<double>(most) / all}};
  return score;
}

// The categories that the view "read" finds in rows of a set, first in what it makes, beside their labels.
gan::Score real_score(gan::Recipe& recipe, const gan::View& read, const gan::DataSet& held_out, int64_t count,
                      const std::vector<std::string>& class_names) {
  constexpr uint64_t seed = 0;  // of the choice
  const std::vector<int64_t> rows = some_rows(held_out, count, seed);
  std::vector<int64_t> classes;
  for (const int64_t row : rows) classes.push_back(held_out.label(row));
  const Tensor found = made_of(recipe, read, held_out, rows);
  gan::Score score = category_score(integers(argmax(found)), found.size(1), classes, class_names);
  score.metric = "category.real";
  score.reals = std::exchange(score.fakes, 0);
  score.classes.clear();
  return score;
}

}  // namespace

std::vector<gan::Score> code_scores(gan::Recipe& recipe, const Judge& judge, const gan::DataSet& held_out,
                                    int64_t count, uint64_t seed) {
  const std::vector<gan::View> views = recipe.views();
  const auto sample =
      std::ranges::find_if(views, [](const gan::View& view) { return view.draw && view.given.empty(); });
  if (sample == views.end()) return {};
  Random random(seed, judged_stream);
  const gan::Batch from = to(sample->draw(count, random), Device::cpu);
  if (!from.has("category") || !from.has("code")) return {};
  const Tensor images = to(make_all(recipe, *sample, from), Device::cpu);
  const std::vector<int64_t> category = integers(from["category"]);
  const int64_t kinds = 1 + std::ranges::max(category);
  std::vector<gan::Score> scores{category_score(category, kinds, classes_of(judge, images), judge.class_names())};
  scores.front().remark = "no label was seen in training; each category beside the class that it is most often";
  if (const gan::View* read = gan::find_view(views, "read"); read != nullptr && held_out.classes() > 0)
    scores.push_back(real_score(recipe, *read, held_out, count, judge.class_names()));

  const Shape sample_shape{images.size(1), images.size(2), images.size(3)};
  std::vector<size_t> shown;  // samples that are not empty
  std::vector<gan::Measures> measures;
  for (int64_t i = 0; i < count; i++) {
    const auto found = gan::measures_of(images.data<float>() + i * sample_shape.numel(), sample_shape);
    if (found) shown.push_back(static_cast<size_t>(i)), measures.push_back(*found);
  }
  std::vector<int64_t> groups;
  for (const size_t i : shown) groups.push_back(category[i]);
  const std::vector<double> codes = from["code"].to_vector();
  const auto numbers = static_cast<size_t>(from["code"].size(1));
  for (size_t k = 0; k < numbers; k++) {
    gan::Score score{.metric = text("code-", k + 1), .values = {}, .fakes = std::ssize(shown)};
    std::vector<double> code;
    for (const size_t i : shown) code.push_back(codes[i * numbers + k]);
    for (size_t look = 0; look < gan::look_table.size(); look++) {
      std::vector<double> measured;
      for (const gan::Measures& of : measures) measured.push_back(of[look]);
      score.values.emplace_back(gan::look_table[look].name, correlation_within(code, measured, groups));
    }
    scores.push_back(score);
  }
  return scores;
}

}  // namespace forger::metrics
