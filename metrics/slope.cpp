#include "metrics/slope.h"

#include <algorithm>
#include <numeric>

#include "gan/penalties.h"
#include "metrics/comparison.h"
#include "metrics/linear_algebra.h"
#include "nn/spectral_norm.h"

namespace forger::metrics {
namespace {

std::vector<double> singular_maxima(const gan::Recipe& recipe) {
  std::vector<double> maxima;
  for (const gan::Recipe::Network& network : recipe.networks()) {
    network.module->visit([&](const nn::Module& module) {
      const auto* normed = dynamic_cast<const nn::SpectralNorm*>(&module);
      if (normed == nullptr) return;
      const Tensor matrix = to(normed->divided(), Device::cpu);
      maxima.push_back(spectral_norm(matrix.to_vector(), matrix.size(0), matrix.size(1)));
    });
  }
  return maxima;
}

}  // namespace

std::vector<gan::Score> slope_scores(gan::Recipe& recipe, const gan::DataSet& held_out, int64_t count, uint64_t seed) {
  const std::vector<gan::View> views = recipe.views();
  const gan::View* judge = gan::find_view(views, "judge");
  check<UsageError>(judge != nullptr, "this system has no view 'judge', whose slope could be measured; it has ",
                    gan::names_of(views));
  const gan::View sample = gan::sampling_view(recipe);
  const std::string& column = judge->given.front();
  Random random(seed, judged_stream);
  std::vector<double> slopes;
  const gan::Batch from = sample.draw(std::min(count, held_out.count()), random);
  int64_t row = 0;
  make_in_parts(recipe, sample, from, [&](const gan::Batch& rows, const gan::Batch& made) {
    const Tensor fake = to(made.tensors.front().tensor, Device::cpu),
                 real = gan::read_rows(held_out, row, rows.rows(), {column})[column],
                 u = random.uniform(gan::per_sample(real.shape()), 0, 1);
    row += rows.rows();
    const Tensor there = gan::points(gan::Penalty::At::between, real, fake, u);
    for (const double slope : to(recipe.slopes(*judge, there), Device::cpu).to_vector()) slopes.push_back(slope);
  });
  std::ranges::sort(slopes);
  const auto n = static_cast<double>(slopes.size());
  std::vector<gan::Score> scores{{.metric = "slope",
                                  .values = {{"mean", std::accumulate(slopes.begin(), slopes.end(), 0.0) / n},
                                             {"p99", slopes[static_cast<size_t>(0.99 * (n - 1))]},
                                             {"most", slopes.back()}},
                                  .fakes = std::ssize(slopes),
                                  .remark = "of D between real and fake samples; p99: 99 in 100 are below"}};
  const std::vector<double> maxima = singular_maxima(recipe);
  if (!maxima.empty())
    scores.push_back({.metric = "sigma",
                      .values = {{"least", std::ranges::min(maxima)}, {"most", std::ranges::max(maxima)}},
                      .remark = text("largest singular values of ", maxima.size(), " layers under spectral norm")});
  return scores;
}

}  // namespace forger::metrics
