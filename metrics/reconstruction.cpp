#include "metrics/reconstruction.h"

#include <algorithm>

#include "core/ops.h"
#include "gan/agreement.h"
#include "metrics/system.h"

namespace forger::metrics {
namespace {

double squared_distance(const Tensor& a, const Tensor& b) { return mean(sum(square(a - b), {1})).item(); }
double named_alike(const Tensor& a, const Tensor& b) {
  const std::vector<double> of_a = argmax(a).to_vector(), of_b = argmax(b).to_vector();
  int64_t alike = 0;
  for (size_t i = 0; i < of_a.size(); i++) alike += of_a[i] == of_b[i];
  return static_cast<double>(alike) / static_cast<double>(of_a.size());
}

}  // namespace

std::vector<gan::Score> reconstruction_scores(gan::Recipe& recipe, const Judge& judge, const gan::DataSet& held_out,
                                              int64_t count) {
  constexpr uint64_t seed = 0;  // always the same rows, of the whole set: folders are sorted by class
  std::vector<int64_t> rows = Random(seed).permutation(held_out.count());
  rows.resize(static_cast<size_t>(std::min(count, held_out.count())));
  const std::vector<gan::View> scored = scored_views(recipe);
  if (scored.empty()) return {};
  const std::string liked = scored.front().like;  // which the judge knows
  std::vector<gan::Score> scores;
  for (const gan::View& view : scored) {
    if (view.draw || view.like != liked || view.given != std::vector{liked}) continue;
    std::vector<Tensor> parts;
    const gan::Batch given = gan::read_rows(held_out, rows, view.given);
    make_in_parts(recipe, view, given, [&](const gan::Batch&, const gan::Batch& made) {
      parts.push_back(to(made.tensors.front().tensor, Device::cpu));
    });
    const Activations before = extract(judge, pictures_of(given[view.like], "pictures")),
                      after = extract(judge, pictures_of(concat(parts, 0), "what came back"));
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
