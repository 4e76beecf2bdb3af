#include "metrics/reconstruction.h"

#include "core/ops.h"
#include "gan/agreement.h"
#include "metrics/probe.h"
#include "metrics/system.h"

namespace forger::metrics {
namespace {

double squared_distance(const Tensor& a, const Tensor& b) { return mean(sum(square(a - b), {1})).item(); }
double named_alike(const Tensor& a, const Tensor& b) { return share_of_equal(argmax(a), argmax(b)); }

}  // namespace

std::vector<gan::Score> reconstruction_scores(gan::Recipe& recipe, const Judge& judge, const gan::DataSet& held_out,
                                              int64_t count) {
  constexpr uint64_t seed = 0;  // always the same rows
  const std::vector<int64_t> rows = some_rows(held_out, count, seed);
  const std::vector<gan::View> scored = scored_views(recipe);
  if (scored.empty()) return {};
  const std::string liked = scored.front().like;  // which the judge knows
  std::vector<gan::Score> scores;
  for (const gan::View& view : scored) {
    if (view.draw || view.like != liked || view.given != std::vector{liked}) continue;
    const gan::Batch given = gan::read_rows(held_out, rows, view.given);
    const Activations before = extract(judge, pictures_of(given[view.like], "pictures")),
                      after = extract(judge, pictures_of(made_of(recipe, view, held_out, rows), "what came back"));
    scores.push_back({.metric = "rebuilt",
                      .values = {{"features", squared_distance(before.features, after.features) /
                                                  squared_distance(before.features, gan::moved_on(before.features))},
                                 {"agreement", named_alike(before.logits, after.logits)},
                                 {"chance", named_alike(before.logits, gan::moved_on(before.logits))}},
                      .reals = std::ssize(rows),
                      .convention = judge.name(),
                      .remark = "by the judge: how far pictures come back, of the way to another picture; named alike",
                      .view = view.name});
  }
  return scores;
}

}  // namespace forger::metrics
