#include "metrics/steganography.h"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "core/ops.h"
#include "gan/data.h"

namespace forger::metrics {
namespace {

constexpr double noises[] = {0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3};  // [-1, 1] being the range of a picture
constexpr size_t shown = 4;  // in lines for people: noise that hardly shows
constexpr uint64_t noise_stream = 0x637963'6c65;

// Of one picture set `from` what a view makes first, with noise of its own where it draws any.
Tensor made_by(gan::Recipe& recipe, const gan::View& view, const Tensor& from, uint64_t seed) {
  gan::Batch batch;
  Random random(seed, noise_stream);
  if (view.draw) batch = view.draw(from.size(0), random);
  return to(recipe.make(view, batch.add(view.given.front(), from)).tensors.front().tensor, Device::cpu);
}

double mean_above_0(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double sum = std::accumulate(values.begin() + 1, values.end(), 0.0);
  return sum / static_cast<double>(values.size() - 1);
}

}  // namespace

const gan::View* way_back(const std::vector<gan::View>& views, const gan::View& view) {
  if (view.given.size() != 1 || view.like.empty() || view.like == view.given.front()) return nullptr;
  const auto found = std::ranges::find_if(views, [&](const gan::View& other) {
    return other.given == std::vector{view.like} && other.like == view.given.front();
  });
  return found == views.end() ? nullptr : &*found;
}

double CycleCurve::broken() const { return mean_above_0(between); }
double CycleCurve::broken_visibly() const { return mean_above_0(before); }

std::vector<CycleCurve> cycle_under_noise(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count,
                                          uint64_t seed, const Announcer& announce) {
  constexpr int64_t at_once = 64;
  const std::vector<gan::View> views = recipe.views();
  const std::vector<int64_t> order = Random(seed, noise_stream).permutation(held_out.count());
  const int64_t total = std::min(count, held_out.count());
  std::vector<CycleCurve> curves;
  for (const gan::View& there : views) {
    const gan::View* back = way_back(views, there);
    const gan::Column* column = gan::find_column(held_out.columns(), there.given.empty() ? "" : there.given.front());
    if (back == nullptr || column == nullptr || column->sample.rank() != 3) continue;
    CycleCurve curve{there.name, {std::begin(noises), std::end(noises)}, {}, {}};
    curve.between.resize(std::size(noises));
    curve.before.resize(std::size(noises));
    for (int64_t first = 0; first < total; first += at_once) {
      const int64_t rows = std::min(at_once, total - first);
      const Tensor a =
          read_rows(held_out, std::span(order).subspan(static_cast<size_t>(first), static_cast<size_t>(rows)),
                    there.given)[there.given.front()];
      const Tensor b = made_by(recipe, there, a, seed), returned = made_by(recipe, *back, b, seed);
      // One draw for both, as far as it goes, and for every sigma: curves of one picture, not of many noises.
      Random random(seed + static_cast<uint64_t>(first), noise_stream + 1), again = random;
      const Tensor over_a = random.normal(a.shape()), over_b = again.normal(b.shape());
      const double share = static_cast<double>(rows) / static_cast<double>(total);
      const auto moved = [&](const Tensor& in_between) {
        return share * l1_loss(made_by(recipe, *back, in_between, seed), returned).item();
      };
      for (size_t i = 1; i < std::size(noises); i++) {
        if (announce)
          announce(text("the cycle of ", there.name, " under noise"),
                   first * std::ssize(noises) + rows * static_cast<int64_t>(i), total * std::ssize(noises));
        curve.between[i] += moved(b + noises[i] * over_b);
        curve.before[i] += moved(made_by(recipe, there, a + noises[i] * over_a, seed));
      }
    }
    curves.push_back(std::move(curve));
  }
  check<UsageError>(!curves.empty(),
                    "steganography is looked for where one view leads back from what another makes, "
                    "as b-to-a from a-to-b; this system has: ",
                    gan::names_of(views));
  return curves;
}

gan::Plot plot_of(const std::vector<CycleCurve>& curves) {
  gan::Plot plot{.name = "steganography",
                 .title = "The cycle under noise",
                 .caption =
                     "How far what comes back moves. Where the way back reads faint details that nobody sees, "
                     "noise between the two moves it at once; noise before both is what to compare with.",
                 .x_label = "standard deviation of the noise",
                 .y_label = "mean distance",
                 .curves = {}};
  for (const CycleCurve& curve : curves) {
    plot.curves.push_back({curve.view + ", noise between", curve.sigma, curve.between});
    plot.curves.push_back({curve.view + ", noise before", curve.sigma, curve.before});
  }
  return plot;
}

gan::Scalars numbers_of(const std::vector<CycleCurve>& curves) {
  gan::Scalars numbers;
  for (const CycleCurve& curve : curves) {
    numbers.push_back({curve.view + ".broken", curve.broken()});
    numbers.push_back({curve.view + ".broken_visibly", curve.broken_visibly()});
  }
  return numbers;
}

std::string line_of(const CycleCurve& curve) {
  std::ostringstream line;
  line.precision(3);
  line << curve.view << ": noise of " << curve.sigma[shown] << " between moves what comes back by "
       << curve.between[shown] << "; before translating, by " << curve.before[shown];
  return line.str();
}

}  // namespace forger::metrics
