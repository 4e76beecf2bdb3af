#include "gan/rollout.h"

#include <algorithm>

#include "core/ops.h"

namespace forger::gan {

bool makes_next_frame(const View& view, const Columns& columns) {
  const Column *given = view.given.size() == 1 ? find_column(columns, view.given.front()) : nullptr,
               *made = find_column(columns, view.like);
  if (given == nullptr || made == nullptr || given->sample.rank() != 3 || made->sample.rank() != 3) return false;
  const Shape &past = given->sample, &next = made->sample;
  return past[0] == next[0] && past[1] == next[1] && past[2] > next[2] && past[2] % next[2] == 0;
}

Tensor rolled(Recipe& recipe, const View& view, const Tensor& past, int64_t frames, Random& random) {
  constexpr int64_t at_once = 64;
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < past.size(0); first += at_once) {
    Tensor seen = slice(past, 0, first, std::min(first + at_once, past.size(0)));
    const int64_t channels = seen.size(3);
    std::vector<Tensor> made;
    for (int64_t k = 0; k < frames; k++) {
      Batch from;
      if (view.draw) from = view.draw(seen.size(0), random);
      made.push_back(to(recipe.make(view, from.add(view.given.front(), seen)).tensors.front().tensor, Device::cpu));
      seen = concat(std::vector<Tensor>{seen, made.back()}, 3);
      seen = slice(seen, 3, seen.size(3) - channels, seen.size(3));
    }
    parts.push_back(concat(made, 3));
  }
  return concat(parts, 0);
}

RolloutErrors rollout_errors(const Tensor& past, const Tensor& made, const Tensor& truth, int64_t channels) {
  const auto frame = [&](const Tensor& film, int64_t k) { return slice(film, 3, k * channels, (k + 1) * channels); };
  const Tensor last = frame(past, past.size(3) / channels - 1);
  RolloutErrors errors;
  for (int64_t k = 0; k < truth.size(3) / channels; k++) {
    errors.l1.push_back(l1_loss(frame(made, k), frame(truth, k)).item());
    errors.l1_still.push_back(l1_loss(last, frame(truth, k)).item());
  }
  return errors;
}

}  // namespace forger::gan
