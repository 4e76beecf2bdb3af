#include "metrics/evaluate.h"

#include <algorithm>
#include <numeric>

#include "metrics/comparison.h"

namespace forger::metrics {

Evaluation::Evaluation(gan::DataSetPtr train, gan::DataSetPtr test, Request request, Announcer announce)
    : comparison_(
          std::make_unique<Comparison>(std::move(train), std::move(test), std::move(request), std::move(announce))) {}
Evaluation::~Evaluation() = default;
Evaluation::Evaluation(Evaluation&&) noexcept = default;

const Judge& Evaluation::judge() { return comparison_->judge(); }
const gan::DataSetPtr& Evaluation::train() const { return comparison_->train(); }
const gan::DataSetPtr& Evaluation::test() const { return comparison_->test(); }
void Evaluation::prepare() { comparison_->prepare(); }
std::vector<std::string> Evaluation::networks() const { return comparison_->networks(); }

std::vector<gan::Score> Evaluation::scores(const Pictures& fakes) {
  comparison_->compare_with(fakes);
  std::vector<gan::Score> all;
  for (const std::string& metric : comparison_->request().metrics)
    for (gan::Score& score : comparison_->scores(find_metric(metric))) all.push_back(std::move(score));
  return all;
}

std::vector<gan::Score> Evaluation::scores(gan::Recipe& recipe, const gan::View& view, const gan::DataSet& held_out,
                                           const std::string& name) {
  const Request& request = comparison_->request();
  const int64_t count = view.given.empty() ? request.count : std::min(request.count, held_out.count());
  return scores(pictures_of(recipe, view, held_out, count, request.seed,
                            text(gan::thousands(count), " samples of ", name),
                            comparison_->ticker("sampling " + name)));
}

Tensor Evaluation::extreme_reals(gan::Recipe& recipe, int64_t count) {
  constexpr int64_t at_once = 64;
  const Pictures& reals = comparison_->reals();
  const std::vector<gan::View> views = recipe.views();
  const gan::View* judge = gan::find_view(views, "judge");
  if (judge == nullptr || 2 * count > reals.count) return {};
  std::vector<double> verdicts;
  for (int64_t begin = 0; begin < reals.count; begin += at_once) {
    const Tensor images = as_tensor(reals, begin, std::min(begin + at_once, reals.count));
    const Tensor verdict = recipe.make(*judge, gan::Batch().add(judge->given.front(), images))["verdict"];
    for (const double v : verdict.to_vector()) verdicts.push_back(v);
  }
  std::vector<int64_t> order(verdicts.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return verdicts[a] < verdicts[b]; });
  order.erase(order.begin() + count, order.end() - count);
  return as_tensor(reals.at(std::move(order)), 0, 2 * count);
}

}  // namespace forger::metrics
